#!/usr/bin/env python3
"""Draws networks at random and lets ONNX Runtime judge what the program makes of them.

    random_graphs.py QUANTIZE                           the networks that every check draws
    random_graphs.py QUANTIZE --seeds 1000000:2000000   these; seeds from 1000000 on have every operator
    random_graphs.py QUANTIZE --minutes 60              as many as fit, from --seeds on
    random_graphs.py QUANTIZE --seeds 17 --keep DIR     one; its smallest failing form and its files stay in DIR

Of each network (drawn_pieces.py):
- our engine computes in FP32 what ONNX Runtime does;
- the files for every target and format, by a method and by the search, load in ONNX Runtime. There they compute at every level of
  optimization what their operators mean, and so does our engine;
- every integer operator of an int8 file gives the same bytes in both engines, where its inputs are the same bytes;
- the error is as small as the steps of the plan promise;
- files of onnxruntime.quantization mean the same in our engine (not all of them load at ONNX Runtime's highest level).

A failure is printed with its seed and the pieces of the smallest network that still fails in this way. Exit status 1 if any failed.
"""
import argparse
import json
import logging
import multiprocessing
import subprocess
import sys
import tempfile
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from drawn_pieces import SECOND_DRAWING, draw_genes, grow
from graph_facts import all_nodes, casts_to, crops_by_auto_pad, is_unsteady
from models import LEVELS, session, targets
from own_process import apart
from planned_noise import rounded_as_planned

SAMPLES = 20                 # enough for the search to hold some back
TESTED = 3                   # of them, to compare engines on
SECONDS = 120                # that any call may take
# Integer operators that are no part of the ONNX standard and that the engines round differently, by one code at most: ONNX Runtime
# adds the zero point of a pool's result before it rounds, QuantizeLinear (and our engine) after it, which shows where means lie
# halfway between codes; its Softmax of codes truncates.
ONE_CODE_APART = {"QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSoftmax"}
# A Resize that blends codes gives halves of codes. ONNX Runtime cuts them to whole codes where others wrote it so; where it computes
# reals between codes, its sums of floats fall on either side of a half.
CODES_OF_NO_STANDARD = ONE_CODE_APART | {"Resize"}

CHEAP = ["--method", "mse"]
FORMS = [("qdq, search", ["--format", "qdq"]),
         ("int8, search", ["--format", "int8"]),
         ("qdq, half in float", ["--format", "qdq", *CHEAP]),
         ("int8, half in float", ["--format", "int8", *CHEAP]),
         ("reference", ["--format", "reference", *CHEAP])]


def every_target(program):
    """The files of each target, by a method."""
    return [(f"{form} {target}", ["--format", form, "--target", target, *CHEAP]) for target in targets(program) for form in ("qdq", "int8")]


FOREIGN = [("foreign QDQ", QuantFormat.QDQ, {}), ("foreign QDQ per channel", QuantFormat.QDQ, {"per_channel": True}),
           ("foreign QOperator", QuantFormat.QOperator, {}), ("foreign s8", QuantFormat.QDQ, {"activation_type": QuantType.QInt8})]


ort.set_default_logger_severity(4)
logging.disable(logging.WARNING)


