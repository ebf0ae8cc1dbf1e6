#!/usr/bin/env python3
"""Every mode on every form of the layers that it takes, in ONNX Runtime and in our engine.

    modes_in_onnxruntime.py QUANTIZE               all forms in one model, written in each mode
    modes_in_onnxruntime.py QUANTIZE --only TEXT   those whose label has this text; prints the figures of all

Each file must pass ONNX's checker and run in ONNX Runtime; each of its layers must be as near to FP32 there as its bits allow, as near in our engine,
and the two near to each other. A layer is stored or computed on codes where its form says so, and only there.
"""
import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from models import call, save, session, sqnr

EXACT = 90              # decibels of a layer that the mode leaves in float
BETWEEN = 45            # decibels between the two engines: sums of floats differ, and single dynamic codes
TARGETS = ("ort-x86", "native")


@dataclass
class Form:
    label: str
    op_type: str
    shape: list                                    # of the input
    weights: dict                                  # name: shape, in the order of the inputs behind the first
    attributes: dict = field(default_factory=dict)
    dynamic: bool = True                           # mode dynamic takes it
    first: bool = True                             # the activation is the first operand


def conv(label, x, w, bias=True, dynamic=True, op_type="Conv", **attributes):
    channels = w[1] * attributes.get("group", 1) if op_type == "ConvTranspose" else w[0]
    return Form(label, op_type, x, {"w": w, **({"b": [channels]} if bias else {})}, attributes, dynamic)


def recurrent(op_type, gates, dynamic, **attributes):
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    weights = {"w": [ways, gates * 16, 24], "r": [ways, gates * 16, 16], "b": [ways, 2 * gates * 16]}
    return Form(f"{op_type} {attributes}", op_type, [7, 2, 24], weights, {"hidden_size": 16, **attributes}, dynamic)


