#!/usr/bin/env python3
"""Quantizes the models of data/ with every method, and as int8 file, and lets ONNX's checker and ONNX Runtime judge the files.

    qdq_in_onnxruntime.py QUANTIZE DATA_FOLDER

Each file must pass the checker, load at the highest optimization level, compute its convolutions, products and
residual additions in integer kernels, and answer like FP32. In int8 files a residual joins its convolution before the only
rounding, which ONNX Runtime computes in float: these convolutions and additions, and no others. Our own engine must answer
like ONNX Runtime on the same file. So must it on a network whose channels need a scale each, which is float there, and on
attention in integers, within one step.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from models import LEVELS, session

RESIDUALS = {"mobilenet_fashion"}  # those of MODELS that have any
FORMS = [("max", "qdq"), ("mean", "qdq"), ("entropy", "qdq"), ("percentile", "qdq"), ("mse", "qdq"), ("mse", "int8")]
MODELS = {"lenet_fashion": {"Conv", "Gemm", "MatMul"}, "mobilenet_fashion": {"Conv", "Gemm", "MatMul", "Add"}}
FLOAT_FORMS = {"FusedConv", "FusedGemm", "FusedMatMul"}
MIN_SAME_ANSWERS = 98.0  # percent; the weakest method loses 1.2


def answers(path, images):
    model = session(path)
    return model.run(None, {model.get_inputs()[0].name: images})[0].argmax(1)


def same(a, b):
    return 100 * np.mean(a == b)


def wide_channels(path, activation):
    """Convolution, activation, depthwise convolution, activation, convolution; channels that differ by 2^12."""
    random = np.random.default_rng(1)
    channels, size = 24, 12
    scale = (2.0 ** (np.arange(channels) % 13 - 6)).astype(np.float32).reshape(-1, 1, 1, 1)
    weights = {"w0": random.normal(size=(channels, 3, 1, 1)) * scale, "w1": random.normal(size=(channels, 1, 3, 3)) / scale,
               "w2": random.normal(size=(5, channels, 1, 1))}
    nodes, value = [], "x"
    for i, attributes in enumerate(({}, {"group": channels, "pads": [1, 1, 1, 1]}, {})):
        nodes.append(helper.make_node("Conv", [value, f"w{i}"], [f"y{i}"], **attributes))
        value = f"y{i}"
        if i == 2:
            break
        if activation == "SiLU":
            nodes.append(helper.make_node("Sigmoid", [value], [f"gate{i}"]))
            nodes.append(helper.make_node("Mul", [value, f"gate{i}"], [f"z{i}"]))
        else:
            nodes.append(helper.make_node(activation, [value], [f"z{i}"]))
        value = f"z{i}"
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, c, size, size]) for name, c in (("x", 3), ("y2", 5))]
    graph = helper.make_graph(nodes, "wide", info[:1], info[1:],
                              [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return random.normal(size=(8, 1, 3, size, size)).astype(np.float32)


def check_scales_per_channel(program, folder):
    """Returns how many networks failed."""
    failures = 0
    for activation in ("Relu", "SiLU", "HardSwish"):
        model, int8, calib = folder / "wide.onnx", folder / "wide.int8.onnx", folder / f"calib_{activation}"
        images = wide_channels(model, activation)
        calib.mkdir()
        for i, image in enumerate(images):
            np.save(calib / f"{i}.npy", image)
        subprocess.run([program, model, "--calib", calib, "--method", "max", "--format", "int8", "-o", int8, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        onnx.checker.check_model(onnx.load(int8), full_check=True)
        scales = [i for i in onnx.load(int8).graph.initializer if i.name.endswith("_scale") and "w" not in i.name and i.dims]
        theirs, exact = (session(m).run(None, {"x": images[0]})[0] for m in (int8, model))
        subprocess.run([program, "run", int8, calib / "0.npy", "-o", folder / "out", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        ours = np.load(folder / "out" / "y2.npy").reshape(exact.shape)
        spread = exact.max() - exact.min()
        apart, wrong = np.abs(ours - theirs).max() / spread, np.sqrt(np.mean((ours - exact) ** 2)) / exact.std()
        bad = apart > 0.02 or wrong > 0.05 or not scales
        failures += bool(bad)
        print(f"{'FAIL' if bad else 'ok  '} scales per channel, {activation}: {apart:.4f} of the range from ONNX Runtime, "
              f"{wrong:.3f} of the deviation from FP32, {len(scales)} such values")
    return failures


def attention(path, key_zero):
    """Two products of activations and a softmax between them, everything rounded to u8."""
    nodes, constants = [], []

    def rounded(value, scale, zero_point):
        constants.append(numpy_helper.from_array(np.float32(scale), f"{value}_s"))
        constants.append(numpy_helper.from_array(np.uint8(zero_point), f"{value}_z"))
        nodes.append(helper.make_node("QuantizeLinear", [value, f"{value}_s", f"{value}_z"], [f"{value}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{value}_q", f"{value}_s", f"{value}_z"], [f"{value}_r"]))
        return f"{value}_r"

    shapes = {"query": [1, 3, 50, 32], "key": [1, 3, 32, 50], "value": [1, 3, 50, 32], "y_r": [1, 3, 50, 32]}
    operands = rounded("query", 0.02, 131), rounded("key", 0.02, key_zero)
    nodes.append(helper.make_node("MatMul", operands, ["score"]))
    nodes.append(helper.make_node("Softmax", [rounded("score", 0.1, 120)], ["share"], axis=-1))
    nodes.append(helper.make_node("MatMul", [rounded("share", 1 / 255, 0), rounded("value", 0.02, key_zero)], ["y"]))
    rounded("y", 0.01, 128)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "attention", info[:3], info[3:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    random = np.random.default_rng(key_zero)
    return {name: random.normal(size=shapes[name]).astype(np.float32) for name in ("query", "key", "value")}


def check_attention(program, folder):
    """Returns how many networks failed. The truth is what ONNX Runtime computes operator by operator: its own softmax of codes
    truncates, which makes a quarter of the results differ."""
    failures = 0
    for key_zero in (128, 100, 0):
        model = folder / "attention.onnx"
        inputs = attention(model, key_zero)
        for name, values in inputs.items():
            np.save(folder / f"{name}.npy", values)
        theirs = session(model, LEVELS.ORT_DISABLE_ALL).run(None, inputs)[0]
        pairs = [f"{name}={folder / name}.npy" for name in inputs]
        subprocess.run([program, "run", model, *pairs, "-o", folder / "out", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        steps = np.rint(np.abs(np.load(folder / "out" / "y_r.npy").reshape(theirs.shape) - theirs) / 0.01)
        bad = steps.max() > 1 or np.mean(steps > 0) > 0.02
        failures += bool(bad)
        print(f"{'FAIL' if bad else 'ok  '} attention, zero point {key_zero}: {100 * np.mean(steps > 0):.2f} % of the codes differ "
              f"from ONNX Runtime's, by {steps.max():.0f} at most")
    return failures


def joined_residuals(model):
    """The convolutions whose result nothing reads but an addition, and those additions."""
    graph, readers = onnx.load(model).graph, {}
    for node in graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    names = set()
    for node in graph.node:
        behind = readers.get(node.output[0], [])
        if node.op_type == "Conv" and [reader.op_type for reader in behind] == ["Add"]:
            names |= {node.name, behind[0].name}
    return names


def main():
    program, data, failures = sys.argv[1], Path(sys.argv[2]), 0
    files = sorted((data / "eval").glob("*.png"))[::4]
    images = np.stack([np.asarray(Image.open(f), np.float32)[None] / 255 for f in files])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "images.npy", images)
        for name, must_be_integer in MODELS.items():
            reference = answers(data / f"{name}.onnx", images)
            for method, form in FORMS:
                qdq, optimized = folder / f"{name}.{method}.{form}.onnx", folder / "optimized.onnx"
                subprocess.run([program, data / f"{name}.onnx", "--calib", data / "calib", "--method", method, "--format", form,
                                "--preprocess", "unit", "-o", qdq, "--quiet"], check=True, stdout=subprocess.DEVNULL)
                onnx.checker.check_model(onnx.load(qdq), full_check=True)
                session(qdq, LEVELS.ORT_ENABLE_EXTENDED, optimized)
                joined = joined_residuals(qdq)
                floats = {n.op_type for n in onnx.load(optimized).graph.node if n.name not in joined}
                floats &= must_be_integer | FLOAT_FORMS
                theirs = answers(qdq, images)
                subprocess.run([program, "run", qdq, folder / "images.npy", "-o", folder / "out", "--quiet"], check=True,
                               stdout=subprocess.DEVNULL)
                ours = np.load(folder / "out" / "logits.npy").argmax(1)
                bad = floats or bool(joined) != (form == "int8" and name in RESIDUALS) or same(theirs, reference) < MIN_SAME_ANSWERS or same(ours, theirs) < 99.5
                failures += bool(bad)
                print(f"{'FAIL' if bad else 'ok  '} {name} {method} {form}: as FP32 {same(theirs, reference):.1f} %, our engine as "
                      f"ONNX Runtime {same(ours, theirs):.1f} %, in float: {', '.join(sorted(floats)) or 'none'}, "
                      f"residuals that join: {len(joined) // 2}")
        failures += check_scales_per_channel(program, folder) + check_attention(program, folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
