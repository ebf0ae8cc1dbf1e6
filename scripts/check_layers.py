#!/usr/bin/env python3
"""Fails on an include that points upward or sideways in the architecture, or that is not rooted.

Each folder lists what it may include: folders of ours, and third-party headers by prefix, some of them only in the one
file that owns them. The standard library is free everywhere but in the ISA folders of kernels.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# folder -> folders of ours that its files may include
LAYERS = {
    "kernels": {"kernels"},
    "core": {"core", "kernels"},
    "calibration": {"calibration", "core", "kernels"},
    "onnx_io": {"onnx_io", "core"},
    "cli": {"cli", "core", "calibration", "onnx_io", "kernels"},
    "tests": {"cli", "core", "calibration", "onnx_io", "kernels", "tests"},
}

# third-party header prefix -> paths (folders or files) that may include it
THIRD_PARTY = {
    "Eigen/": ("core/", "calibration/search/fit_rounding.cpp"),
    "omp.h": ("core/parallel.cpp",),
    "onnx/": ("onnx_io/", "tests/"),
    "google/protobuf": ("onnx_io/", "tests/"),
    "CLI/": ("cli/", "tests/unit/cli/"),
    "spdlog/": ("cli/",),
    "nlohmann/": ("cli/", "calibration/images/preprocess_file.cpp", "calibration/images/preprocess_choice.cpp", "calibration/images/parse_json", "tests/"),
    "jpeglib.h": ("calibration/images/decode_image.cpp",),
    "png.h": ("calibration/images/decode_image.cpp",),
    "webp/": ("calibration/images/decode_image.cpp",),
    "zlib.h": ("calibration/images/npz.cpp", "tests/"),
    "catch2/": ("tests/",),
    "immintrin.h": ("kernels/",),
    "arm_neon.h": ("kernels/",),
}

# Headers of kernels that other folders may see in their own headers; the rest is for .cpp files.
PUBLIC_KERNEL_HEADERS = {"kernels/integer.h", "kernels/kernel_table.h", "kernels/isa.h"}

ISA_FOLDERS = ("kernels/avx2/", "kernels/avxvnni/", "kernels/avx512/", "kernels/avx512vnni/", "kernels/amx/", "kernels/neon/", "kernels/neondot/",
               "kernels/neoni8mm/", "kernels/simd/")
ISA_HEADERS = {"cstddef", "cstdint", "immintrin.h", "arm_neon.h", "kernels/integer.h", "kernels/kernel_table.h",
               "kernels/plug.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def complaints(path):
    name = path.relative_to(ROOT).as_posix()
    folder = name.split("/")[0]
    for number, line in enumerate(path.read_text(encoding="utf8").split("\n"), 1):
        at = f"{name}:{number}"
        if "#pragma omp" in line and name != "core/parallel.cpp":
            yield f"{at}: OpenMP belongs to core/parallel.cpp"
        found = INCLUDE.match(line)
        if not found:
            continue
        header, layer = found.group(1) or found.group(2), (found.group(1) or "").split("/")[0]
        if found.group(1) and layer not in LAYERS:
            yield f"{at}: \"{header}\" is not rooted at a folder of the project"
        elif found.group(1) and layer not in LAYERS[folder]:
            yield f"{at}: {folder} may not include {header}"
        elif layer == "kernels" and folder != "kernels" and name.endswith(".h") and header not in PUBLIC_KERNEL_HEADERS:
            yield f"{at}: a header of {folder} may see {', '.join(sorted(PUBLIC_KERNEL_HEADERS))} only"
        for prefix, allowed in THIRD_PARTY.items():
            if header.startswith(prefix) and not name.startswith(allowed):
                yield f"{at}: {header} may be included in {', '.join(allowed)} only"
        if name.startswith(ISA_FOLDERS) and header not in ISA_HEADERS and not header.startswith(ISA_FOLDERS):
            yield f"{at}: an ISA file may include kernels/simd/, {', '.join(sorted(ISA_HEADERS))} only"


def main():
    files = [f for folder in LAYERS for f in sorted((ROOT / folder).rglob("*")) if f.suffix in (".h", ".cpp")]
    wrong = [text for file in files for text in complaints(file)]
    print("\n".join(wrong) if wrong else f"layers: {len(files)} files, every include points downward")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
