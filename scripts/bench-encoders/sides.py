"""Ours and theirs, each a process that loads once, encodes when asked, and sleeps in between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import models

HERE = Path(__file__).parent

# Peers by number type: the name in the table, the program, what it is told, and which of the model's files.
PEERS = {
    "f32": [("torch", "torch", "f32", None), ("ort", "ort", "f32", "f32"), ("ort-opt", "ort", "f32", "opt"),
            ("openvino", "openvino", "f32", "f32")],
    "bf16": [("torch-bf16", "torch", "bf16", None), ("openvino-bf16", "openvino", "bf16", "f32")],
    "int8": [("ort-int8", "ort", "int8", "int8"), ("openvino-nncf", "openvino", "int8", "nncf"),
             ("openvino-qdq", "openvino", "int8", "int8")],
}


class Gone(Exception):
    """A side ended or could not do what it was asked."""


class Process:
    """One JSON line in, one out."""

    def __init__(self, command):
        self.command = command
        # Each side is told its threads itself.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "SIMILE_", "MKL_", "ORT_"))}
        environment["SIMILE_LOG"] = "warn"
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, what, **of):
        try:
            self.child.stdin.write(json.dumps({what: of}) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Gone(f"{' '.join(map(str, self.command))} ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Gone(answer["error"])
        return answer

    def end(self):
        self.child.stdin.close()
        self.child.wait()


class Sides:
    """All processes, started when they are first needed."""

    def __init__(self, places, simile):
        self.places, self.simile = places, simile
        self.running, self.held = {}, []

    def process(self, program, threads=None):
        key = (program, threads)
        if key not in self.running:
            if program == "simile":
                folders = f"{self.places.models}:{self.places.shared / 'models'}"
                command = [self.simile, "--models", folders, "--data", str(self.places.bench / "data"), "--json"]
                command += ["bench", "encoders", "--turns", "--threads", str(threads)]
            else:
                command = [sys.executable, str(HERE / "peers.py"), program]
            self.running[key] = Process(command)
        return self.running[key]

    def ours(self, cell, inputs, beside=()):
        """Ours stays open, so that it is loaded once, until another model's turn comes; `beside` may stay too."""
        for ours in [o for o in self.held if o.cell.model not in (cell.model, *beside)]:
            self.held.remove(ours)
            ours.end()
        self.held.append(Ours(self.process("simile", cell.threads), cell, inputs))
        return self.held[-1]

    def theirs(self, cell, inputs, only=None):
        """The peers of a cell's number type that can do it; `only` one of them."""
        made = []
        for name, program, variant, file in PEERS[cell.precision]:
            if only not in (None, name):
                continue
            if (cell.model == "resnet50" and file == "opt") or (name == "openvino-qdq" and cell.model != "resnet50"):
                continue
            path = str(self.places.variants(cell.model)[file]) if file else None
            try:
                made.append(Theirs(name, self.process(program), cell, variant, path, inputs, self.places))
            except Gone as why:
                models.log(f"  {name}: {why}")
        return made

    def end(self):
        for process in self.running.values():
            process.end()


class Side:
    """Something that can be timed on one cell."""

    def __init__(self, name, process, work):
        self.name, self.process, self.work, self.times = name, process, work, []

    def turn(self, rounds):
        self.times += self.process.ask("time", work=self.work, rounds=rounds)["ms"]

    def close(self):
        self.process.ask("close", work=self.work)


class Ours(Side):
    def __init__(self, process, cell, inputs):
        super().__init__("simile", process, cell.name)
        self.cell = cell
        encoder = "resnet50-pqf" if cell.model == "resnet50" else cell.model
        answer = process.ask("open", work=cell.name, encoder=encoder, precision=cell.precision, input=inputs.ours)
        if answer["computes_in"] != cell.precision:
            raise Gone(f"{encoder} computes in {answer['computes_in']}, not in {cell.precision}")

    def close(self):
        """Not yet: see `Sides.ours`."""

    def end(self):
        super().close()

    def vectors(self):
        return np.array(self.process.ask("vectors", work=self.work)["vectors"], dtype=np.float64)


class Theirs(Side):
    def __init__(self, name, process, cell, variant, file, inputs, places):
        super().__init__(name, process, f"{name} {cell.name}")
        self.places, self.inputs = places, inputs
        if file is None:
            file = dict(bench=str(places.bench), shared=str(places.shared), repository=str(places.repository))
        process.ask(
            "open", work=self.work, model=cell.model, variant=variant, file=file, input=str(inputs.theirs),
            threads=cell.threads,
        )

    def vectors(self):
        """As ours: the mean of each text's tokens, of length 1."""
        to = self.places.bench / "vectors.npy"
        self.process.ask("vectors", work=self.work, to=str(to))
        out = np.load(to).astype(np.float64)
        if out.ndim == 3:
            mask = np.load(self.inputs.theirs)["mask"][:, :, None]
            out = (out * mask).sum(1) / mask.sum(1)
        out = out.reshape(out.shape[0], -1)
        return out / np.linalg.norm(out, axis=1, keepdims=True)


class Inputs:
    """What both sides are fed, written once for each model, length and batch."""

    def __init__(self, places, cell):
        stem = places.bench / "inputs" / f"{cell.model}-{cell.length}-{cell.batch}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        self.theirs = stem.with_suffix(".npz")
        if cell.model == "resnet50":
            raw = stem.with_suffix(".rgb")
            crops = models.crops(places.shared / "data/photos", cell.batch)
            raw.write_bytes(crops.tobytes())
            np.savez(self.theirs, x=models.normalised(crops))
            self.ours, self.lengths = {"crops": str(raw)}, []
        else:
            texts = models.tokens(places, cell.length, cell.batch)
            self.ours, self.lengths = {"tokens": texts}, [len(text) for text in texts]
            if cell.model != "albert-base":
                np.savez(self.theirs, **models.padded(texts))
