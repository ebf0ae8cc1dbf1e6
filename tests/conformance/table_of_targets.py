#!/usr/bin/env python3
"""A table of one model in every mode for every target, run in ONNX Runtime, and in OpenVINO for its target. By hand.

    table_of_targets.py QUANTIZE MODEL CALIB EVAL.npz [--targets A,B] [--only TEXT]

CALIB is what --calib takes. EVAL.npz holds samples of the one input under its name, one per row, and may hold the class of each as
`labels`. A row: size, share of multiplications in integers, top-1 where there are labels, samples with the same largest score as FP32 along
the last axis, and SQNR of the outputs. Files that differ in their names alone are run once.
"""
import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from models import session, sqnr, targets

VARIANTS = {
    "static": ["--method", "mse"],
    "static int8": ["--method", "mse", "--format", "int8"],
    "static reference": ["--method", "mse", "--format", "reference"],
    "static 4 bits": ["--method", "mse", "--weight-bits", "4"],
    "static A16": ["--method", "mse", "--activation-bits", "16"],
    "dynamic": ["--mode", "dynamic"],
    "weight-only": ["--mode", "weight-only"],
    "weight-only 4 bits, blocks": ["--mode", "weight-only", "--weight-bits", "4", "--weight-block", "32"],
    "codebook 4 bits": ["--weight-codebook", "4"],
    "codebook 6 bits": ["--weight-codebook", "6"],
    "float16": ["--mode", "float", "--rest", "f16"],
}


class InOnnxRuntime:
    def __init__(self, path):
        self.session = session(path)
        self.input = self.session.get_inputs()[0]

    def __call__(self, x):
        return self.session.run(None, {self.input.name: x})

    def rows(self):
        return self.input.shape[0] if isinstance(self.input.shape[0], int) else 16


class InOpenVino(InOnnxRuntime):
    """Of the shapes of InOnnxRuntime."""

    def __init__(self, path):
        super().__init__(path)
        import openvino
        self.model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, x):
        found = self.model(x)
        return [found[i] for i in range(len(self.model.outputs))]


def outputs_of(runtime, samples):
    rows, parts = runtime.rows(), []
    for i in range(0, len(samples) // rows * rows, rows):
        parts.append(runtime(samples[i:i + rows]))
    return [np.concatenate(column).astype(np.float32) for column in zip(*parts)]


def answers(output):
    """The place of the largest along the last axis that has several."""
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output[..., 0]
    return output.reshape(len(output), -1, output.shape[-1]).argmax(-1)


def figures(reference, found, labels):
    agreement = 100 * np.mean((answers(reference[0]) == answers(found[0])).all(1))
    signal, noise = (np.concatenate([y.ravel() for y in ys]) for ys in (reference, found))
    top1 = "" if labels is None else f"{100 * np.mean(answers(found[0])[:, 0] == labels[:len(found[0])]):.2f}"
    return [top1, f"{agreement:.2f}", f"{sqnr(signal, noise):.1f}" if np.isfinite(noise).all() else "NaN"]


def digest(path):
    """Of all but names of the program's choices."""
    model = onnx.load(path)
    del model.metadata_props[:]
    model.graph.name = model.producer_name = model.producer_version = model.graph.doc_string = ""
    return hashlib.sha256(model.SerializeToString()).hexdigest()


def quantized(options, target, words, file):
    """The report, or why there is no file."""
    done = subprocess.run([options.program, options.model, "--calib", options.calib, "--target", target, *words, "-o", file, "--validate", "0",
                           "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f"exit {done.returncode}: " + re.sub(r"\s+", " ", json.loads(done.stdout)["error"]["message"] if done.stdout else done.stderr)
    return json.loads(done.stdout), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("program", "model", "calib", "eval"):
        parser.add_argument(name)
    parser.add_argument("--targets", default="")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with np.load(options.eval) as data:
        labels = data["labels"] if "labels" in data.files else None
        samples = next(data[name] for name in data.files if name != "labels")
    exact = outputs_of(InOnnxRuntime(options.model), samples)
    print(f"| {Path(options.model).stem}: mode | target | KiB | integers % | top-1 | agreement | dB |\n| --- | --- | --- | --- | --- | --- | --- |")
    own = figures(exact, exact, labels)
    print(f"| FP32 | | {Path(options.model).stat().st_size / 1024:.0f} | | {own[0]} | | |", flush=True)
    known, wrong = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "q.onnx"
        for variant, words in VARIANTS.items():
            if options.only not in variant:
                continue
            for target in options.targets.split(",") if options.targets else targets(options.program):
                report, why = quantized(options, target, words, file)
                if report is None:
                    print(f"| {variant} | {target} | {why} |", flush=True)
                    continue
                for runtime in [InOnnxRuntime] + ([InOpenVino] if target == "openvino" else []):
                    key = runtime.__name__, digest(file)
                    try:
                        if key not in known:
                            known[key] = figures(exact, outputs_of(runtime(file), samples), labels)
                        row = known[key]
                    except Exception as error:
                        row, wrong = ["", "", "FAIL " + " ".join(str(error).split())[:120]], wrong + 1
                    integers = 100 * report["int8_macs"] / report["macs"] if report["macs"] else 0
                    name = target + (" in OpenVINO" if runtime is InOpenVino else "")
                    print(f"| {variant} | {name} | {report['bytes_after'] / 1024:.0f} | {integers:.1f} | {' | '.join(row)} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
