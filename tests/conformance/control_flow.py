#!/usr/bin/env python3
"""Networks with If, Loop and Scan in our engine and in ONNX Runtime.

    control_flow.py QUANTIZE

Each network is written, quantized to a QDQ and to an int8 file, and run on samples that take different branches or numbers of
iterations. What our engine computes of each file must be what ONNX Runtime computes of it; the quantized files must be near the
float network, with the bodies in float and the convolution in front of them in integers.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from models import session

HEAD = """<ir_version: 8, opset_import: ["" : 16]>
net (float[1, 3, 8, 8] x) => (float[] result)
<float[4, 3, 3, 3] w, float[4, 4, 3, 3] v, float[4] bias, int64[1] last = {3}, int64[1] axis0 = {0},
 int64 zero = {0}, int64 three = {3}, float half = {0.5}, bool yes = {1}> {
  c = Conv <pads = [1, 1, 1, 1]> (x, w, bias)
  f = Relu (c)
  mean = ReduceMean <keepdims = 0> (x)
  none = Sub (half, half)
  positive = Greater (mean, none)
"""

# name -> the nodes behind the convolution
NETWORKS = {
    "if: a branch is a convolution of captured weights, the other the captured value": """
  result = If (positive) <
    then_branch = yes_ () => (float[] y1) { y1 = Conv <pads = [1, 1, 1, 1]> (f, v) },
    else_branch = no_ () => (float[] y2) { y2 = Neg (f) }>
}""",
    "if: branches of different shapes, more behind them": """
  r = If (positive) <
    then_branch = yes_ () => (float[] y1) { y1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (f) },
    else_branch = no_ () => (float[] y2) { y2 = Identity (f) }>
  s = Conv <pads = [1, 1, 1, 1]> (r, v)
  result = Relu (s)
}""",
    "if: a constant condition": """
  r = If (yes) <
    then_branch = yes_ () => (float[] y1) { t = Conv <pads = [1, 1, 1, 1]> (f, v) y1 = Relu (t) },
    else_branch = no_ () => (float[] y2) { y2 = Mystery (f) }>
  result = Sigmoid (r)
}""",
    "if: inside of if, one name in both branches": """
  result = If (positive) <
    then_branch = yes_ () => (float[] y1) {
      big = Greater (mean, half)
      y1 = If (big) <
        then_branch = deep_ () => (float[] y3) { t = Add (f, mean) y3 = Mul (t, f) },
        else_branch = deeper_ () => (float[] y4) { y4 = Add (f, half) }>
    },
    else_branch = no_ () => (float[] y2) { t = Sub (f, mean) y2 = Mul (t, t) }>
}""",
    "loop: a state, captured weights, a fixed number of iterations": """
  result, stack = Loop (three, yes, f) <
    body = step (int64 i, bool go, float[] state) => (bool go_on, float[] next, float[] out) {
      go_on = Identity (go)
      t = Conv <pads = [1, 1, 1, 1]> (state, v)
      next = Relu (t)
      out = ReduceMean <keepdims = 0> (next)
    }>
}""",
    "loop: until the state is small, results are stacked": """
  last_, result = Loop (, yes, f) <
    body = step (int64 i, bool go, float[] state) => (bool go_on, float[] next, float[] out) {
      next = Mul (state, half)
      high = ReduceMax <keepdims = 0> (next)
      go_on = Greater (high, half)
      out = ReduceMean <axes = [2, 3]> (next)
    }>
}""",
    "loop: as often as data say, also never, with an if inside": """
  high = ReduceMax <keepdims = 0> (x)
  high_ = Floor (high)
  trips_ = Cast <to = 7> (high_)
  trips = Max (trips_, zero)
  result = Loop (trips, , f) <
    body = step (int64 i, bool go, float[] state) => (bool go_on, float[] next) {
      go_on = Identity (go)
      low = Less (i, three)
      next = If (low) <
        then_branch = yes_ () => (float[] y1) { y1 = Add (state, f) },
        else_branch = no_ () => (float[] y2) { y2 = Sub (state, half) }>
    }>
}""",
    "scan: rows with a state, from the end": """
  start = ReduceMean <axes = [3], keepdims = 0> (f)
  start_ = ReduceMean <axes = [2], keepdims = 0> (start)
  end_, result = Scan (start_, f) <num_scan_inputs = 1, scan_input_axes = [3], scan_input_directions = [1],
      scan_output_axes = [1], scan_output_directions = [1],
    body = step (float[1, 4] state, float[1, 4, 8] column) => (float[1, 4] next, float[1, 4] out) {
      m = ReduceMax <axes = [2], keepdims = 0> (column)
      s = Mul (state, half)
      next = Add (s, m)
      out = Tanh (next)
    }>
}""",
}


def network(nodes):
    model = onnx.parser.parse_model(HEAD + nodes)
    random = np.random.default_rng(7)
    for info in model.graph.value_info:                   # declared without numbers: weights
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        values = (random.normal(size=shape) * 0.3).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, info.name))
    del model.graph.value_info[:]
    any_shape(model.graph)
    return model


def any_shape(graph):
    """float[] stands for a tensor of any shape here, in the bodies too."""
    for info in (*graph.input, *graph.output):
        kind = info.type.tensor_type
        if kind.elem_type == onnx.TensorProto.FLOAT and not kind.shape.dim:
            kind.ClearField("shape")
    for node in graph.node:
        for attribute in node.attribute:
            any_shape(attribute.g)


def decibel(exact, value):
    if exact.shape != value.shape:
        return -1.0
    error = float(np.sum((exact.astype(np.float64) - value) ** 2))
    return 200.0 if error == 0 else 10 * np.log10(float(np.sum(exact.astype(np.float64) ** 2)) / error)


def call(*words):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"exit {run.returncode}: {run.stderr.strip()[:400]}")
    return run.stdout


def our_run(program, model, sample, folder):
    call(program, "run", model, sample, "-o", folder / "out", "--quiet")
    return np.load(folder / "out" / "result.npy")


def ort_run(model, sample):
    return session(model).run(None, {"x": np.load(sample)})[0]


def check(program, nodes, folder):
    """Texts of what is wrong."""
    model = network(nodes)
    path = folder / "model.onnx"
    onnx.save(model, path)
    (folder / "calib").mkdir()
    random = np.random.default_rng(3)
    samples = []
    for i in range(16):
        samples.append(folder / "calib" / f"{i:02}.npy")
        np.save(samples[-1], (random.normal(size=(1, 3, 8, 8)) + (i % 4 - 1.5) / 2).astype(np.float32))
    judge = path
    if "Mystery" in nodes:                                # no runtime knows it: the branch that never runs goes
        judge = folder / "known.onnx"
        onnx.save(network(nodes.replace("Mystery", "Neg")), judge)
    exact = [ort_run(judge, sample) for sample in samples]
    for sample, expected in zip(samples, exact):
        if (found := decibel(expected, our_run(program, path, sample, folder))) < 100:
            yield f"FP32: {found:.1f} dB on {sample.name}"
    for form in ("qdq", "int8"):
        for method in ("mse", "auto"):
            file = folder / f"{form}.{method}.onnx"
            call(program, path, "--calib", folder / "calib", "-o", file, "--format", form, "--method", method, "--quiet")
            onnx.checker.check_model(str(file), full_check=True)
            kinds = [node.op_type for node in onnx.load(file).graph.node]
            if "QLinearConv" not in kinds and "DequantizeLinear" not in kinds:
                yield f"{form}, {method}: nothing is quantized"
            for sample, expected in zip(samples[:8], exact):
                theirs, ours = ort_run(file, sample), our_run(program, file, sample, folder)
                if decibel(theirs, ours) < 30:
                    yield f"{form}, {method}: the engines differ, {decibel(theirs, ours):.1f} dB on {sample.name}"
                if decibel(expected, theirs) < 20 and expected.shape == theirs.shape:
                    yield f"{form}, {method}: {decibel(expected, theirs):.1f} dB from FP32 on {sample.name}"


def main():
    program = Path(sys.argv[1]).resolve()
    failed = 0
    for name, nodes in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                wrong = list(check(program, nodes, Path(folder)))
            except Exception as error:                    # told with the network's name
                wrong = [" ".join(str(error).split())[:400]]
        for text in wrong:
            print(f"FAIL {name}: {text}")
        failed += bool(wrong)
    print(f"{len(NETWORKS)} networks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
