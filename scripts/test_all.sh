#!/usr/bin/env bash
# All that .ci/run tests: scripts/test.sh, then 64-bit Arm under an emulator, the warnings of Clang, and a run with sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/test.sh
scripts/check_clang.py

# The kernels and the engine for 64-bit Arm.
cmake --preset aarch64
cmake --build --preset aarch64
ctest --preset aarch64 --parallel "$(nproc)"

# AddressSanitizer and UndefinedBehaviorSanitizer on the reader of model files, damaged ones included, and on core: operators,
# passes, plan and engine with every kernel it calls. Not on images, the search and the command line: a build of all takes longer
# than the rest of this script.
cmake --preset asan-ubsan
cmake --build --preset asan-ubsan --target test_core test_onnx_io test_fuzz
ctest --preset asan-ubsan --parallel "$(nproc)" -R '^test_(core|onnx_io|fuzz): '
