#!/usr/bin/env python3
"""Every --mode with every --format for every --target on one model: a file that ONNX Runtime runs, or one sentence.

    modes_and_formats.py QUANTIZE DATA_FOLDER [--verbose]

A file has what was asked for in it, and in ONNX Runtime the accuracy that the summary says, but for what other images change. A
refusal has exit code 2 and no file, and stands where the profile of the target says so, or where a format is of codes that a mode has not.
"""
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

from models import session, sqnr, targets

MODES, FORMATS = ("static", "dynamic", "weight-only", "float"), ("qdq", "int8", "reference")
FOUR_BITS = ("ort-x86", "openvino", "qnn", "generic")  # the targets that hold 4 bits in different ways
SAMPLES, HELD_BACK = 6, 4
LEAST = {"static": 12, "dynamic": 30, "weight-only": 35, "float": 100}  # decibels
BETWEEN = 8  # decibels between few images and others


def facts(path):
    """The operators of a file, and its domains."""
    nodes = onnx.load(path).graph.node
    return {n.op_type for n in nodes}, {n.domain for n in nodes}


def fault(mode, form, path, bits):
    """What the file has not although it was asked for; nothing: all is there."""
    operators, domains = facts(path)
    on_codes = any(o.startswith("QLinear") for o in operators)
    products = bool({"ConvInteger", "MatMulInteger"} & operators)
    wanted = {
        ("static", "qdq"): {"QuantizeLinear", "DequantizeLinear"} <= operators and not on_codes and not products,
        ("static", "int8"): on_codes,
        ("static", "reference"): products and not on_codes and domains <= {"", "ai.onnx"},
        ("weight-only", "qdq"): "DequantizeLinear" in operators and "QuantizeLinear" not in operators,
        ("float", "qdq"): not any("Quantize" in o for o in operators),
    }.get((mode, form), products and "DynamicQuantizeLinear" in operators)
    if bits == 4 and mode == "static" and form != "qdq" and "BitShift" not in operators:
        return "codes of 4 bits are not packed"
    return "" if wanted else f"it has {', '.join(sorted(operators))}"


class Matrix:
    def __init__(self, program, data, folder):
        self.program, self.data, self.file = program, data, Path(folder) / "q.onnx"
        self.model = data / "mobilenet_fashion.onnx"
        self.samples = [np.asarray(Image.open(f), np.float32)[None, None] / 255 for f in sorted((data / "eval").glob("*.png"))[:SAMPLES]]
        self.exact = self.run(self.model)
        self.profiles = {t: self.ask("targets", t)["target"] for t in targets(program)}
        self.bytes = {}

    def run(self, path):
        runtime = session(path)
        name = runtime.get_inputs()[0].name
        return np.concatenate([runtime.run(None, {name: x})[0] for x in self.samples])

    def ask(self, *words):
        return json.loads(subprocess.run([self.program, *map(str, words), "--json"], capture_output=True, text=True, check=True).stdout)

    def refused(self, mode, form, target):
        """Words of the sentence with which this is refused; nothing: it is not."""
        profile = self.profiles[target]
        if form != "qdq" and mode in ("weight-only", "float"):
            return "has no effect"
        if mode == "dynamic" and not profile["dynamic"]:
            return profile["instead_of_dynamic"]
        layers = {o.get("weights") for o in profile["operators"]}
        return "one scale for all weights" if mode == "weight-only" and "per channel" not in layers else ""

    def judge(self, mode, form, target, bits):
        """(what is wrong or nothing, what was found)"""
        self.file.unlink(missing_ok=True)
        words = [self.program, self.model, "--calib", self.data / "calib", "--samples", 8 + HELD_BACK, "--validate", HELD_BACK, "--preprocess", "unit",
                 "--mode", mode, "--format", form, "--target", target, "-o", self.file, "--json"]
        words += ["--method", "mse"] if mode == "static" else []
        words += ["--weight-bits", bits] if bits != 8 else []
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        says = self.refused(mode, form, target)
        if done.returncode != 0:
            message = json.loads(done.stdout)["error"]["message"]
            right = done.returncode == 2 and says and says in message and not self.file.exists()
            return ("" if right else "refused wrongly"), f"exit {done.returncode}: {message}"
        report = json.loads(done.stdout)
        found = sqnr(self.exact, self.run(self.file))
        text = f"{found:.1f} dB, {report['bytes_after']} bytes"
        if says:
            return "not refused", text
        if why := fault(mode, form, self.file, bits):
            return why, text
        self.bytes[mode, form, target, bits] = report["bytes_after"]
        if bits != 8:
            said = any("byte each" in w for w in report["warnings"])
            smaller = report["bytes_after"] < self.bytes[mode, form, target, 8] * (0.85 if form == "qdq" else 0.95)
            return ("" if smaller != said else f"smaller: {smaller}, warned: {said}"), text
        promised = report["quality"]["sqnr_db"] or 0  # of a method by name nothing is measured
        return ("" if found >= max(LEAST[mode], min(promised, 100) - BETWEEN) else f"said to be {promised:.1f} dB"), text


def main():
    program, data = sys.argv[1], Path(sys.argv[2])
    failures = count = 0
    with tempfile.TemporaryDirectory() as folder:
        matrix = Matrix(program, data, folder)
        cases = [(*case, 8) for case in itertools.product(MODES, FORMATS, matrix.profiles)]
        cases += [(mode, form, target, 4) for mode, form, target in itertools.product(("static", "dynamic"), FORMATS, FOUR_BITS)
                  if not matrix.refused(mode, form, target)]
        for case in cases:
            wrong, found = matrix.judge(*case)
            count, failures = count + 1, failures + bool(wrong)
            if wrong or "--verbose" in sys.argv:
                print(f"{'FAIL' if wrong else 'ok  '} --mode {case[0]} --format {case[1]} --target {case[2]} --weight-bits {case[3]}: {wrong} {found}")
    print(f"{count} combinations, {failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
