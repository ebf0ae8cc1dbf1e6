#!/usr/bin/env python3
"""Quantizes single layers and blocks whose plan or arithmetic is not the usual one, and compares ONNX Runtime and our engine with FP32.

    layers_in_onnxruntime.py QUANTIZE

Linear layers on channels that come last, in whole blocks: the correction of the bias must not cost anything. Layers whose sums
leave s32: they must stay float. PRelu and other element-wise operators with constants of every shape between convolutions.
Every network is quantized in both formats; the two runtimes must be close to FP32 and to each other.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models import session

SAMPLES = 8
MOST_LOST = 1.0  # dB by the correction: chance


class Network:
    """Nodes and constants of a network from x to y, and how close to FP32 it must stay in dB."""

    def __init__(self, shape, least, low=-2.0):
        self.random, self.shape, self.least, self.low = np.random.default_rng(1), shape, least, low
        self.nodes, self.constants = [], {}

    def normal(self, *shape, scale=1.0, offset=0.0):
        return self.constant((self.random.normal(size=shape) * scale + offset).astype(np.float32))

    def constant(self, values):
        name = f"c{len(self.constants)}"
        self.constants[name] = values
        return name

    def node(self, op_type, *inputs, **attributes):
        name = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def save(self, path, output):
        nodes = [*self.nodes, helper.make_node("Identity", [output], ["y"])]
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape), helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        graph = helper.make_graph(nodes, "layers", info[:1], info[1:], [numpy_helper.from_array(v, k) for k, v in self.constants.items()])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)

    def samples(self):
        mean = self.random.uniform(-1, 1, self.shape) if self.low < 0 else 0
        return [(self.random.uniform(self.low, 1, self.shape) + mean).astype(np.float32) for _ in range(SAMPLES)]


def linear(network, x, inputs, outputs, bias_shape):
    product = network.node("MatMul", x, network.normal(inputs, outputs, scale=inputs**-0.5))
    return network.node("Add", product, network.normal(*bias_shape, scale=2))


def convnext():
    network = Network([1, 8, 8, 8], 28)  # as many rows and columns as channels
    stem = network.node("Conv", "x", network.normal(8, 8, 1, 1, scale=0.4), network.normal(8))
    deep = network.node("Conv", stem, network.normal(8, 1, 3, 3, scale=0.4), network.normal(8), group=8, pads=[1] * 4)
    last = network.node("Transpose", deep, perm=[0, 2, 3, 1])
    normal = network.node("LayerNormalization", last, network.normal(8, offset=1, scale=0.2), network.normal(8))
    wide = network.node("Gelu", linear(network, normal, 8, 32, (1, 1, 1, 32)))
    image = network.node("Transpose", linear(network, wide, 32, 8, (8,)), perm=[0, 3, 1, 2])
    return network, network.node("Add", image, stem)


def windows():
    network = Network([1, 12, 12, 12], 28)
    split = network.node("Reshape", "x", network.constant(np.array([3, 4, 3, 4, 12])))
    inside = network.node("Transpose", split, perm=[0, 2, 1, 3, 4])
    wide = network.node("Gelu", linear(network, inside, 12, 24, (24,)))
    image = network.node("Reshape", linear(network, wide, 24, 12, ()), network.constant(np.array([1, 12, 12, 12])))
    return network, network.node("Add", "x", image)


def many_inputs(op_type):
    inputs = 90000
    is_image = op_type in ("Conv", "ConvTranspose")
    network = Network([1, inputs, 1, 1] if is_image else [1, inputs], 40, low=0.0)
    weights = np.full((inputs, 3), 1 / inputs, np.float32) * np.array([1, 2, 3], np.float32)
    if op_type == "Conv":
        weights = np.ascontiguousarray(weights.T)
    weights = weights.reshape(*weights.shape, 1, 1) if is_image else weights
    return network, network.node(op_type, "x", network.constant(weights))


def element_wise(op_type, shape):
    network = Network([1, 3, 8, 8], 25)
    conv = network.node("Conv", "x", network.normal(8, 3, 3, 3, scale=0.3), network.normal(8, scale=0.2))
    constant = network.constant(network.random.uniform(0.1, 0.5, shape).astype(np.float32))
    function = network.node(op_type, conv, constant)
    return network, network.node("Conv", function, network.normal(4, 8, 1, 1, scale=0.4))


def networks():
    yield "ConvNeXt block", convnext()
    yield "windows of five axes", windows()
    for op_type in ("MatMul", "Gemm", "Conv", "ConvTranspose"):
        yield f"{op_type} of 90,000 inputs", many_inputs(op_type)
    for op_type in ("PRelu", "Mul", "Max"):
        for shape in ((), (1,), (1, 1, 1), (1, 1, 1, 1), (8, 1, 1)):
            yield f"{op_type} by {list(shape)}", element_wise(op_type, shape)


def decibel(reference, candidate):
    if reference.shape != candidate.shape or not np.isfinite(candidate).all():
        return -np.inf
    noise = np.sum((reference - candidate) ** 2)
    return 10 * np.log10(np.sum(reference**2) / noise) if noise > 0 else 200.0


def in_runtime(model, samples):
    runtime = session(model)
    return np.concatenate([runtime.run(None, {"x": x})[0] for x in samples])


def quantized(program, folder, samples, form, correction):
    """What ONNX Runtime and our engine compute with the written file."""
    written = folder / f"{form}.onnx"
    subprocess.run([program, folder / "model.onnx", "--calib", folder / "calib", "--method", "mse", "--format", form,
                    "--bias-correction", correction, "-o", written, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    theirs = in_runtime(written, samples)
    subprocess.run([program, "run", written, folder / "calib", "-o", folder / "out", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return theirs, np.load(folder / "out" / "y.npy").reshape(theirs.shape)


def check(program, name, network, output):
    """Returns whether the network failed."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        network.save(folder / "model.onnx", output)
        samples = network.samples()
        (folder / "calib").mkdir()
        for i, sample in enumerate(samples):
            np.save(folder / "calib" / f"{i}.npy", sample)
        exact, bad, seen = in_runtime(folder / "model.onnx", samples), False, []
        for form in ("qdq", "int8"):
            plain = decibel(exact, quantized(program, folder, samples, form, "off")[0])
            theirs, ours = quantized(program, folder, samples, form, "on")
            found = [decibel(exact, theirs), decibel(exact, ours), decibel(theirs, ours)]
            bad |= min(found) < network.least or found[0] < plain - MOST_LOST
            seen.append(f"{form} {found[0]:.1f} dB (uncorrected {plain:.1f}), ours {found[1]:.1f}")
        print(f"{'FAIL' if bad else 'ok  '} {name}: {'; '.join(seen)}")
        return bad


def main():
    return 1 if sum(check(sys.argv[1], name, *network) for name, network in networks()) else 0


if __name__ == "__main__":
    sys.exit(main())
