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

    def __init__(self, command, environment=None):
        self.command = command
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
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
        self.running = {}

    def process(self, program, threads=None):
        key = (program, threads)
        if key not in self.running:
            if program == "simile":
                folders = f"{self.places.models}:{self.places.shared / 'models'}"
                command = [self.simile, "--models", folders, "--data", str(self.places.bench / "data"), "--json"]
                command += ["bench", "encoders", "--turns", "--threads", str(threads)]
            else:
                command = [sys.executable, str(HERE / "peers.py"), program]
            # Nobody's threads may look for work between turns.
            quiet = {"SIMILE_LOG": "warn", "OMP_WAIT_POLICY": "PASSIVE"} if program == "simile" else {}
            self.running[key] = Process(command, quiet)
        return self.running[key]

    def ours(self, cell, inputs):
        return Ours(self.process("simile", cell.threads), cell, inputs)

    def theirs(self, cell, inputs):
        """The peers of a cell's number type that can do it."""
        made = []
        for name, program, variant, file in PEERS[cell.precision]:
            if (cell.model == "resnet50" and file == "opt") or (name == "openvino-qdq" and cell.model != "resnet50"):
                continue
            path = str(self.places.variants(cell.model)[file]) if file else None
            try:
                made.append(Theirs(name, self.process(program), cell, variant, path, inputs, self.places))
            except Gone as why:
                models.log(f"  {name}: {why}")
        return made

    def end(self, program=None):
        for key in [k for k in self.running if program in (None, k[0])]:
            self.running.pop(key).end()


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
        encoder = "resnet50-pqf" if cell.model == "resnet50" else cell.model
        answer = process.ask("open", work=cell.name, encoder=encoder, precision=cell.precision, input=inputs.ours)
        if answer["computes_in"] != cell.precision:
            raise Gone(f"{encoder} computes in {answer['computes_in']}, not in {cell.precision}")

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
