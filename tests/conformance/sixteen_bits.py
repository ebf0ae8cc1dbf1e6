#!/usr/bin/env python3
"""Activations of 16 bits, in ONNX Runtime and in our engine, and beside the files of ONNX Runtime's QNN configuration.

    sixteen_bits.py QUANTIZE                              a network of every operator, for each target that has 16 bits
    sixteen_bits.py QUANTIZE --compare MODEL SAMPLES      by hand: types, scales and zero points beside that configuration, for
                                                          a float model and a folder of .npy arrays; 8 and 16 bits

Each file must pass ONNX's checker and run in ONNX Runtime; both engines must be near to FP32 and nearer to each other.
"""
import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

from models import call, save, save_samples, session, sqnr

TARGETS = ("qnn", "tflite", "ort-x86", "ort-arm", "generic")
# Bits, and the least decibels of an output by FP32 and between the engines: ONNX Runtime rounds what a product of 16 bits reads
# (MatMulNBits), and single codes of 8 bits differ.
VARIANTS = ((["16"], 40, 45), (["16=_[a-f]$"], 25, 30), (["16", "8=_[c-h]$"], 25, 30))


def network(path):
    """Layers and the operators of all targets, each an output."""
    random = np.random.default_rng(3)
    constants = {"w1": random.normal(size=(8, 4, 3, 3)) / 6, "b1": random.normal(size=8), "w2": random.normal(size=(8, 8, 1, 1)) / 3,
                 "wd": random.normal(size=(8, 1, 3, 3)) / 3, "wt": random.normal(size=(8, 4, 2, 2)) / 3,
                 "wg": random.normal(size=(128, 10)) / 11, "bg": random.normal(size=10), "wm": random.normal(size=(8, 6)) / 3}
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    constants |= {"scales": np.float32([1, 1, 2, 2]), "rows": np.int64([1, 8, 64])}
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], name="conv_a", pads=[1] * 4), node("Relu", ["c1"], ["r1"], name="relu_a"),
        node("Conv", ["r1", "w2"], ["c2"], name="conv_b"), node("Clip", ["c2"], ["k2"], name="clip_b"),
        node("Conv", ["k2", "wd"], ["c3"], name="conv_c", group=8, pads=[1] * 4),
        node("Add", ["k2", "c3"], ["add"], name="add_d"), node("Mul", ["add", "r1"], ["mul"], name="mul_e"),
        node("Concat", ["r1", "c3"], ["cat"], name="concat_f", axis=1), node("AveragePool", ["add"], ["avg"], name="pool_g", kernel_shape=[2, 2]),
        node("GlobalAveragePool", ["cat"], ["mean"], name="mean_h"), node("Sigmoid", ["c3"], ["sig"], name="sigmoid_a"),
        node("Tanh", ["c2"], ["tanh"], name="tanh_b"), node("HardSwish", ["c3"], ["swish"], name="swish_c"),
        node("LeakyRelu", ["c2"], ["leaky"], name="leaky_d", alpha=0.1), node("Softmax", ["c3"], ["soft"], name="softmax_e", axis=-1),
        node("MaxPool", ["mul"], ["max"], name="max_f", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["max", "", "scales"], ["up"], name="resize_g", mode="nearest"),
        node("ConvTranspose", ["max", "wt"], ["ct"], name="transposed_h", strides=[2, 2]),
        node("Flatten", ["max"], ["flat"], name="flatten_a"), node("Gemm", ["flat", "wg", "bg"], ["gemm"], name="gemm_b"),
        node("Reshape", ["up", "rows"], ["shaped"], name="reshape_c"), node("Transpose", ["shaped"], ["turned"], name="transpose_d", perm=[0, 2, 1]),
        node("MatMul", ["turned", "wm"], ["matmul"], name="matmul_e"),
    ]
    outputs = ["avg", "mean", "sig", "tanh", "swish", "leaky", "soft", "ct", "gemm", "matmul"]
    save(path, nodes, {"x": [1, 4, 8, 8]}, outputs, constants, 17)
    return outputs


