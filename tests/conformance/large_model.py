#!/usr/bin/env python3
"""A model with more weights than a file of protobuf holds: quantized, and written again, within twice its size.

    large_model.py --program build/release/quantize [--gib 2.2] [--folder DIR]

The model is a stack of fully connected layers with random weights in external data, run on random images. It is
quantized once as a whole, and once with all layers but the first in float, so that the output has a file of weights
beside it. Printed are the sizes and the peak of the program's memory; the exit code is 1 if that is more than twice the
model, or if ONNX Runtime does not load both files. Needs twice the size on disk and three times in memory.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

WIDTH, SIDE = 4096, 32
PIXELS = 3 * SIDE * SIDE


def external(name, shape, offset):
    """A tensor whose bytes stand in weights.bin."""
    tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.FLOAT, dims=shape,
                              data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", offset), ("length", 4 * shape[0] * shape[1])):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def write_model(folder, layers):
    """Returns the bytes of weights."""
    random = np.random.default_rng(0)
    nodes, tensors, offset, value = [helper.make_node("Flatten", ["image"], ["flat"])], [], 0, "flat"
    with open(folder / "weights.bin", "wb") as file:
        for layer in range(layers):
            shape = (PIXELS if layer == 0 else WIDTH, WIDTH)
            weights = random.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / shape[0]))
            weights.tofile(file)
            tensors.append(external(f"weight_{layer}", shape, offset))
            offset += weights.nbytes
            nodes += [helper.make_node("Gemm", [value, f"weight_{layer}"], [f"sum_{layer}"], name=f"layer_{layer}"),
                      helper.make_node("Relu", [f"sum_{layer}"], [f"result_{layer}"])]
            value = f"result_{layer}"
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "large", [info("image", 1, [1, 3, SIDE, SIDE])], [info(value, 1, [1, WIDTH])], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "large.onnx")
    return offset


def write_images(folder):
    folder.mkdir()
    random = np.random.default_rng(1)
    for i in range(8):
        pixels = random.integers(0, 256, PIXELS, dtype=np.uint8).tobytes()
        (folder / f"{i}.ppm").write_bytes(f"P6 {SIDE} {SIDE} 255\n".encode() + pixels)


def run(program, folder, output, *options):
    """The peak of the program's memory in bytes."""
    process = subprocess.Popen([program, "large.onnx", "--calib", "images", "--preprocess", "unit", "--method", "max",
                                "-o", output, *options], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{output}: the program failed")
    return usage.ru_maxrss * 1024


def loads(path):
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result = session.run(None, {"image": np.full((1, 3, SIDE, SIDE), 0.5, np.float32)})[0]
    return bool(np.isfinite(result).all())


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--program", type=Path, required=True)
    options.add_argument("--gib", type=float, default=2.2)
    options.add_argument("--folder", type=Path, help="where the temporary files go")
    chosen = options.parse_args()
    good = True
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        size = write_model(folder, max(2, round(chosen.gib * 2**30 / (4 * WIDTH * WIDTH))))
        write_images(folder / "images")
        for output, more in (("int8.onnx", ()), ("float.onnx", ("--include", "^layer_0$"))):
            peak = run(chosen.program.resolve(), folder, output, *more)
            written = sum(path.stat().st_size for path in folder.glob(output + "*"))
            fits = peak < 2 * size and loads(folder / output)
            good = good and fits
            print(f"{output}: {size / 2**30:.2f} GiB of weights, peak {peak / 2**30:.2f} GiB ({peak / size:.2f} times), "
                  f"written {written / 2**30:.2f} GiB{'' if fits else ': WRONG'}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
