#!/usr/bin/env python3
"""The scales of presets against those of the systems that they are for, on the models of data/.

    presets.py QUANTIZE DATA_FOLDER torch         pytorch-fbgemm and pytorch-qnnpack, with PyTorch's observers (torch_observers.py)
    presets.py QUANTIZE DATA_FOLDER onnxruntime   tflite, with ONNX Runtime's quantizer: extremes, s8, symmetric weights per channel

All sides see the same float model and samples. With PyTorch 95 of 100 activations must have scales within 1 percent, all within 5 (its search
stops at the first step that is worse, and the bins of two histograms cut samples differently), and weights within 0.4 (PyTorch divides by
127.5, ONNX by 127). With ONNX Runtime all scales must be equal but for 1e-5, and zero points by one. Exit code 77: skipped, since no Python here
has torch.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from PIL import Image

from models import call, save_samples, session

MODELS = ("lenet_fashion", "mobilenet_fashion")
SKIPPED = 77
PYTHONS = (sys.executable, "python3", "/usr/bin/python3")


class Network:
    """One model: prepared as the program does, its samples, and every value of them."""

    def __init__(self, program, data, name, folder):
        self.program, self.folder = program, folder
        self.model, self.samples = folder / f"{name}.onnx", folder / f"{name}_samples"
        call(program, data / f"{name}.onnx", "--mode", "float", "-o", self.model)
        images = [np.asarray(Image.open(path).convert("L"), np.float32) / 255 for path in sorted((data / "calib").iterdir())[:16]]
        save_samples(self.samples, [image[None, None] for image in images])
        self.batch = np.stack(images)[:, None]
        graph = onnx.load(self.model).graph
        self.input = graph.input[0].name
        self.constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.layers = {node.name: node.input[1] for node in graph.node if node.op_type in ("Conv", "Gemm")}

    def activations(self):
        """{name: all its elements} of every f32 value."""
        model = onnx.load(self.model)
        names = [name for node in model.graph.node for name in node.output]
        known = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
        path = self.folder / "every.onnx"
        onnx.save(model, path)
        values = dict(zip(names, session(path).run(names, {self.input: self.batch})))
        return {self.input: self.batch} | {name: v for name, v in values.items() if v.dtype == np.float32}

    def preset(self, name):
        """The scale and zero point of each value that has its own, and the scales of each layer's weights, both by name."""
        output, plan = self.folder / f"{name}.qdq.onnx", self.folder / f"{name}.json"
        call(self.program, self.model, "--preset", name, "--calib", self.samples, "-o", output, "--plan", plan)
        planned = json.loads(plan.read_text())
        values = {v["name"]: (v["scale"][0], v["zero_point"][0]) for v in planned["values"] if v["shares_with"] == v["name"]}
        return values, {self.layers[n["name"]]: n["weights"]["scale"] for n in planned["nodes"] if "weights" in n}


def scales_in(path):
    """{quantized value or constant: (scales, zero points)} of a QDQ file."""
    graph = onnx.load(path).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] in constants:
            zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros(1)
            found.setdefault(node.input[0], (constants[node.input[1]].reshape(-1), np.asarray(zero, np.int64).reshape(-1)))
    return found


def weight_scales(path, name):
    """The scales of a layer's weights, whose codes have the name of the constant in theirs."""
    matching = [scales for key, (scales, _) in scales_in(path).items() if key.startswith(f"{name}_quantized")]
    if len(matching) != 1:
        raise RuntimeError(f"{path.name}: {len(matching)} codes of '{name}'")
    return matching[0]


def python_with_torch():
    for python in PYTHONS:
        try:
            find = "import importlib.util; print(importlib.util.find_spec('torch') is not None)"
            if subprocess.run([python, "-c", find], capture_output=True, text=True, check=False).stdout == "True\n":
                return python
        except FileNotFoundError:
            continue
    return None


def worst(errors, limit, label, share=1.0):
    """Prints the figures. True if that share of the errors is within the limit."""
    errors = np.sort(np.asarray(errors, np.float64))
    at = errors[max(0, int(np.ceil(share * len(errors))) - 1)]
    verdict = "ok" if at <= limit else "WRONG"
    print(f"{verdict:6} {label}: {len(errors)} scales, {100 * share:.0f} % within {100 * at:.4f} % (limit {100 * limit:g} %)")
    return verdict == "ok"


def against_torch(networks):
    python = python_with_torch()
    if python is None:
        print("SKIPPED: no Python here has torch (" + ", ".join(PYTHONS) + "); the PyTorch presets were not compared")
        return SKIPPED
    right = True
    for network in networks:
        arrays = {f"a:{name}": values.reshape(-1) for name, values in network.activations().items()}
        arrays |= {f"w:{w}": network.constants[w] for w in network.layers.values()}
        values = network.folder / "values.npz"
        np.savez(values, **arrays)
        script = Path(__file__).with_name("torch_observers.py")
        theirs = json.loads(subprocess.run([python, script, values], capture_output=True, text=True, check=True).stdout)
        for system in ("fbgemm", "qnnpack"):
            values, weights = network.preset(f"pytorch-{system}")
            label = f"{network.model.stem} {system}"
            errors = [abs(scale / theirs[name][system][0] - 1) for name, (scale, _) in values.items()]
            right &= worst(errors, 0.01, f"{label} activations", 0.95) & worst(errors, 0.05, f"{label} activations")
            errors = [abs(ours / other - 1) for w, scales in weights.items() for ours, other in zip(scales, theirs[w][system], strict=True)]
            right &= worst(errors, 0.004, f"{label} weights")
    return 0 if right else 1


class Samples(CalibrationDataReader):
    def __init__(self, network):
        self.feeds = iter([{network.input: sample[None]} for sample in network.batch])

    def get_next(self):
        return next(self.feeds, None)


def against_onnxruntime(networks):
    right = True
    for network in networks:
        theirs_file = network.folder / "theirs.onnx"
        quantize_static(network.model, theirs_file, Samples(network), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
        theirs = scales_in(theirs_file)
        values, weights = network.preset("tflite")
        pairs = [(value, theirs[name]) for name, value in values.items() if name in theirs]
        if len(pairs) < 4:
            raise RuntimeError(f"only {len(pairs)} values of {network.model.stem} have scales in both files")
        right &= worst([abs(ours / scale[0] - 1) for (ours, _), (scale, _) in pairs], 1e-5, f"{network.model.stem} tflite activations")
        zeros = max(abs(ours - int(zero[0])) for (_, ours), (_, zero) in pairs)
        right &= zeros <= 1
        print(f"{'ok' if zeros <= 1 else 'WRONG':6} {network.model.stem} tflite zero points differ by {zeros} at most")
        errors = [abs(ours / other - 1) for w, scales in weights.items() for ours, other in zip(scales, weight_scales(theirs_file, w), strict=True)]
        right &= worst(errors, 1e-5, f"{network.model.stem} tflite weights")
    return 0 if right else 1


def main():
    program, data, system = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        networks = [Network(program, data, name, Path(folder)) for name in MODELS]
        return {"torch": against_torch, "onnxruntime": against_onnxruntime}[system](networks)


if __name__ == "__main__":
    sys.exit(main())
