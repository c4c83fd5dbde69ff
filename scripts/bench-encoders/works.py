"""What is measured: works, cells, and how many operations each takes."""

from dataclasses import dataclass

PRECISIONS = ("f32", "bf16", "int8")
TEXTS = ("bert-base", "minilm")
TOKENS = (16, 32, 128)
MIXED = 64


@dataclass(frozen=True)
class Shape:
    """Sizes of a text network."""

    hidden: int
    inner: int
    layers: int
    heads: int


SHAPES = {
    "bert-base": Shape(768, 3072, 12, 12),
    "albert-base": Shape(768, 3072, 12, 12),
    "minilm": Shape(384, 1536, 6, 12),
}


@dataclass(frozen=True)
class Cell:
    model: str
    length: str  # "16", "32", "128", "mixed"; "" for photos
    precision: str
    batch: int
    threads: int

    @property
    def work(self):
        return f"{self.model}/{self.length}" if self.length else self.model

    @property
    def name(self):
        return f"{self.work}/{self.precision}/b{self.batch}/t{self.threads}"

    @property
    def key(self):
        return (self.work, self.precision, self.batch, self.threads)

    def asked(self, patterns):
        """Whether one of `patterns` (as `resnet50/bf16` or `minilm/16/b1/t2`) has no part that this cell lacks."""
        parts = set(self.name.split("/"))
        return not patterns or any(set(p.split("/")) <= parts for p in patterns)


def cells(cores):
    """Every cell of the table; on a machine with one core those of two threads are left out."""
    shapes = [(1, 1), (1, 2), (8, 2), (32, 2)]
    lengths = {"resnet50": [""], **{text: [str(n) for n in TOKENS] for text in TEXTS}}
    made = []
    for model, lengths_ in lengths.items():
        for length in lengths_:
            made += [Cell(model, length, p, b, t) for b, t in shapes for p in PRECISIONS]
        if model in TEXTS:
            made += [Cell(model, "mixed", p, MIXED, 2) for p in PRECISIONS]
    return [cell for cell in made if cell.threads <= cores]


def operations(cell, lengths):
    """Of the products alone, a multiply-add counted as two; `lengths` are each text's tokens."""
    if cell.model == "resnet50":
        return 8.174e9 * cell.batch
    s = SHAPES[cell.model]
    weights = s.layers * (4 * s.hidden * s.hidden + 2 * s.hidden * s.inner)
    return sum(2 * n * weights + 4 * s.layers * n * n * s.hidden for n in lengths)
