#!/usr/bin/env python3
"""Prints one hash of a model's outputs per instruction set and number of threads; fails unless they are equal.

    scripts/hash_table.py MODEL.onnx... [--program build/release/quantize] [--size 224]

The input is the same noise for all. Dynamic extents become 1, dynamic heights and widths --size.
"""
import argparse
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

LEVELS = ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon", "neondot", "neoni8mm")
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
    (entry,) = found["inputs"]
    return [n if isinstance(n, int) else 1 if axis < 2 else size for axis, n in enumerate(entry["shape"])]


def output_hash(program, model, level, threads, folder):
    done = subprocess.run([program, "run", model, str(folder / "noise.npy"), "-o", str(folder / "out"), "--quiet",
                           "--isa", level, "--threads", str(threads)], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()
    digest = hashlib.sha256()
    for path in sorted((folder / "out").glob("*.npy")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12], ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--program", default="build/release/quantize")
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    agree = True
    for model in options.models:
        hashes = set()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write_noise(folder / "noise.npy", input_shape(options.program, model, options.size))
            print(model)
            for level in LEVELS:
                results = [output_hash(options.program, model, level, threads, folder) for threads in THREADS]
                if results[0][0] is None:
                    print(f"  {level:11} not run: {results[0][1].splitlines()[0] if results[0][1] else 'no reason given'}")
                    continue
                hashes.update(value for value, _ in results)
                print(f"  {level:11}", *(value for value, _ in results))
        agree = agree and len(hashes) == 1
        print("  equal" if len(hashes) == 1 else "  NOT EQUAL")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
