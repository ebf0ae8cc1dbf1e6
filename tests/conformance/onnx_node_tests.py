#!/usr/bin/env python3
"""Runs ONNX's own operator tests in our engine.

    onnx_node_tests.py RUNNER [--list]        RUNNER: the program node_test_runner; --list: every case

The cases come from the `onnx` package: those its node tests generate, and the recorded single-operator models it ships.
A case of an opset outside 7..21 is retargeted to the nearest opset inside, if ONNX's checker accepts the model there.
Every case must pass at ONNX's own tolerance or fall under one of REASONS; the number that passed must not drop below
MINIMUM_PASSED, so that nothing gets lost unnoticed.
"""
import argparse
import collections
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

MINIMUM_PASSED = 1072
MIN_OPSET, MAX_OPSET, MAX_IR = 7, 21, 10
RECORDED = ["pytorch-operator", "pytorch-converted", "simple"]

# Why a case may be left out, by what the engine (or the retargeting here) says.
REASONS = {
    r"operator \S+ is not supported": "operator not offered",
    r"has type (string|f16|bf16|undefined)|type (string|f16|bf16|undefined)|element type|string|data type": "element type",
    r"sequence|optional|subgraph|sparse|function": "sequences, optionals, subgraphs",
    r"needs an opset": "only exists outside opset 7 to 21",
    r"depends on data": "output shape depends on data",
    r"training mode": "training",
    r"quantization in blocks": "quantization in blocks",
    r"output .Indices. of MaxPool": "indices of MaxPool",
}


# Cases whose expectation we do not share: name -> why.
DEVIATIONS = dict.fromkeys(
    ["test_resize_downsample_scales_linear_align_corners", "test_resize_downsample_scales_cubic_align_corners"],
    "aligns the corners of a fractional output length; ONNX Runtime, PyTorch and we take the length that comes out")


@dataclass
class Case:
    name: str
    model: onnx.ModelProto
    inputs: list
    outputs: list
    rtol: float
    atol: float


def generated_cases():
    from onnx.backend.test.case.node import collect_testcases
    for case in collect_testcases(None):
        inputs, outputs = case.data_sets[0]
        yield Case(case.name, case.model, list(inputs), list(outputs), case.rtol, case.atol)


def recorded_cases():
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for folder in sorted(path for kind in RECORDED for path in (data / kind).iterdir()):
        first = folder / "test_data_set_0"
        count = lambda stem: len(list(first.glob(f"{stem}_*.pb")))
        if not count("output"):
            continue
        read = lambda stem: [onnx.load_tensor(first / f"{stem}_{i}.pb") for i in range(count(stem))]
        try:
            yield Case(folder.name, onnx.load(folder / "model.onnx"), read("input"), read("output"), 1e-3, 1e-7)
        except Exception:                                  # sequences and optionals are no TensorProto
            continue


def since(node, opset):
    """The opset that defined the operator as it is at `opset`."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, node.domain).since_version
    except onnx.defs.SchemaError:
        return opset


def retarget(model):
    """The model at an opset we read, or the reason why that cannot be."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            return None, f"operator {entry.domain}.{model.graph.node[0].op_type} is not supported"
        wanted = min(max(entry.version, MIN_OPSET), MAX_OPSET)
        if wanted != entry.version:
            if any(since(node, wanted) > entry.version for node in model.graph.node if wanted > entry.version):
                return None, "needs an opset outside the range"
            entry.version = wanted
            model.ir_version = min(model.ir_version, MAX_IR)
            try:
                onnx.checker.check_model(model)
            except onnx.checker.ValidationError:
                return None, "needs an opset outside the range"
    model.ir_version = min(model.ir_version, MAX_IR)
    return model, None


def to_proto(value):
    if isinstance(value, onnx.TensorProto):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return numpy_helper.from_array(np.asarray(value))
    raise TypeError("sequence or optional")


def read_inputs(case):
    """The inputs that some node reads: our reader leaves out the others."""
    read = {name for node in case.model.graph.node for name in node.input}
    return [value for value, info in zip(case.inputs, case.model.graph.input) if info.name in read]


def write_case(case, folder):
    """Writes one case; returns the reason if it cannot be one of ours."""
    model, reason = retarget(case.model)
    if reason:
        return reason
    try:
        tensors = {f"{stem}_{i}": to_proto(value) for stem, values in (("input", read_inputs(case)), ("output", case.outputs))
                   for i, value in enumerate(values)}
    except TypeError as error:
        return str(error)
    target = folder / case.name
    target.mkdir()
    onnx.save(model, target / "model.onnx")
    for name, tensor in tensors.items():
        (target / f"{name}.pb").write_bytes(tensor.SerializeToString())
    with open(folder / "cases.txt", "a") as cases:
        cases.write(f"{case.name} {case.rtol} {case.atol}\n")
    return None


def classify(message):
    if message in DEVIATIONS.values():
        return message
    for pattern, reason in REASONS.items():
        if re.search(pattern, message):
            return reason
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    results = {}                                           # name -> (status, message)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with contextlib.redirect_stdout(io.StringIO()):
            cases = [*generated_cases(), *recorded_cases()]
        for case in cases:
            if reason := DEVIATIONS.get(case.name) or write_case(case, folder):
                results[case.name] = ("unsupported", reason)
        run = subprocess.run([options.runner, str(folder)], capture_output=True, text=True)
        for line in run.stdout.splitlines():
            name, status, *message = line.split("\t")
            results[name] = (status, " ".join(message).removeprefix(f"{folder}/{name}/model.onnx: "))
        lost = [case.name for case in cases if case.name not in results]

    failures = [f"{name}: {message}" for name, (status, message) in results.items() if status == "failed"]
    failures += [f"{name}: the runner ended before it (exit code {run.returncode})" for name in lost]
    skipped = collections.defaultdict(list)
    for name, (status, message) in results.items():
        if status == "unsupported":
            reason = classify(message)
            skipped[reason].append(name)
            if reason is None:
                failures.append(f"{name}: refused for a reason nobody listed: {message}")
    passed = sum(status == "passed" for status, _ in results.values())
    if passed < MINIMUM_PASSED:
        failures.append(f"only {passed} cases passed, at least {MINIMUM_PASSED} did before")

    if options.list:
        for name, (status, message) in sorted(results.items()):
            print(f"{status:12} {name}  {message}")
    for failure in failures:
        print("FAILED", failure)
    for reason, names in sorted(skipped.items(), key=lambda item: -len(item[1])):
        print(f"{len(names):5} not claimed: {reason}")
    print(f"{passed:5} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
