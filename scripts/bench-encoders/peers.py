"""A peer as a small server: `python peers.py torch|ort|openvino`. Loads what it is told to, then waits without spinning.

One JSON object a line comes in, one goes out:
    {"open": {"work", "variant", "file", "input", "threads"}}   input: a .npz with the arrays that the network is fed
    {"time": {"work", "rounds"}}                                times in ms, after one that does not count
    {"vectors": {"work", "to"}}                                 what comes out, as a .npy
    {"close": {"work"}}
"""

import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np


class Torch:
    """Eager; f32 with channels last for photos and fused attention for texts, or the same under bf16 autocast."""

    def __init__(self):
        self.networks = {}

    def open(self, model, variant, file, feed, threads):
        import torch

        import models

        torch.set_num_threads(threads)
        if model not in self.networks:
            places = models.Places(**file)
            if model == "resnet50":
                self.networks[model] = models.photo_network(places).to(memory_format=torch.channels_last)
            else:
                self.networks[model] = models.text_network(places, model, "sdpa")
        network = self.networks[model]
        args = [torch.from_numpy(array) for array in feed.values()]
        if model == "resnet50":
            args = [args[0].contiguous(memory_format=torch.channels_last)]

        def once():
            torch.set_num_threads(threads)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=variant == "bf16"):
                return network(*args)

        return once, lambda: once().float().numpy()


class Ort:
    """ONNX Runtime; outputs lie in memory that is bound once."""

    def open(self, model, variant, file, feed, threads):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Its threads spin within a run, as they do by default, and not between runs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        first = session.run(None, feed)[0]
        out = ort.OrtValue.ortvalue_from_shape_and_type(first.shape, np.float32, "cpu")
        binding = session.io_binding()
        for name, array in feed.items():
            binding.bind_cpu_input(name, array)
        binding.bind_ortvalue_output("out", out)
        return lambda: session.run_with_iobinding(binding), lambda: session.run(None, feed)[0]


class OpenVino:
    """Shapes are fixed before compiling; `bf16` is what it takes by itself on this kind of processor."""

    def open(self, model, variant, file, feed, threads):
        import openvino as ov

        core = ov.Core()
        network = core.read_model(file)
        network.reshape({name: list(array.shape) for name, array in feed.items()})
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if variant in ("f32", "bf16"):
            config["INFERENCE_PRECISION_HINT"] = variant
        request = core.compile_model(network, "CPU", config).create_infer_request()
        tensors = {name: ov.Tensor(array) for name, array in feed.items()}
        once = lambda: request.infer(tensors, share_inputs=True, share_outputs=True)
        return once, lambda: np.array(once()[0], dtype=np.float32)


# A first encoding this slow, in ms, counts: being the first is nothing to it. As in src/cli/bench/encoders.rs.
SLOW = 300


def timed(once, rounds):
    times = []
    for turn in range(rounds + 1):
        start = time.perf_counter()
        once()
        ms = (time.perf_counter() - start) * 1e3
        if turn > 0 or ms > SLOW:
            times.append(ms)
        if len(times) == rounds:
            break
    return times


def main():
    # Whatever a library prints does not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = {"torch": Torch, "ort": Ort, "openvino": OpenVino}[sys.argv[1]]()
    open_ = {}
    for line in sys.stdin:
        (what, of), = json.loads(line).items()
        try:
            answer = {}
            if what == "open":
                feed = dict(np.load(of["input"]))
                open_[of["work"]] = peer.open(of["model"], of["variant"], of["file"], feed, of["threads"])
            elif what == "time":
                answer = {"ms": timed(open_[of["work"]][0], of["rounds"])}
            elif what == "vectors":
                np.save(of["to"], open_[of["work"]][1]())
            else:
                open_.pop(of["work"], None)
        except Exception as why:  # a peer that cannot do a cell is a hole in it, not the end
            answer = {"error": f"{type(why).__name__}: {why}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


main()