def judge(program, folder, target, bits, least, between):
    """Faults of one file."""
    file, options = folder / "q.onnx", [word for value in bits for word in ("--activation-bits", value)]
    call(program, folder / "model.onnx", "--calib", folder / "samples", "--method", "max", "--target", target, *options, "-o", file, "--quiet")
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    types = {t.data_type for t in model.graph.initializer}
    if not types & {onnx.TensorProto.UINT16, onnx.TensorProto.INT16}:
        yield f"{target} {bits}: no codes of 16 bits"
    sample = np.load(folder / "samples" / "00.npy")
    names = [output.name for output in model.graph.output]
    exact, theirs = (session(path).run(names, {"x": sample}) for path in (folder / "model.onnx", file))
    call(program, "run", file, folder / "samples" / "00.npy", "-o", folder / "out", "--quiet")
    for name, real, other in zip(names, exact, theirs):
        ours = np.load(folder / "out" / f"{name}.npy").reshape(real.shape)
        figures = sqnr(real, other), sqnr(real, ours), sqnr(other, ours)
        if min(figures[:2]) < least or figures[2] < between:
            yield f"{target} {bits} {name}: {figures[0]:.1f} dB in ONNX Runtime, {figures[1]:.1f} here, {figures[2]:.1f} between"


class Samples(CalibrationDataReader):
    def __init__(self, name, folder):
        self.rows = iter([{name: np.load(file)} for file in sorted(Path(folder).glob("*.npy"))])

    def get_next(self):
        return next(self.rows, None)


def scales_in(path):
    """{value: (type, scale, zero point)} of the activations that a QuantizeLinear rounds, the conversions left out."""
    graph = onnx.load(path).graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    found = {}
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in constants:
            continue
        before = makers.get(node.input[0])
        if before is not None and before.op_type == "DequantizeLinear":
            continue  # of other bits
        zero = constants[node.input[2]]
        found[node.input[0] if before is None else before.name] = (str(zero.dtype), float(constants[node.input[1]]), int(zero))
    return found


def compare(program, model, samples, folder):
    """Prints what differs from get_qnn_qdq_config, and returns how many values differ in type or in presence."""
    float_model, differing = onnx.load(model), 0
    name = float_model.graph.input[0].name
    for bits, activations in ((8, QuantType.QUInt8), (16, QuantType.QUInt16)):
        ours, theirs = folder / "ours.onnx", folder / "theirs.onnx"
        call(program, model, "--calib", samples, "--method", "max", "--bias-correction", "off", "--target", "qnn", "--activation-bits", bits, "-o", ours, "--quiet")
        quantize(str(model), str(theirs), get_qnn_qdq_config(str(model), Samples(name, samples), activation_type=activations, weight_type=QuantType.QInt8, per_channel=True))
        a, b = scales_in(ours), scales_in(theirs)
        both = sorted(a.keys() & b.keys())
        worst = max((abs(a[key][1] / b[key][1] - 1) for key in both), default=0)
        zeros = max((abs(a[key][2] - b[key][2]) for key in both if a[key][0] == b[key][0]), default=0)
        types = [key for key in both if a[key][0] != b[key][0]]
        print(f"A{bits}W8: {len(both)} values in both, types differ {types}, scales at most {worst:.2g} apart, zero points {zeros}")
        print(f"  ours alone {sorted(a.keys() - b.keys())}\n  theirs alone {sorted(b.keys() - a.keys())}")
        for key in both:
            if abs(a[key][1] / b[key][1] - 1) > 0.01:
                print(f"  {key}: ours {a[key]}, theirs {b[key]}")
        differing += len(types)
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--compare", nargs=2, metavar=("MODEL", "SAMPLES"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.compare:
            return 1 if compare(options.program, *options.compare, folder) else 0
        network(folder / "model.onnx")
        random = np.random.default_rng(4)
        save_samples(folder / "samples", [random.normal(0.3, 1, size=(1, 4, 8, 8)).astype(np.float32) for _ in range(3)])
        failures = [fault for target in TARGETS for variant in VARIANTS for fault in judge(options.program, folder, target, *variant)]
        failures += ["types differ from those of the QNN configuration"] * bool(compare(options.program, folder / "model.onnx", folder / "samples", folder))
    for fault in failures:
        print("FAIL", fault)
    print(f"{len(TARGETS) * len(VARIANTS)} files, {len(failures)} faults")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
