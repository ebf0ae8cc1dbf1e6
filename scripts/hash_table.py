#!/usr/bin/env python3
"""Prints one hash of all that a model computes, outputs and all values between, per instruction set and number of threads;
fails unless they are equal.

    scripts/hash_table.py MODEL.onnx... [--program build/release/quantize] [--arm build/aarch64-program/quantize] [--size 224]

--arm is the program of the preset aarch64-program, which runs under qemu. The input is the same noise for all. Dynamic extents
become 1, dynamic heights and widths --size.
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from levels import ARM_LEVELS, X86_LEVELS

EMULATOR = ("qemu-aarch64", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu")
THREADS = (1, 2, 3, 7)


def write_noise(path, shape):
    """A .npy file of floats in [-2, 2)."""
    count = 1
    for extent in shape:
        count *= extent
    source = random.Random(1)
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = struct.pack(f"<{count}f", *(source.random() * 4 - 2 for _ in range(count)))
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values)


def input_shape(program, model, size):
    found = json.loads(subprocess.run([program, "inspect", model, "--json"], check=True, capture_output=True).stdout)
    (entry,) = found["inputs"].values()
    return [n if isinstance(n, int) else 1 if axis < 2 else size for axis, n in enumerate(entry["shape"])]


def hash_of(program, model, level, threads, folder):
    """The hash, or None and why there is none."""
    done = subprocess.run([*program, "run", model, str(folder / "noise.npy"), "--hash", "--json", "--isa", level,
                           "--threads", str(threads)], capture_output=True, text=True)
    found = json.loads(done.stdout)
    if done.returncode != 0:
        return None, found["error"]["message"]
    (entry,) = found["hashes"]
    return entry["hash"], ""


def print_level(name, program, model, level, folder):
    """All hashes of one level."""
    results = [hash_of(program, model, level, threads, folder) for threads in THREADS]
    if results[0][0] is None:
        print(f"  {name:14} not run: {results[0][1]}", flush=True)
        return set()
    print(f"  {name:14}", *(value for value, _ in results), flush=True)
    return {value for value, _ in results}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--program", default="build/release/quantize")
    parser.add_argument("--arm")
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    agree = True
    for model in options.models:
        hashes = set()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write_noise(folder / "noise.npy", input_shape(options.program, model, options.size))
            print(model)
            for level in X86_LEVELS:
                hashes |= print_level(level, [options.program], model, level, folder)
            for level in ARM_LEVELS if options.arm else ():
                hashes |= print_level("Arm " + level, [*EMULATOR, options.arm], model, level, folder)
        agree = agree and len(hashes) == 1
        print("  equal" if len(hashes) == 1 else "  NOT EQUAL")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
