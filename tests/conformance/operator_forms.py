#!/usr/bin/env python3
"""Every form of every operator that is planned as integer or left in float, between two layers of weights, in ONNX Runtime and in our engine.

    operator_forms.py QUANTIZE                     all forms of form_table.py, for the targets that run here and one of the others in turn
    operator_forms.py QUANTIZE --all               ... for every target
    operator_forms.py QUANTIZE --only TEXT         those whose label has this text; prints the figures of all
    operator_forms.py QUANTIZE --keep FOLDER       models and samples stay there

Each form is quantized as QDQ and as int8 file, for each target, with its nodes excluded and not. Each file must pass ONNX's checker, load and run in
ONNX Runtime as it is used there (all optimizations), and be near to FP32 there and in our engine, and the two near to each other. Nodes that the plan
leaves in float must be computed in float by ONNX Runtime. Forms of one opset and rank share a model.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from form_table import CHANNELS, all_forms, node
from models import LEVELS, call, save, save_samples, session, sqnr, targets

EXTENTS = {3: [1, 3, 40], 4: [1, 3, 16, 16], 5: [1, 3, 8, 6, 8]}
CALIBRATED, JUDGED = 8, 2
# Decibels that the rules of a target may cost: scales that are powers of two, twice as wide at worst, for images and weights;
# weights or activations whose zero is the middle of the codes; results that are rounded, too.
COARSER = {"vitis": 15, "tensorrt": 3, "qnn": 3, "tflite": 3}
AGREEMENT = 40          # decibels between the two engines: single codes may round to the other side
SHARED = 24             # forms in one model


def weights(random, *shape):
    return (random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


class Network:
    """Some forms of one opset and rank, each between a layer and another."""

    def __init__(self, forms, folder):
        self.forms, self.folder, self.rank, self.opset = forms, Path(folder), forms[0][1].rank, forms[0][0]
        self.folder.mkdir(parents=True)
        random = np.random.default_rng(1)
        self.samples = [random.normal(size=EXTENTS[self.rank]).astype(np.float32) for _ in range(CALIBRATED + JUDGED)]
        save_samples(self.folder / "calib", self.samples[:CALIBRATED])
        save_samples(self.folder / "judge", self.samples[CALIBRATED:])
        self.model = self.folder / "model.onnx"
        self.outputs = [f"y_{i}" for i in range(len(forms))]
        self.write(random)
        self.exact = self.run(self.model)

    def write(self, random):
        nodes, constants = [], {}
        for i, (_, form) in enumerate(self.forms):
            kernel = [3] * (self.rank - 2)
            for value in ("a", "a2"):
                constants[f"{value}_w_{i}"] = weights(random, CHANNELS, 3, *kernel)
                nodes.append(helper.make_node("Conv", ["x", f"{value}_w_{i}"], [f"{value}_conv_{i}"], name=f"first_{value}_{i}", pads=[1] * 2 * (self.rank - 2)))
                nodes.append(helper.make_node("Relu" if form.relu else "Identity", [f"{value}_conv_{i}"], [f"{value}_{i}"]))
            nodes += [node(form, i, step) for step in range(len(form.nodes))]
            constants |= {f"{name}_{i}": value for name, value in form.constants.items()}
        inputs, ends = {"x": EXTENTS[self.rank]}, [f"b_{i}" for i in range(len(self.forms))]
        save(self.model, nodes, inputs, ends, constants, self.opset)
        for i, values in enumerate(session(self.model, LEVELS.ORT_DISABLE_ALL).run(ends, {"x": self.samples[0]})):
            add_layer(nodes, constants, random, i, values.shape)
        save(self.model, nodes, inputs, self.outputs, constants, self.opset)

    def run(self, path, optimized=None):
        runtime = session(path, LEVELS.ORT_ENABLE_ALL)
        if optimized:
            session(path, LEVELS.ORT_ENABLE_EXTENDED, optimized)
        return [runtime.run(self.outputs, {"x": x}) for x in self.samples[CALIBRATED:]]

    def judge(self, variant):
        """(label, fault or nothing, figures) of each form; raises what the program or the runtime says."""
        form, target, excluded = variant
        name = f"{form}.{target}{'.excluded' * excluded}"
        file, optimized, plan = (self.folder / f"{name}{end}" for end in (".onnx", ".optimized.onnx", ".plan.json"))
        call(os.environ["QUANTIZE"], self.model, "--calib", self.folder / "calib", "--method", "max", "--format", form, "--target", target, "-o", file,
             "--plan", plan, "--quiet", *(("--exclude", "^form_") if excluded else ()))
        onnx.checker.check_model(onnx.load(file), full_check=True)
        theirs = self.run(file, optimized)
        call(os.environ["QUANTIZE"], "run", file, self.folder / "judge", "-o", self.folder / name, "--quiet")
        ours = [np.load(self.folder / name / f"{output}.npy") for output in self.outputs]
        found = on_codes_in_spite(optimized, plan)
        results = []
        for i, (opset, spec) in enumerate(self.forms):
            exact, other = (np.concatenate([sample[i] for sample in runs]) for runs in (self.exact, theirs))
            own = ours[i].reshape(exact.shape)
            figures = sqnr(exact, other), sqnr(exact, own), sqnr(other, own)
            least = spec.least - COARSER.get(target, 0)
            faults = [text for text, bad in ((f"{figures[0]:.1f} dB in ONNX Runtime", figures[0] < least), (f"{figures[1]:.1f} dB in our engine", figures[1] < least),
                                             (f"{figures[2]:.1f} dB between the two", figures[2] < AGREEMENT), (f"{found.get(i)} in place of the float operator that was planned", i in found)) if bad]
            results.append((f"{spec.label}, opset {opset}, {form}, {target}{', excluded' * excluded}", "; ".join(faults), figures))
        return results


def add_layer(nodes, constants, random, i, shape):
    """A Gemm or Conv of four outputs behind the value b of form i."""
    if len(shape) == 2:
        constants[f"end_w_{i}"] = np.abs(weights(random, shape[1], 4))
        nodes.append(helper.make_node("Gemm", [f"b_{i}", f"end_w_{i}"], [f"y_{i}"], name=f"last_{i}"))
        return
    assert 3 <= len(shape) <= 5, f"form {i} has a result of shape {shape}"
    constants[f"end_w_{i}"] = np.abs(weights(random, 4, shape[1], *[1] * (len(shape) - 2)))
    nodes.append(helper.make_node("Conv", [f"b_{i}", f"end_w_{i}"], [f"y_{i}"], name=f"last_{i}"))


def on_codes_in_spite(optimized, plan):
    """{form: operator} of nodes that the plan leaves in float and ONNX Runtime computes in integers; what it fuses keeps the name. Products of codes
    that return reals (MatMulIntegerToFloat) round nothing and are as good."""
    names = {n["name"] for n in json.loads(plan.read_text())["nodes"] if n["placement"] == "float"}
    fused = [n for n in onnx.load(optimized).graph.node if n.op_type.startswith(("QLinear", "QGemm")) and n.name in names]
    return {int(n.name.split("_")[1]) if n.name.startswith("form_") else -1: n.op_type for n in fused}


def split_by_model(forms):
    groups = {}
    for form in forms:
        for opset in form.opsets:
            groups.setdefault((opset, form.rank), []).append((opset, form))
    for group in groups.values():
        for begin in range(0, len(group), SHARED):
            yield group[begin:begin + SHARED]


def try_variant(network, variant):
    """Results of one variant; where it fails as a whole, each form alone says which."""
    try:
        return network.judge(variant)
    except Exception as error:  # what any part says is the result
        if len(network.forms) == 1:
            opset, form = network.forms[0]
            kind, target, excluded = variant
            return [(f"{form.label}, opset {opset}, {kind}, {target}{', excluded' * excluded}", " ".join(str(error).split())[:300], (np.nan,) * 3)]
        results = []
        for i, form in enumerate(network.forms):
            results += try_variant(Network([form], network.folder / f"alone_{i}_{'_'.join(map(str, variant))}"), variant)
        return results


def try_model(job):
    forms, folder, variants = job
    try:
        network = Network(forms, folder)
    except Exception as error:
        if len(forms) == 1:
            return [(f"{forms[0][1].label}, opset {forms[0][0]}", f"FP32: {' '.join(str(error).split())[:300]}", (np.nan,) * 3)]
        return [result for i, form in enumerate(forms) for result in try_model(([form], f"{folder}_{i}", variants))]
    return [result for variant in variants for result in try_variant(network, variant)]


def variants(names, i, whole):
    """(form, target, excluded) of the i-th model: the targets that run here, and of the others one in turn, or all of them."""
    here = [name for name in names if name.startswith("ort-") or name == "native"]
    others = [name for name in names if name not in here]
    chosen = names if whole else here + others[i % max(len(others), 1):][:1]
    return list(itertools.product(("qdq", "int8"), chosen, (False, True)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    os.environ["QUANTIZE"] = options.program
    forms = [form for form in all_forms() if options.only in form.label]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ProcessPoolExecutor(2) as pool:
        whole = options.all or bool(options.only)
        jobs = [(group, f"{options.keep or folder}/{i}", variants(targets(options.program), i, whole)) for i, group in enumerate(split_by_model(forms))]
        results = [result for part in pool.map(try_model, jobs) for result in part]
    failures = [result for result in results if result[1]]
    for label, fault, figures in results if options.only else failures:
        print(f"{'FAIL' if fault else 'ok  '} {label}: {fault or ', '.join(f'{x:.1f}' for x in figures)}")
    print(f"{len(results)} files of {len(forms)} forms, {len(failures)} wrong")
    return 1 if failures or not results else 0


if __name__ == "__main__":
    sys.exit(main())