class Failure(Exception):
    """`kind` says in what way, so that a smaller network that fails in another way is told apart."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


# ---------------------------------------------------------------- running

def ort_session(model, optimized=True):
    return session(model, LEVELS.ORT_ENABLE_ALL if optimized else LEVELS.ORT_DISABLE_ALL)


def fed(sample, batch):
    """A sample as a model takes it whose batch is fixed: as often as that."""
    return np.repeat(sample, batch, axis=0) if isinstance(batch, int) and batch > 1 else sample


def first_row(value, batch):
    """What a fixed batch gives for its first sample: a row of the first axis of that extent, of the two in front."""
    axes = [a for a in range(min(2, value.ndim)) if value.shape[a] == batch and isinstance(batch, int) and batch > 1]
    return value.take([0], axes[0]) if axes else value


def ort_run(model, samples, optimized=True):
    """The outputs by name, one row a sample."""
    session = ort_session(model, optimized)
    batch = session.get_inputs()[0].shape[0]
    names = [o.name for o in session.get_outputs()]
    rows = [session.run(None, {"x": fed(sample, batch)}) for sample in samples]
    return {name: joined([first_row(np.asarray(row[i]), batch) for row in rows]) for i, name in enumerate(names)}


def joined(values):
    """One row a sample; a row of all elements where the samples have different shapes."""
    return np.stack(values) if len({v.shape for v in values}) == 1 else np.concatenate([v.ravel() for v in values])[None]


def call(program, *words):
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise Failure(f"exit {done.returncode}", f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr.strip()[:300]}")
    return done.stdout


def our_run(program, model, folder, samples):
    rows = []
    for i in range(len(samples)):
        out = folder / "out"
        call(program, "run", model, folder / "calib" / f"{i:02}.npy", "-o", out, "--quiet")
        rows.append({f.stem: np.load(f) for f in out.glob("*.npy")})
        for file in out.glob("*.npy"):
            file.unlink()
    return {name: joined([row[name] for row in rows]) for name in rows[0]}


# ---------------------------------------------------------------- comparing

def energy(x):
    return float(np.sum(np.square(np.asarray(x, np.float64))))


def decibel(reference, x):
    noise = energy(np.asarray(reference, np.float64) - x)
    return 200.0 if noise == 0 else 10 * np.log10(max(energy(reference), 1e-30) / noise)


def check_close(kind, reference, other, share):
    """Each output within `share` of the energy of the reference."""
    for name, values in reference.items():
        shaped = np.reshape(other[name], values.shape) if other[name].size == values.size else None
        if shaped is None:
            raise Failure(kind, f"{kind}: output {name} has shape {other[name].shape}, not {values.shape}")
        if not np.all(np.isfinite(shaped)) or energy(values - shaped) > share * energy(values) + 1e-10:
            raise Failure(kind, f"{kind}: output {name}: {decibel(values, shaped):.1f} dB, at least {-10 * np.log10(share):.0f} wanted")


def with_all_values(path, folder):
    """The model with every value as an output."""
    model = onnx.load(path)
    present = {o.name for o in model.graph.output}
    for node in model.graph.node:
        model.graph.output.extend(helper.make_empty_tensor_value_info(v) for v in node.output if v and v not in present)
        present.update(node.output)
    file = folder / "all.onnx"
    file.write_bytes(model.SerializeToString())
    return model, file


def typed(model):
    """Fills the types of the outputs, which our reader wants, from what ONNX Runtime says."""
    types = {"tensor(float)": TensorProto.FLOAT, "tensor(uint8)": TensorProto.UINT8, "tensor(int8)": TensorProto.INT8,
             "tensor(int32)": TensorProto.INT32, "tensor(int64)": TensorProto.INT64, "tensor(bool)": TensorProto.BOOL,
             "tensor(float16)": TensorProto.FLOAT16, "tensor(double)": TensorProto.DOUBLE}
    session = ort_session(model.SerializeToString(), optimized=False)
    outputs = [helper.make_tensor_value_info(o.name, types[o.type], o.shape if o.shape and all(isinstance(d, int) for d in o.shape) else None)
               for o in session.get_outputs()]  # no shape is that of a scalar, too
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model


FILE_NAME = str.maketrans({c: "_" for c in map(chr, range(128)) if not (c.isalnum() or c in "._-")})


def check_same_bytes(program, path, folder, samples):
    """Every node of integers: the same inputs give the same outputs in both engines."""
    model, file = with_all_values(path, folder)
    file.write_bytes(typed(model).SerializeToString())
    theirs, ours = ort_run(file, samples, optimized=False), our_run(program, file, folder, samples)
    for name, value in theirs.items():
        if ours[name.translate(FILE_NAME)].size != value.size:
            raise Failure("shapes", f"{name} has {ours[name.translate(FILE_NAME)].shape} elements, not {value.shape}")
    ours = {name: np.reshape(ours[name.translate(FILE_NAME)], value.shape) for name, value in theirs.items()}
    for node in model.graph.node:
        outputs = [v for v in node.output if v in theirs]
        read = [*node.input, *[v for a in node.attribute for inner in all_nodes(a.g) for v in inner.input]]
        if not all(np.array_equal(theirs[v], ours[v]) for v in read if v in theirs):
            continue
        for v in outputs:
            whole = theirs[v].dtype.kind in "iub"
            most = np.abs(theirs[v].astype(np.int64) - ours[v]).max(initial=0) if whole else 0
            if most > (node.op_type in ONE_CODE_APART):
                wrong = np.mean(theirs[v] != ours[v])
                raise Failure(f"bytes of {node.op_type}", f"{node.op_type} '{node.name}': {100 * wrong:.2f} % of the codes of {v} differ, by {most} at most")
            if theirs[v].dtype.kind == "f" and decibel(theirs[v], ours[v]) < (50 if theirs[v].dtype == np.float16 else 90):
                raise Failure(f"reals of {node.op_type}", f"{node.op_type} '{node.name}': {decibel(theirs[v], ours[v]):.0f} dB")


def noise_floors(plan, model, samples, exact):
    """The SQNR in dB of each output that the roundings of the plan promise, less what rounded weights may add, and less what luck does
    to the noise of few elements."""
    try:
        simulated = ort_run(rounded_as_planned(plan, model).SerializeToString(), samples, optimized=False)
    except Exception:
        return {}
    return {name: min(decibel(values, simulated[name]), 36) - 10 - 25 / np.sqrt(values.size) for name, values in exact.items()}


def gaps_between_choices(node, seen):
    """The differences between elements of which the node may choose one, as arrays. `seen` has the samples along axis 0."""
    if node.op_type != "MaxPool":
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0 if node.op_type.startswith("Arg") else -1)
        axis += axis >= 0
        return [np.diff(np.sort(seen, axis), axis=axis)]
    lines = [np.moveaxis(seen, axis, -1) for axis in range(3, seen.ndim)]
    return [np.abs(np.diff(x))[x[..., 1:] != 0] for x in lines]  # neighbours in a window; zeros are zeros in every engine


def chooses_between_equals(model, folder, samples):
    """True if an operator that picks the greatest elements has two that are the same but for the order of the sums behind them."""
    picks = [n for n in model.graph.node
             if n.op_type in ("ArgMax", "ArgMin", "Hardmax", "TopK") or n.op_type == "MaxPool" and len(n.output) > 1]
    values = ort_run(with_all_values(folder / "model.onnx", folder)[1], samples, optimized=False) if picks else {}
    for node in picks:
        seen = values.get(node.input[0])
        if seen is not None and seen.dtype.kind == "f" and any(
                np.any(gaps < 1e-6 * np.abs(seen).max()) for gaps in gaps_between_choices(node, seen)):
            return True
    return False


def sample_kind(random, shape, bytes_only):
    """Draws samples of one kind: bytes, normal, of the unit range, with a constant channel, with channels of all sizes."""
    kind = random.choice(["normal", "normal", "normal", "normal", "unit", "constant channel", "channels of all sizes"])
    by_channel = np.exp(random.normal(size=(1, shape[1]) + (1,) * (len(shape) - 2)))
    constant, level = random.integers(shape[1]), random.normal()

    def draw():
        if bytes_only:
            return random.integers(0, 256, size=shape)
        if kind == "unit":
            return random.random(size=shape)
        sample = random.normal(size=shape) * (by_channel if kind == "channels of all sizes" else 1)
        if kind == "constant channel":
            sample[:, constant] = level
        return sample
    return draw


class Trial:
    def __init__(self, program, model, seed, folder):
        self.program, self.model, self.folder = program, model, Path(folder)
        random = np.random.default_rng(seed + 1)
        dims = [d.dim_value or 1 for d in model.graph.input[0].type.tensor_type.shape.dim]
        self.batch, shape = dims[0], [1, *dims[1:]]
        draw = sample_kind(random, shape, model.graph.doc_string == "bytes")
        self.samples = [draw().astype(np.float32) for _ in range(SAMPLES)]
        self.tested = self.samples[:TESTED]
        self.path = self.folder / "model.onnx"
        self.path.write_bytes(model.SerializeToString())
        (self.folder / "calib").mkdir(exist_ok=True)
        for i, sample in enumerate(self.samples):
            np.save(self.folder / "calib" / f"{i:02}.npy", sample)
        self.exact = None

    def reference(self):
        """False if ONNX Runtime cannot run the network, or does not agree with itself, be it on samples a hair's breadth away: the
        network then chooses between values that are the same but for the order of their sums."""
        near = [s * (1 + 1e-6 * np.random.default_rng(i).normal(size=s.shape)).astype(np.float32) for i, s in enumerate(self.tested)]
        try:
            onnx.checker.check_model(self.model, full_check=True)
            self.exact = ort_run(self.path, self.tested, optimized=False)
            optimized, moved = ort_run(self.path, self.tested), ort_run(self.path, near)
            if crops_by_auto_pad(self.model) or chooses_between_equals(self.model, self.folder, self.tested):
                return False
        except Exception:
            return False
        shapes = {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim][1:] for o in self.model.graph.output}
        return all(all(d in (0, n) for d, n in zip(shapes[name], v.shape[2:])) and np.all(np.isfinite(v)) and energy(v) > 1e-6
                   and decibel(v, optimized[name]) > 80 and moved[name].shape == v.shape and decibel(v, moved[name]) > 60
                   for name, v in self.exact.items())

    def check_float(self):
        # f16 is rounded at every operator in ONNX Runtime, in our engine where f32 becomes f16.
        # Operators that cut between whole numbers may cut a value that is one on the other side.
        share = 1e-4 if casts_to(self.model, TensorProto.FLOAT16) else 1e-3 if is_unsteady(self.model) else 1e-8
        check_close("FP32", self.exact, our_run(self.program, self.path, self.folder, self.tested), share)

    def check_file(self, name, path):
        """The file means one thing in both engines."""
        is_ours = "foreign" not in name
        try:
            meant = ort_run(path, self.tested, optimized=False)
            optimized = ort_run(path, self.tested) if is_ours else meant
        except Exception as error:
            raise Failure(f"{name}: refused", f"{name}: ONNX Runtime: {' '.join(str(error).split())[:300]}") from error
        own_noise = max(energy(meant[n] - v) / energy(v) for n, v in self.exact.items())
        # Codes at ties may be rounded either way, which is as much as any rounding. Rounding to codes has the energy of 1/12 of a code;
        # where each code may be another one, it is 12 times that.
        op_types = {n.op_type for n in onnx.load(path).graph.node}

        def allowed(apart):
            # Where a choice depends on a code at a tie, each engine may be as far from the exact result, on its own side.
            return max((12 if apart & op_types else 4 if is_unsteady(self.model) else 1) * own_noise, 1e-3)
        # The optimizer makes operators of no standard of what stands between DequantizeLinear and QuantizeLinear.
        made = {op_type.removeprefix("QLinear") for op_type in CODES_OF_NO_STANDARD} if is_ours else set()
        check_close(f"{name}: ONNX Runtime's optimizer", meant, optimized, allowed(CODES_OF_NO_STANDARD | made))
        check_close(f"{name}: our engine", meant, our_run(self.program, path, self.folder, self.tested), allowed(CODES_OF_NO_STANDARD))
        return meant

    def half_of_the_nodes(self, first):
        """Options that leave every second node in float, of those that are left when the network is prepared."""
        nodes = json.loads(call(self.program, "inspect", "--names", "--json", self.path))["nodes"]
        names = [n["name"] for n in nodes][first::2]
        return ["--exclude", f"^({'|'.join(names)})$"] if names else []

    def check_form(self, name, words):
        quantized, plan = self.folder / "quantized.onnx", self.folder / "plan.json"
        if "half in float" in name:
            words = [*words, *self.half_of_the_nodes("int8" in name)]
        try:
            call(self.program, self.path, "--calib", self.folder / "calib", "-o", quantized, "--plan", plan, "--quiet", *words)
        except Failure as failure:
            if failure.kind == "exit 6" and self.overflows():
                return
            raise
        meant = self.check_file(name, quantized)
        if "int8" in name or name == "reference":
            check_same_bytes(self.program, quantized, self.folder, self.tested)
        if is_unsteady(self.model) or self.has_steep_softmax():
            return
        for output, floor in noise_floors(json.loads(plan.read_text()), self.model, self.tested, self.exact).items():
            sqnr = decibel(self.exact[output], meant[output])
            if sqnr < floor:
                raise Failure(f"{name}: noise", f"{name}: output {output}: {sqnr:.1f} dB, {floor:.1f} promised by the plan")

    def has_steep_softmax(self):
        """True if the scores of a Softmax are so large that their rounding, a hundredth or so, decides which of them is greatest."""
        scores = {n.input[0] for n in self.model.graph.node if n.op_type == "Softmax"}
        values = ort_run(with_all_values(self.path, self.folder)[1], self.tested, optimized=False) if scores else {}
        return any(np.abs(v).max() > 200 for name, v in values.items() if name in scores)

    def overflows(self):
        """True if some value of the network is no number, or a huge one, on some sample: such samples are refused."""
        values = ort_run(with_all_values(self.path, self.folder)[1], self.samples, optimized=False)
        return any(v.dtype.kind == "f" and not np.all(np.abs(v) < 2.0 ** 40) for v in values.values())

    def check_foreign(self, name, form, options):
        file = self.folder / "foreign.onnx"
        try:
            quantize_static(str(self.path), str(file), Samples([fed(s, self.batch) for s in self.samples]), quant_format=form, **options)
        except Exception:
            return  # their tool refuses what it cannot do
        try:
            meant = ort_run(file, self.tested, optimized=False)
        except Exception:
            return
        if any(meant[name].shape != v.shape or not np.all(np.isfinite(meant[name])) for name, v in self.exact.items()):
            return  # sizes that were rounded to codes, or numbers that overflow
        constants = [numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer]
        if any(c.dtype == np.float32 and not np.all(np.isfinite(c)) for c in constants):
            return  # a value that overflows on a sample: their scale of it is no number
        self.check_file(name, file)

    def checks(self, seed, everything):
        """The checks to make, as functions by name: all of them, or a choice that changes with the seed."""
        by_target, forms = ([(n, lambda n=n, w=w: self.check_form(n, w)) for n, w in table] for table in (every_target(self.program), FORMS))
        foreign = [(n, lambda n=n, f=f, o=o: self.check_foreign(n, f, o)) for n, f, o in FOREIGN]
        if not everything:
            by_target, forms = [by_target[seed % len(by_target)]], [forms[seed // len(by_target) % len(forms)]]
            foreign = [foreign[seed // 3 % 4]] if seed % 3 == 0 else []
        return [("FP32", self.check_float), *by_target, *forms, *foreign]


class Samples(CalibrationDataReader):
    def __init__(self, samples):
        self.left = iter(samples)

    def get_next(self):
        sample = next(self.left, None)
        return None if sample is None else {"x": sample}


def failures_of(program, genes, seed, everything, folder=None, when_it_runs=lambda: None):
    """{kind: text} of one network; None if it is none that ONNX Runtime runs."""
    model, _ = grow(*genes)
    if not model.graph.node:
        return None
    with tempfile.TemporaryDirectory() as temporary:
        trial = Trial(program, model, seed, folder or temporary)
        if not trial.reference():
            return None
        when_it_runs()
        found = {}
        for _, check in trial.checks(seed, everything):
            try:
                check()
            except Failure as failure:
                found.setdefault(failure.kind, str(failure))
            except subprocess.TimeoutExpired as error:
                found.setdefault("too slow", str(error)[:200])
        return found


def shrink(program, genes, seed, everything, kind):
    """The genes of a smaller network that fails in the same way: pieces are left out as long as it does."""
    opset, shape, pieces = genes
    pieces = grow(*genes)[1]
    place = len(pieces) - 1
    while place >= 0:
        fewer = pieces[:place] + pieces[place + 1:]
        found = fewer and apart(failures_of, program, (opset, shape, fewer), seed, everything)
        if found and kind in found:
            pieces = fewer
        place -= 1
    return opset, shape, pieces


def examine_seed(task):
    program, seed, everything = task
    return seed, apart(failures_of, program, draw_genes(seed), seed, everything)


def report(options, seed, found):
    for kind, text in found.items():
        genes = draw_genes(seed)
        if kind != "test":
            genes = shrink(options.program, genes, seed, options.everything, kind)
            if options.keep:
                folder = Path(options.keep) / f"{seed}_{len(list(Path(options.keep).glob(f'{seed}_*')))}"
                folder.mkdir(parents=True)
                apart(failures_of, options.program, genes, seed, options.everything, folder)
        model, _ = grow(*genes)
        print(f"FAIL seed {seed}: {text}\n     opset {genes[0]}, input {genes[1]}: {' '.join(n.op_type for n in model.graph.node)}", flush=True)


# Networks of longer runs that found a fault: a cropping Resize of codes, an output that is listed twice, a QGemm with a matrix to add,
# a bias in front of rows of zeros.
FOUND_FAULTS = [50142, 60324, 60812, 70050, 70193]
# Of the second drawing: a call of a function in a branch, values without elements, a Pad that wraps and cuts off,
# an If in which an operator is newer than all outside, or of another domain.
MORE_FAULTS = [1000046, 1000297, 2000334, 2104552, 2105775, 2108054]


def seeds_of(text):
    begin, _, end = text.partition(":")
    return range(int(begin), int(end) if end else int(begin) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seeds", type=seeds_of, default=[*range(200), *FOUND_FAULTS, *range(SECOND_DRAWING, SECOND_DRAWING + 60), *MORE_FAULTS])
    parser.add_argument("--minutes", type=float, help="goes on behind the last seed until these are over")
    parser.add_argument("--everything", action="store_true", help="makes every check of every network, not a choice of them")
    parser.add_argument("--keep", help="folder for the files of failing networks")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    start, drawn, failed, left_out = time.monotonic(), 0, 0, 0

    def tasks():
        yield from ((options.program, seed, options.everything) for seed in options.seeds)
        seed = options.seeds[-1]
        while options.minutes and time.monotonic() - start < 60 * options.minutes:
            seed += 1
            yield options.program, seed, options.everything

    with ThreadPool(options.jobs) as pool:
        for seed, found in pool.imap(examine_seed, tasks()) if not options.minutes else (examine_all(pool, tasks())):
            drawn += 1
            left_out += found is None
            failed += bool(found)
            if found:
                report(options, seed, found)
            if options.minutes and drawn % 80 == 0:
                print(f"{drawn} networks so far, {failed} failed; {time.monotonic() - start:.0f} s", flush=True)
    print(f"{drawn} networks, {left_out} of them none that ONNX Runtime runs, {failed} failed; {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


def examine_all(pool, tasks):
    """imap takes all tasks at once; this takes a few at a time."""
    for first in tasks:
        batch = [first] + [t for _, t in zip(range(7), tasks)]
        yield from pool.map(examine_seed, batch)


if __name__ == "__main__":
    sys.exit(main())
