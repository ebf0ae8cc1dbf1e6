#!/usr/bin/env python3
"""Runs ONNX's own operator tests in our engine.

    onnx_node_tests.py RUNNER [--list]        RUNNER: the program node_test_runner; --list: every case

The cases come from the `onnx` package: those its node tests generate, and the recorded single-operator models it ships.
Each runs at its own opset; one below opset 7 is retargeted to 7, if ONNX's checker accepts the model there. Every case of
numeric tensors must pass at its own tolerance or stand in excluded_cases.txt with a reason. A listed case that passes
fails the suite until it is taken off the list.
"""
import argparse
import collections
import contextlib
import io
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

MIN_OPSET = 7
RECORDED = ["pytorch-operator", "pytorch-converted", "simple"]
EXCLUDED = Path(__file__).with_name("excluded_cases.txt")


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


def is_numeric(model):
    """True if all inputs and outputs are tensors of numbers."""
    types = [info.type for info in (*model.graph.input, *model.graph.output)]
    return all(kind.HasField("tensor_type") and kind.tensor_type.elem_type != onnx.TensorProto.STRING for kind in types)


def retarget(model):
    """The model at an opset of 7 or above, or the reason why that cannot be."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version < MIN_OPSET:
            entry.version = MIN_OPSET
            try:
                onnx.checker.check_model(model)
            except onnx.checker.ValidationError:
                return None, f"exists below opset {MIN_OPSET} only"
    return model, None


def to_proto(value):
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))


def needed_names(model):
    """The values that some output depends on: our reader leaves out the others."""
    needed = {info.name for info in model.graph.output}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            for attribute in node.attribute:               # a subgraph reads values around it
                for graph in (attribute.g, *attribute.graphs):
                    needed |= {name for inner in graph.node for name in inner.input}
                    needed |= {info.name for info in graph.output}
    return needed


def write_case(case, folder):
    """Writes one case; returns the reason if it cannot be one of ours."""
    model, reason = retarget(case.model)
    if reason:
        return reason
    needed = needed_names(model)
    inputs = [value for value, info in zip(case.inputs, model.graph.input) if info.name in needed]
    target = folder / case.name
    target.mkdir()
    onnx.save(model, target / "model.onnx")
    for stem, values in (("input", inputs), ("output", case.outputs)):
        for i, value in enumerate(values):
            (target / f"{stem}_{i}.pb").write_bytes(to_proto(value).SerializeToString())
    with open(folder / "cases.txt", "a") as cases:
        cases.write(f"{case.name} {case.rtol} {case.atol}\n")
    return None


def read_excluded():
    """{name of a case: why it is left out}. A line that ends in a colon is the reason for those below it."""
    excluded, reason = {}, None
    for line in EXCLUDED.read_text().split("\n"):
        if line.endswith(":"):
            reason = line[:-1]
        elif line.strip() and not line.startswith("#"):
            excluded.update(dict.fromkeys(line.split(), reason))
    return excluded


def run_cases(runner, cases):
    """{name: (passed, message)} of every case."""
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for case in cases:
            if reason := write_case(case, folder):
                results[case.name] = (False, reason)
        run = subprocess.run([runner, str(folder)], capture_output=True, text=True)
        for line in run.stdout.splitlines():
            name, status, *message = line.split("\t")
            results[name] = (status == "passed", " ".join(message).removeprefix(f"{folder}/{name}/model.onnx: "))
    for case in cases:
        results.setdefault(case.name, (False, f"the runner ended before it (exit code {run.returncode})"))
    return results


def judge(results, excluded):
    """A text for each case that is neither as it should be nor listed, or listed without need."""
    for name, (passed, message) in sorted(results.items()):
        if passed and name in excluded:
            yield f"{name} passes; take it off {EXCLUDED.name}"
        if not passed and name not in excluded:
            yield f"{name}: {message}"
    for name in sorted(excluded.keys() - results.keys()):
        yield f"{name} is no case; take it off {EXCLUDED.name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runner")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    with contextlib.redirect_stdout(io.StringIO()):
        generated, recorded = list(generated_cases()), list(recorded_cases())
    numeric = {case.name for case in generated if is_numeric(case.model)}
    cases = [case for case in (*generated, *recorded) if is_numeric(case.model)]
    results = run_cases(options.runner, cases)
    excluded = read_excluded()
    if options.list:
        for name, (passed, message) in sorted(results.items()):
            print("passed  " if passed else "excluded" if name in excluded else "failed  ", name, message)
    failures = list(judge(results, excluded))
    for failure in failures:
        print("FAILED", failure)
    for reason, count in collections.Counter(excluded.values()).most_common():
        print(f"{count:5} excluded: {reason}")
    for label, names in (("generated", numeric), ("recorded", results.keys() - numeric)):
        passed = sum(results[name][0] for name in names)
        print(f"{passed:5} of {len(names)} numeric {label} cases passed, {len(names & excluded.keys())} excluded")
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
