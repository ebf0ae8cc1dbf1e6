#!/usr/bin/env python3
"""Quantizes the models of data/ with every method, and as int8 file, and lets ONNX's checker and ONNX Runtime judge the files.

    qdq_in_onnxruntime.py QUANTIZE DATA_FOLDER

Each file must pass the checker, load at the highest optimization level, compute its convolutions, products and
residual additions in integer kernels, and answer like FP32. Our own engine must answer like ONNX Runtime on the same
file.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from PIL import Image

FORMS = [("max", "qdq"), ("mean", "qdq"), ("entropy", "qdq"), ("percentile", "qdq"), ("mse", "qdq"), ("mse", "int8")]
MODELS = {"lenet_fashion": {"Conv", "Gemm", "MatMul"}, "mobilenet_fashion": {"Conv", "Gemm", "MatMul", "Add"}}
FLOAT_FORMS = {"FusedConv", "FusedGemm", "FusedMatMul"}
MIN_SAME_ANSWERS = 98.0  # percent; the weakest method loses 1.2


def session(path, optimized=None):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    if optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(path, images):
    model = session(path)
    return model.run(None, {model.get_inputs()[0].name: images})[0].argmax(1)


def same(a, b):
    return 100 * np.mean(a == b)


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
                session(qdq, optimized)
                floats = {n.op_type for n in onnx.load(optimized).graph.node} & (must_be_integer | FLOAT_FORMS)
                theirs = answers(qdq, images)
                subprocess.run([program, "run", qdq, folder / "images.npy", "-o", folder / "out", "--quiet"], check=True,
                               stdout=subprocess.DEVNULL)
                ours = np.load(folder / "out" / "logits.npy").argmax(1)
                bad = floats or same(theirs, reference) < MIN_SAME_ANSWERS or same(ours, theirs) < 99.5
                failures += bool(bad)
                print(f"{'FAIL' if bad else 'ok  '} {name} {method} {form}: as FP32 {same(theirs, reference):.1f} %, our engine as "
                      f"ONNX Runtime {same(ours, theirs):.1f} %, in float: {', '.join(sorted(floats)) or 'none'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
