#!/usr/bin/env python3
"""Writes tests/golden/images, small image files and what Pillow makes of them, and tests/golden/numpy.

    make_golden_images.py          needs numpy and pillow

  *.png, *.jpg, ...   one file per kind of image, all made here from the same synthetic picture
  decoded.npz         for each of them its pixels, height x width x channels
  resized.npz         picture.png resized: <filter>_<width>x<height>

The files in numpy hold the numbers 0 to 5 as 2 x 3 elements.
"""
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
FOLDER = GOLDEN / "images"
WIDTH, HEIGHT = 37, 29
FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
SIZES = [(16, 12), (60, 50), (37, 10), (5, 40), (30, 8), (1, 1)]


def picture():
    """Gradients, a disc and noise: smooth parts, edges and detail."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    disc = (x - 20) ** 2 + (y - 12) ** 2 < 80
    noise = np.random.default_rng(7).integers(0, 60, (HEIGHT, WIDTH, 3))
    smooth = np.stack([x * 5, y * 6, (x + y) * 3], -1)
    return Image.fromarray(np.where(disc[..., None], 255 - smooth, smooth + noise).clip(0, 255).astype(np.uint8))


def files(rgb):
    """Every kind of file: name -> (bytes, expected pixels)."""
    made = {}

    def add(name, image, expected=None, **options):
        buffer = io.BytesIO()
        image.save(buffer, Image.registered_extensions()[Path(name).suffix], **options)
        if expected is None:
            read = Image.open(io.BytesIO(buffer.getvalue()))
            expected = ImageOps.exif_transpose(read).convert("L" if read.mode in ("L", "LA") else "RGB")
        made[name] = buffer.getvalue(), np.asarray(expected).reshape(expected.size[::-1] + (-1,))

    alpha = Image.fromarray((np.arange(HEIGHT * WIDTH) % 256).astype(np.uint8).reshape(HEIGHT, WIDTH))
    gray, rgba = rgb.convert("L"), rgb.copy()
    rgba.putalpha(alpha)
    wide = np.asarray(gray, np.uint16) * 251 + 77
    palette = rgb.quantize(200)

    add("picture.png", rgb)
    add("gray.png", gray)
    add("gray_alpha.png", Image.merge("LA", (gray, alpha)))
    add("rgba.png", rgba)
    add("palette.png", palette)
    add("palette_16.png", rgb.quantize(16), bits=4)
    add("palette_transparent.png", palette, transparency=3)
    add("bilevel.png", gray.convert("1"), gray.convert("1").convert("L"))
    add("gray_16_bit.png", Image.fromarray(wide), Image.fromarray(np.round(wide / 257).astype(np.uint8)))
    for name, options in {"420": {"subsampling": 2}, "422": {"subsampling": 1}, "444": {"subsampling": 0},
                          "progressive": {"progressive": True}}.items():
        add(f"{name}.jpg", rgb, quality=85, **options)
    add("gray.jpg", gray)
    add("cmyk.jpg", rgb.convert("CMYK"))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        add(f"orientation_{orientation}.jpg", rgb.crop((0, 0, 16, 11)), exif=exif)
    add("rgb.bmp", rgb)
    add("rgba.bmp", rgba)
    add("palette.bmp", palette)
    add("gray.bmp", gray, gray.convert("RGB"))
    add("bilevel.bmp", gray.convert("1"), gray.convert("1").convert("RGB"))
    add("rgb.ppm", rgb)
    add("gray.pgm", gray)
    add("lossy.webp", rgb, quality=70)
    add("lossless.webp", rgb, lossless=True)
    add("rgba.webp", rgba, lossless=True, exact=True)
    return made


def write_arrays(folder):
    """One file per form that numpy may write."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(6).reshape(2, 3)
    floats = numbers.astype("<f4")
    np.save(folder / "f4.npy", floats)
    np.save(folder / "big_endian.npy", numbers.astype(">f4"))
    np.save(folder / "fortran.npy", np.asfortranarray(floats))
    with open(folder / "version_2.npy", "wb") as file:
        np.lib.format.write_array(file, floats, version=(2, 0))
    np.savez(folder / "stored.npz", floats=floats, longs=numbers.astype("<i8"))
    np.savez_compressed(folder / "deflated.npz", floats=floats, longs=numbers.astype("<i8"))


def main():
    rgb, made = picture(), {}
    write_arrays(GOLDEN / "numpy")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (data, pixels) in files(rgb).items():
        (FOLDER / name).write_bytes(data)
        made[name] = pixels
    np.savez_compressed(FOLDER / "decoded.npz", **made)
    resized = {f"{name}_{w}x{h}": np.asarray(rgb.resize((w, h), how)) for name, how in FILTERS.items() for w, h in SIZES}
    np.savez_compressed(FOLDER / "resized.npz", **resized)
    print(f"{FOLDER}: {len(made)} images, {sum(f.stat().st_size for f in FOLDER.iterdir()) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