def all_forms():
    image = [2, 32, 9, 8]
    return [
        conv("Conv 1x1", image, [24, 32, 1, 1]),
        conv("Conv 3x3 pads", image, [24, 32, 3, 3], pads=[1] * 4, strides=[2, 1]),
        conv("Conv no bias", image, [24, 32, 3, 3], bias=False, pads=[1, 0, 1, 0]),
        conv("Conv groups", image, [24, 16, 3, 3], group=2, dilations=[2, 1]),
        conv("Conv auto_pad", image, [24, 32, 3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
        conv("Conv depthwise", image, [32, 1, 3, 3], dynamic=False, group=32),
        conv("Conv 1-D", [2, 32, 20], [24, 32, 3], pads=[1, 1]),
        conv("Conv 3-D", [1, 32, 5, 4, 4], [24, 32, 1, 3, 3]),
        conv("ConvTranspose", image, [32, 24, 2, 2], dynamic=False, op_type="ConvTranspose", strides=[2, 2]),
        conv("ConvTranspose groups", image, [32, 12, 3, 3], dynamic=False, op_type="ConvTranspose", group=2),
        Form("Gemm", "Gemm", [4, 70], {"w": [70, 24], "b": [24]}),
        Form("Gemm transB", "Gemm", [4, 70], {"w": [24, 70], "b": [24]}, {"transB": 1}),
        Form("Gemm no bias", "Gemm", [4, 64], {"w": [64, 24]}),
        Form("Gemm scalar bias", "Gemm", [4, 64], {"w": [64, 24], "b": [1]}),
        Form("Gemm bias of rows", "Gemm", [4, 64], {"w": [64, 24], "b": [4, 24]}, dynamic=False),
        Form("Gemm alpha", "Gemm", [4, 64], {"w": [64, 24], "b": [24]}, {"alpha": 0.5}, dynamic=False),
        Form("Gemm transA", "Gemm", [64, 4], {"w": [64, 24], "b": [24]}, {"transA": 1}, dynamic=False),
        Form("MatMul", "MatMul", [3, 5, 70], {"w": [70, 24]}),
        Form("MatMul on the left", "MatMul", [70, 24], {"w": [12, 70]}, dynamic=False, first=False),
        Form("MatMul batches of weights", "MatMul", [3, 5, 64], {"w": [3, 64, 24]}, dynamic=False),
        recurrent("LSTM", 4, True),
        recurrent("LSTM", 4, True, direction="bidirectional"),
        recurrent("LSTM", 4, True, direction="reverse"),
        recurrent("GRU", 3, False, direction="bidirectional", linear_before_reset=1),
        recurrent("RNN", 1, False),
    ]


# Mode, options, least decibels in either engine.
VARIANTS = [
    ("dynamic", (), 30),
    ("weight-only", (), 36),
    ("weight-only", ("--weight-block", 16), 36),
    ("weight-only", ("--weight-bits", 4), 13),
    ("weight-only", ("--weight-bits", 4, "--weight-block", 16), 14),
    ("weight-only", ("--weight-bits", 4, "--weight-block", 24), 14),
    ("weight-only", ("--weight-bits", 2), 1),
    ("weight-only", ("--weight-bits", 2, "--weight-block", 32), 1),
    ("float", (), 100),
    ("float", ("--rest", "f16"), 55),
]
# Forms that both targets have alike: in turn for one of them.
SHARED_VARIANTS = [
    ("weight-only", ("--weight-bits", 7), 30),
    ("weight-only", ("--weight-bits", 3, "--weight-block", 16), 7),
    ("weight-only", ("--weight-codebook", 4), 13),
    ("weight-only", ("--weight-codebook", 3, "--codebook-group", 5, "--weights", "per-tensor"), 7),
    ("weight-only", ("--weight-codebook", 6), 22),
    ("weight-only", ("--weight-grid", "po2"), 12),
    ("weight-only", ("--weight-grid", "binary"), 0),
    ("weight-only", ("--weight-grid", "fixed:6.0"), 6),
]


class Network:
    """All forms side by side, each behind a Relu of a part of the one input, so that codes have zero points of their own."""

    def __init__(self, forms, folder):
        self.forms, self.folder = forms, Path(folder)
        random = np.random.default_rng(1)
        size = max(np.prod(form.shape) for form in forms)
        self.sample = random.normal(0.5, 1, size=(1, size)).astype(np.float32)
        np.save(self.folder / "x.npy", self.sample)
        nodes, constants = [], {"zero": np.zeros(1, np.int64), "one": np.ones(1, np.int64)}
        for i, form in enumerate(forms):
            inputs = [f"{name}_{i}" for name in form.weights]
            constants |= {f"{n}_{i}": (random.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for n, s in form.weights.items()}
            constants |= {f"end_{i}": np.array([np.prod(form.shape)], np.int64), f"shape_{i}": np.array(form.shape, np.int64)}
            nodes += [helper.make_node("Slice", ["x", "zero", f"end_{i}", "one"], [f"part_{i}"]), helper.make_node("Reshape", [f"part_{i}", f"shape_{i}"], [f"shaped_{i}"]),
                      helper.make_node("Relu", [f"shaped_{i}"], [f"a_{i}"]),
                      helper.make_node(form.op_type, [f"a_{i}", *inputs] if form.first else [*inputs, f"a_{i}"], [f"y_{i}"], name=f"layer_{i}", **form.attributes)]
        self.model, self.outputs = self.folder / "model.onnx", [f"y_{i}" for i in range(len(forms))]
        save(self.model, nodes, {"x": [1, int(size)]}, self.outputs, constants, 13)
        self.exact = self.run(self.model)

    def run(self, path):
        return session(path).run(self.outputs, {"x": self.sample})

    def judge(self, mode, options, least, target):
        """(label, fault or nothing, figures) of each form."""
        file, plan = self.folder / "q.onnx", self.folder / "plan.json"
        call(os.environ["QUANTIZE"], self.model, "--mode", mode, *options, "--target", target, "-o", file, "--plan", plan, "--quiet")
        onnx.checker.check_model(onnx.load(file), full_check=True)
        theirs = self.run(file)
        call(os.environ["QUANTIZE"], "run", file, self.folder / "x.npy", "-o", self.folder / "out", "--quiet")
        layers = {n["name"]: n for n in json.loads(plan.read_text())["nodes"]}
        for i, form in enumerate(self.forms):
            ours = np.load(self.folder / "out" / f"y_{i}.npy").reshape(self.exact[i].shape)
            figures = sqnr(self.exact[i], theirs[i]), sqnr(self.exact[i], ours), sqnr(theirs[i], ours)
            layer = layers[f"layer_{i}"]
            taken = form.dynamic if mode == "dynamic" else mode == "weight-only"
            enough = least if taken or mode == "float" else EXACT
            faults = [text for text, bad in (
                (f"{figures[0]:.1f} dB in ONNX Runtime", figures[0] < enough), (f"{figures[1]:.1f} dB in our engine", figures[1] < enough),
                (f"{figures[2]:.1f} dB between the two", figures[2] < BETWEEN), (f"stored: {'stored' in layer}, {layer['reason']}", ("stored" in layer) != taken)) if bad]
            yield f"{form.label}, {mode} {' '.join(map(str, options))}, {target}", "; ".join(faults), figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.environ["QUANTIZE"] = options.program
    with tempfile.TemporaryDirectory() as folder:
        network = Network([form for form in all_forms() if options.only in form.label], folder)
        runs = [(*variant, target) for variant in VARIANTS for target in TARGETS]
        runs += [(*variant, TARGETS[i % 2]) for i, variant in enumerate(SHARED_VARIANTS)]
        results = [result for run in runs for result in network.judge(*run)]
    failures = [result for result in results if result[1]]
    for label, fault, figures in results if options.only else failures:
        print(f"{'FAIL' if fault else 'ok  '} {label}: {fault or ', '.join(f'{x:.1f}' for x in figures)}")
    print(f"{len(results)} layers, {len(failures)} wrong")
    return 1 if failures or not results else 0


if __name__ == "__main__":
    sys.exit(main())
