#!/usr/bin/env bash
# All that .ci/run tests: scripts/test.sh, then 64-bit Arm under an emulator, tests with sanitizers, fuzzing, the warnings of Clang.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/test.sh

# The kernels and the engine for 64-bit Arm.
cmake --preset aarch64
cmake --build --preset aarch64
ctest --preset aarch64 --parallel "$(nproc)"

# One build with AddressSanitizer and UndefinedBehaviorSanitizer serves twice: for the unit tests of core, of calibration and of
# the reader of model files, then for the fuzz targets, 60 seconds each. The same ctest without names covers everything, and
# takes longer; the preset asan-ubsan checks the kernels too.
cmake --preset fuzz
cmake --build --preset fuzz --target test_core test_calibration test_onnx_io test_fuzz
ctest --preset fuzz --parallel "$(nproc)" -R '^test_(core|calibration|onnx_io|fuzz):'
scripts/fuzz.sh

# Clang's warnings about the files that only GCC has compiled so far.
scripts/check_clang.py build/dev build/fuzz
