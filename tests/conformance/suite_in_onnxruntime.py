#!/usr/bin/env python3
"""The graphs of tests/suites in ONNX Runtime: on reals, as QDQ, int8 and reference files, near to what our engine computes.

    suite_in_onnxruntime.py WRITER        the program suite_writer
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from models import session, sqnr

LEAST = {"fp32": 100, "qdq": 40, "int8": 40, "reference": 60}  # decibels; on codes single ones may round to the other side
COARSER = {"tflite": 5}                       # decibels less, by target: codes of its pools differ more often (37.1 dB)


def check(path):
    """The least SQNR of the file's outputs between the two engines, and what is wrong with it or nothing."""
    file = path.with_name(path.name + ".onnx")
    onnx.checker.check_model(onnx.load(file), full_check=True)
    runtime = session(file)
    feeds = {i.name: np.load(path.with_name(f"{path.name}.in_{i.name}.npy")) for i in runtime.get_inputs()}
    worst = min(sqnr(theirs, np.load(path.with_name(f"{path.name}.out_{i}.npy"))) for i, theirs in enumerate(runtime.run(None, feeds)))
    target, form = path.name.split(".")[-2:]
    least = LEAST[form] - COARSER.get(target, 0)
    return worst, "" if worst >= least else f"{worst:.1f} dB between the two engines, less than {least}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        written = subprocess.run([sys.argv[1], folder], capture_output=True, text=True, check=True).stdout.split()
        failed = 0
        for name in written:
            try:
                worst, fault = check(Path(folder) / name)
            except Exception as error:  # what any part says is the result
                worst, fault = float("nan"), " ".join(str(error).split())[:300]
            failed += bool(fault)
            print(f"{name}: {fault or f'{worst:.1f} dB'}")
        print(f"{len(written) - failed} of {len(written)} files are right")
        sys.exit(failed != 0 or not written)


if __name__ == "__main__":
    main()
