#!/usr/bin/env python3
"""Our files for TensorRT beside those of nvidia-modelopt, for the same float model and samples. By hand.

    tensorrt_files.py QUANTIZE MODEL.onnx SAMPLES.npz PYTHON [--method max|entropy] [--count 64]

SAMPLES.npz holds samples of the one input under its name, one per row. PYTHON has nvidia-modelopt, onnx and onnxruntime (no GPU is needed).
Compared are, node by node, which inputs come from DequantizeLinear, and the scales of activations and weights there.
"""
import argparse
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from models import call, save_samples

OURS = {"max": ("--method", "max"), "entropy": ("--preset", "tensorrt-entropy")}
THEIRS = """
import sys
import numpy as np
import modelopt.onnx.quantization as quantization
model, samples, name, method, output = sys.argv[1:]
quantization.quantize(onnx_path=model, quantize_mode="int8", calibration_data={name: np.load(samples)}, calibration_method=method,
                      calibration_eps=["cpu"], high_precision_dtype="fp32", log_level="ERROR", output_path=output)
"""


def constants_of(graph):
    found = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return found | {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"}


def dequantized_inputs(path):
    """{(node, position): (operator, is a constant, scales)} of every input behind DequantizeLinear, by the names of nodes."""
    graph = onnx.load(path).graph
    constants, producers = constants_of(graph), {name: node for node in graph.node for name in node.output}
    found = {}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for position, name in enumerate(node.input):
            dequantize = producers.get(name)
            if dequantize is None or dequantize.op_type != "DequantizeLinear":
                continue
            source = dequantize.input[0]
            if source in producers:
                source = producers[source].input[0]
            found[node.name, position] = (node.op_type, source in constants or dequantize.input[0] in constants, constants[dequantize.input[1]].reshape(-1))
    return found


def text_of(places):
    return ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(places).items())) or "none"


def compare(ours, theirs):
    for title, one, other in (("ours alone", ours, theirs), ("theirs alone", theirs, ours)):
        alone = [key for key in one if key not in other]
        print(f"{title}: {text_of(f'input {position} of {one[node, position][0]}' for node, position in alone)}")
    both = [key for key in ours if key in theirs]
    for what, constant in (("activations", False), ("weights", True)):
        apart = [np.max(np.abs(ours[key][2] / theirs[key][2] - 1)) if ours[key][2].size == theirs[key][2].size else np.inf
                 for key in both if ours[key][1] == constant]
        if apart:
            near = sum(a <= 0.01 for a in apart)
            print(f"{what} of both: {len(apart)}, scales within 1 %: {near}, median difference {np.median(apart):.2%}, largest {max(apart):.2%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("samples")
    parser.add_argument("python")
    parser.add_argument("--method", choices=("max", "entropy"), default="max")
    parser.add_argument("--count", type=int, default=64)
    options = parser.parse_args()
    with np.load(options.samples) as archive, tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        name = archive.files[0]
        samples = archive[name][:options.count]
        np.save(folder / "batch.npy", samples)
        save_samples(folder / "samples", [row[None] for row in samples])
        # Both quantize the model as the program prepares it, so that nodes have the same names.
        call(options.program, options.model, "--mode", "float", "-o", folder / "float.onnx")
        call(options.program, folder / "float.onnx", "--calib", folder / "samples", "--target", "tensorrt", *OURS[options.method], "-o", folder / "ours.onnx")
        subprocess.run([options.python, "-P", "-c", THEIRS, folder / "float.onnx", folder / "batch.npy", name, options.method, folder / "theirs.onnx"],
                       check=True, stdout=subprocess.DEVNULL)
        compare(dequantized_inputs(folder / "ours.onnx"), dequantized_inputs(folder / "theirs.onnx"))


if __name__ == "__main__":
    main()
