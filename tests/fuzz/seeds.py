#!/usr/bin/env python3
"""Seeds for the fuzz targets: small real files of every kind that the program reads.

    seeds.py BUILD_DIR OUTPUT      makes OUTPUT/TARGET/*, with the quantize and suite_writer of BUILD_DIR
"""
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LARGEST = 32 << 10  # bytes of a seed: larger ones are changed too seldom where it matters


def copy(files, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if file.stat().st_size <= LARGEST:
            shutil.copy(file, folder / file.name)


def png(width, height):
    """A grey PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(range(width)) for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_images(folder):
    copy(list((ROOT / "tests" / "golden" / "images").rglob("*"))
         + sorted((ROOT / "data" / "calib").glob("*.png"))[:4], folder)
    (folder / "own.png").write_bytes(png(5, 4))
    (folder / "own.ppm").write_bytes(b"P6\n# comment\n3 2\n255\n" + bytes(range(18)))
    (folder / "own.pgm").write_bytes(b"P2 2 2 15 0 1 2 15\n")
    header = struct.pack("<2sIHHI", b"BM", 54 + 24, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, 24, 0, 24, 0, 0, 0, 0)
    (folder / "own.bmp").write_bytes(header + bytes(24))


def write_arrays(arrays, folder):
    copy(arrays, folder)
    for mode in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(folder / f"own{mode}.npz", "w", mode) as archive:
            archive.write(arrays[0], "x.npy")
            archive.write(arrays[-1], "y.npy")


def tensor(dtype, shape, field, payload):
    """An onnx.TensorProto by hand: dims (1), data_type (2), one field of bytes."""
    dims = b"".join(b"\x08" + bytes([extent]) for extent in shape)
    return dims + b"\x10" + bytes([dtype]) + bytes([field << 3 | 2, len(payload)]) + payload


def write_tensors(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "raw_f32").write_bytes(tensor(1, [2, 3], 9, bytes(24)))
    (folder / "typed_f32").write_bytes(tensor(1, [2], 4, bytes(8)))
    (folder / "typed_s64").write_bytes(tensor(7, [3], 7, bytes([1, 2, 3])))
    (folder / "raw_s4").write_bytes(tensor(22, [3], 9, bytes(2)))
    (folder / "f16").write_bytes(tensor(10, [2], 5, bytes([0, 60])))


def write_json(folder, documents):
    folder.mkdir(parents=True, exist_ok=True)
    for i, document in enumerate(documents):
        (folder / f"{i}.json").write_text(json.dumps(document))


def write_statistics(quantize, folder):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([quantize, "calibrate", ROOT / "data" / "lenet_fashion.onnx", "--calib", ROOT / "data" / "calib",
                    "--samples", "2", "-o", folder / "lenet", "--quiet"], check=True)


def write_choices(folder):
    """Choices of which the first, a graph or an operator, differs in each file."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    for i in range(256):
        (folder / str(i)).write_bytes(bytes([i]) + bytes(draw.randrange(256) for _ in range(1 + 4 * draw.randrange(6))))


def main():
    build, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shutil.rmtree(output, ignore_errors=True)
    suite = output / "suite"
    suite.mkdir(parents=True)
    subprocess.run([build / "suite_writer", suite], check=True, stdout=subprocess.DEVNULL)
    copy(suite.glob("*.onnx"), output / "model")
    write_arrays(sorted(suite.glob("*.npy"))[:6], output / "array")
    shutil.rmtree(suite)
    write_images(output / "image")
    write_tensors(output / "tensor")
    write_json(output / "preprocess", [
        {"color": "rgb"},
        {"color": "bgr", "resize": {"mode": "letterbox", "size": [6, 6], "fill": [1, 2, 3], "anchor": "top_left"}},
        {"color": "rgb", "resize": {"mode": "shorter_side", "size": 8, "interpolation": "bicubic", "antialias": False},
         "crop": 6, "scale": 0.0039, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2], "layout": "nchw"}])
    write_json(output / "overrides", [
        {"x": {"min": -1, "max": 2, "num_bits": 8}},
        {"y": {"amax": 3.5, "unsigned": True, "axis": 1, "narrow_range": False, "method": "mse", "enabled": True}}])
    write_json(output / "recipe", [
        {"method": "percentile", "percentile": 99.9, "exclude": ["a", "b"], "symmetric": True},
        {"rules": [{"glob": "a*", "op_type": ["Conv"], "from": "a", "to": "b", "mode": "dynamic", "bits": 4, "per_channel": False},
                   {"of": "values", "regex": "^a", "optional": True, "amax": 3.5, "method": "mse", "enabled": True}]}])
    write_statistics(build / "quantize", output / "statistics")
    for target in ("network", "operators"):
        write_choices(output / target)


if __name__ == "__main__":
    main()
