#!/usr/bin/env python3
"""Quantizes models of data/ and small networks for OpenVINO and reads back the precision in which it computes every layer.

    layers_in_openvino.py QUANTIZE DATA_FOLDER             the models of data/ and networks of networks.py
    layers_in_openvino.py QUANTIZE MODEL SAMPLES [OPTION ...]   one model, quantized with these options

Each Conv, ConvTranspose, Gemm and MatMul that the plan has in integers must run on u8 or s8 there, and no other. Without the package
openvino, which is no requirement of the tests, nothing is checked, and the exit code is 77 (skipped).
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from models import call

LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
KINDS = {"Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul"}
NETWORKS = ["resnet", "mobilenet", "squeeze", "yolo", "unet", "inception", "densenet", "shufflenet"]
SAMPLES = 4


def compiled(path):
    import openvino
    core = openvino.Core()
    model = core.read_model(path)
    for value in model.inputs:
        if value.partial_shape.is_dynamic:
            model.reshape({value: [d.get_length() if d.is_static else 1 for d in value.partial_shape]})
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def precisions(path):
    """read_precisions in a process of its own: OpenVINO 2026.4 does not survive every file that ONNX Runtime runs. Errors: RuntimeError."""
    done = subprocess.run([sys.executable, __file__, "--precisions", str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"OpenVINO ends with {done.returncode}: {done.stderr[-200:]}")
    return json.loads(done.stdout)


def read_precisions(path):
    """{name of a node of the file: precision}, of the layers with weights or products."""
    found = {}
    for layer in compiled(path).get_runtime_model().get_ops():
        info = layer.get_rt_info()
        if str(info["layerType"].astype(str)) not in KINDS:
            continue
        for name in str(info["originalLayersNames"].astype(str)).split(","):
            found[name.split("/WithoutBiases")[0].split("/DequantizationMultiply")[0]] = str(info["runtimePrecision"].astype(str))
    return found


def check(program, name, model, samples, options=()):
    """Returns how many layers OpenVINO computes in another way than the plan says."""
    with tempfile.TemporaryDirectory() as folder:
        file, plan = Path(folder) / "model.onnx", Path(folder) / "plan.json"
        call(program, model, "--calib", samples, "--target", "openvino", "--method", "mse", "-o", file, "--plan", plan, "--quiet", *options)
        found = precisions(file)
        layers = [n for n in json.loads(plan.read_text())["nodes"] if n["op_type"] in LAYERS and n["name"] in found]
        wrong = [n["name"] for n in layers if (n["placement"] == "int8") != (found[n["name"]] in ("u8", "i8"))]
        integer = sum(n["placement"] == "int8" for n in layers)
    print(f"{'FAIL' if wrong or not layers else 'ok  '} {name}: {integer} of {len(layers)} layers in integers as planned; other than planned: {', '.join(wrong[:5]) or 'none'}")
    return len(wrong) + (not layers)


def small_networks(folder):
    """(name, path, samples) of networks of networks.py, with names for their layers."""
    import networks  # noqa: F401  (it lists them)
    from network_builder import smooth
    from network_list import NETWORKS as LISTED, build
    for word in NETWORKS:
        name = next((n for n in LISTED if word in n.lower().replace(" ", "")), None)
        if name is None:
            continue
        model, shapes = build(name)
        if len(shapes) != 1:
            continue
        for i, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{i}"
        place = Path(folder) / word
        (place / "calib").mkdir(parents=True)
        onnx.save(model, place / "model.onnx")
        random = np.random.default_rng(1)
        for i in range(SAMPLES):
            np.save(place / "calib" / f"{i}.npy", smooth(random, next(iter(shapes.values()))))
        yield name, place / "model.onnx", place / "calib"


def main():
    try:
        import openvino  # noqa: F401
    except ImportError:
        print("SKIPPED: the package openvino is not installed, so that nothing is checked")
        return 77
    if sys.argv[1] == "--precisions":
        print(json.dumps(read_precisions(sys.argv[2])))
        return 0
    program, place = sys.argv[1], Path(sys.argv[2])
    if place.is_file():
        return 1 if check(program, place.stem, place, sys.argv[3], sys.argv[4:]) else 0
    wrong = 0
    for model in ("lenet_fashion", "mobilenet_fashion"):
        wrong += check(program, model, place / f"{model}.onnx", place / "calib", ["--preprocess", "unit", "--samples", "16"])
    with tempfile.TemporaryDirectory() as folder:
        for name, model, samples in small_networks(folder):
            wrong += check(program, name, model, samples)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
