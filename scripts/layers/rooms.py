"""The rooms of the program and the walls between them, as data. The order goes from the bottom to the top."""
from levels import LEVEL_FOLDERS

# room -> rooms that its files may include. A file belongs to the room with the longest path that it stands below.
ROOMS = {
    "kernels": ["kernels"],
    "core": ["core", "kernels"],
    "core/ops": ["core/ops", "core", "kernels"],
    "core/passes": ["core/passes", "core/ops", "core"],
    # A function is recognized by the values that constant folding, a pass, computes of it.
    "core/fusion": ["core/fusion", "core/passes", "core/ops", "core", "kernels"],
    # Lowering ends with the pass that removes what it left over.
    "core/integer": ["core/integer", "core/fusion", "core/passes", "core/ops", "core", "kernels"],
    "core/quantization": ["core/quantization", "core/integer", "core/fusion", "core/passes", "core/ops", "core", "kernels"],
    "core/engine": ["core/engine", "core/integer", "core/fusion", "core/passes", "core/ops", "core", "kernels"],
    # Numbers of one element type become those of a model's input.
    "calibration/images": ["calibration/images", "core/ops", "core"],
    # Statistics name the samples they hold; they ask the graph for channels and windows.
    "calibration/statistics": ["calibration/statistics", "calibration/images", "core/engine", "core/fusion", "core/passes",
                               "core/ops", "core", "kernels"],
    # Parsing JSON and reading files are those of images.
    "calibration/scales": ["calibration/scales", "calibration/images", "core/integer", "core/ops", "core"],
    "calibration/tasks": ["calibration/tasks", "calibration/images", "core/fusion", "core/ops", "core"],
    "calibration/search": ["calibration/search", "calibration/tasks", "calibration/statistics", "calibration/images", "core/engine",
                           "core/quantization", "core/integer", "core/fusion", "core/passes", "core/ops", "core", "kernels"],
    # A loader asks whether an operator is known.
    "onnx_io": ["onnx_io", "core/ops", "core"],
    "cli": ["cli", "calibration/scales", "calibration/search", "calibration/tasks", "calibration/statistics", "calibration/images", "onnx_io", "core/engine",
            "core/quantization", "core/integer", "core/fusion", "core/passes", "core/ops", "core", "kernels"],
    # The launcher alone knows MPI: it runs the command of cli for each rank.
    "cli/mpi": ["cli/mpi", "cli", "core"],
}
ROOMS["tests"] = ["tests", *ROOMS]

# file -> (headers beyond a wall that it includes all the same, why). An entry that is not needed fails the check.
THROUGH_THE_WALL = {
    "calibration/statistics/decide_ranges.h": (["core/quantization/scheme.h"], "the scheme names each value's method"),
}

# third-party header prefix -> paths (folders or files) that may include it
THIRD_PARTY = {
    "Eigen/": ("calibration/search/fit_rounding.cpp",),
    "omp.h": ("core/parallel.cpp",),
    "onnx/": ("onnx_io/", "tests/"),
    "google/protobuf": ("onnx_io/", "tests/"),
    "CLI/": ("cli/", "tests/unit/cli/"),
    "spdlog/": ("cli/",),
    "nlohmann/": ("cli/", "calibration/images/preprocess_file.cpp", "calibration/images/preprocess_choice.cpp",
                  "calibration/images/parse_json", "calibration/scales/", "tests/"),
    "jpeglib.h": ("calibration/images/decode_image.cpp",),
    "png.h": ("calibration/images/decode_image.cpp",),
    "webp/": ("calibration/images/decode_image.cpp",),
    "zlib.h": ("calibration/images/npz.cpp", "tests/"),
    "catch2/": ("tests/",),
    "mpi.h": ("cli/mpi/",),
    "immintrin.h": ("kernels/",),
    "arm_neon.h": ("kernels/",),
}

# Headers of kernels that other rooms may see in their own headers; the rest is for .cpp files.
PUBLIC_KERNEL_HEADERS = {"kernels/integer.h", "kernels/kernel_table.h", "kernels/isa.h"}

ISA_FOLDERS = (*LEVEL_FOLDERS, "kernels/simd/")
ISA_HEADERS = {"cstddef", "cstdint", "immintrin.h", "arm_neon.h", "kernels/integer.h", "kernels/kernel_table.h",
               "kernels/plug.h"}


def room_of(path):
    """The room of a file, given by its path below the root; None if it stands in none."""
    rooms = [room for room in ROOMS if path.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None
