#!/usr/bin/env python3
"""Whole networks of every family through the program, with ONNX Runtime as judge.

    networks.py QUANTIZE             the quick ones, which every check builds
    networks.py QUANTIZE --all       all, with a table for tests/bench/RESULTS.md
    networks.py QUANTIZE --only WORD those that have it in their names; --keep DIR keeps their files

Each network (networks_*.py; network_list.py has the list) is small and has random weights, but the structure of its family and the
habits of an exporter. Checked are:
- FP32: each output of our engine is within 1e-4 of its range of ONNX Runtime's;
- the default command makes a QDQ file, and a method an int8 file; both run in ONNX Runtime and mean the same in our engine;
- the first output keeps its signal. (Outputs behind a choice, as boxes that NonMaxSuppression kept, only have to come out.)

Exit status 1 if any failed.
"""
import argparse
import json
import multiprocessing
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np
import onnx

import networks_attention  # noqa: F401  (their networks)
import networks_classification  # noqa: F401
import networks_dense  # noqa: F401
import networks_detection  # noqa: F401
from models import call, session, sqnr
from network_builder import smooth
from network_list import NETWORKS, build

SAMPLES, TESTED = 16, 3
LEAST = 8  # decibels of the first output: deep networks of random weights lose as much


class Wrong(Exception):
    pass


def write_samples(folder, shapes, random):
    """calib/00.npy and so on, .npz where there are several inputs; returns the samples."""
    samples = [{name: smooth(random, shape) for name, shape in shapes.items()} for _ in range(SAMPLES)]
    (folder / "calib").mkdir(exist_ok=True)
    for i, sample in enumerate(samples):
        if len(shapes) == 1:
            np.save(folder / "calib" / f"{i:02}.npy", *sample.values())
        else:
            np.savez(folder / "calib" / f"{i:02}.npz", **sample)
    return samples


def theirs(path, samples):
    run = session(path)
    names = [o.name for o in run.get_outputs()]
    return [dict(zip(names, run.run(None, sample))) for sample in samples]


def ours(program, path, folder, count):
    rows = []
    for file in sorted((folder / "calib").iterdir())[:count]:
        call(program, "run", path, file, "-o", folder / "out", "--quiet")
        rows.append({f.stem: np.load(f) for f in (folder / "out").glob("*.npy")})
        for made in (folder / "out").glob("*.npy"):
            made.unlink()
    return rows


def check_float(expected, found, most):
    for row, other in zip(expected, found):
        for name, value in row.items():
            if other[name].shape != value.shape:
                raise Wrong(f"FP32: {name} has shape {other[name].shape}, not {value.shape}")
            if value.size and value.dtype.kind == "f":
                apart = np.abs(value - other[name]).max() / max(float(np.ptp(value)), 1e-6)
                if not apart <= most:
                    raise Wrong(f"FP32: {name} is {apart:.1e} of its range apart")
            elif value.size and np.any(value != other[name]):
                raise Wrong(f"FP32: {name} has other integers")


def first_of(rows):
    return np.concatenate([next(iter(row.values())).ravel() for row in rows])


def check_file(what, meant, found, exact):
    """Both engines agree on the first output as far as roundings at ties let them; returns its SQNR."""
    reference, theirs_, ours_ = first_of(exact), first_of(meant), np.concatenate([row[next(iter(meant[0]))].ravel() for row in found])
    noise, apart = sqnr(reference, theirs_), sqnr(theirs_, ours_)
    if apart < min(noise, 30):
        raise Wrong(f"{what}: the engines are {apart:.1f} dB apart, the file {noise:.1f} dB from FP32")
    if noise < LEAST:
        raise Wrong(f"{what}: {noise:.1f} dB from FP32")
    return noise


def judge(program, name, folder):
    """A row of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    model, shapes = build(name)
    path = folder / "model.onnx"
    onnx.save(model, path)
    samples = write_samples(folder, shapes, np.random.default_rng(1))
    exact = theirs(path, samples[:TESTED])
    check_float(exact, ours(program, path, folder, TESTED), NETWORKS[name].sizes)
    begin, row = time.monotonic(), {"name": name, "opset": model.opset_import[0].version, "nodes": len(model.graph.node)}
    for what, options in (("QDQ", []), ("int8", ["--format", "int8", "--method", "mse"])):
        file = folder / f"{what}.onnx"
        report = json.loads(call(program, path, "--calib", folder / "calib", "-o", file, "--json", *options))
        try:
            meant = theirs(file, samples[:TESTED])
        except Exception as error:
            raise Wrong(f"{what}: ONNX Runtime: {' '.join(str(error).split())[:300]}") from error
        row[what] = check_file(what, meant, ours(program, file, folder, TESTED), exact)
        row.setdefault("share", 100 * report["int8_macs"] / max(report["macs"], 1))
        row.setdefault("seconds", time.monotonic() - begin)
    return row


def examine(task):
    program, name, keep = task
    try:
        if keep:
            return name, judge(program, name, Path(keep) / name.replace(" ", "_")), ""
        with tempfile.TemporaryDirectory() as folder:
            return name, judge(program, name, Path(folder)), ""
    except (Wrong, RuntimeError) as error:
        return name, None, " ".join(str(error).split())[:500]
    except Exception:
        return name, None, "the test itself: " + traceback.format_exc(limit=-2)[-600:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--keep", help="folder for the files")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    names = [n for n, entry in NETWORKS.items() if (options.only in n if options.only else options.all or entry.quick)]
    print("| network | opset | nodes | MACs in int8 | SQNR of QDQ, int8 | seconds |\n| --- | --- | --- | --- | --- | --- |")
    failed = []
    with multiprocessing.Pool(options.jobs) as pool:
        for name, row, wrong in pool.imap(examine, [(program, name, options.keep) for name in names]):
            if wrong:
                failed.append(f"FAIL {name}: {wrong}")
                continue
            print(f"| {name} | {row['opset']} | {row['nodes']} | {row['share']:.0f} % | {row['QDQ']:.1f}, {row['int8']:.1f} | "
                  f"{row['seconds']:.1f} |", flush=True)
    print("\n".join([*failed, f"{len(names)} networks, {len(failed)} failed"]))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
