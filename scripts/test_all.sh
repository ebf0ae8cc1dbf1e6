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

# AddressSanitizer and UndefinedBehaviorSanitizer on the unit tests of core, of calibration and of the reader of model files, with
# thousands of damaged ones. The same commands without targets and names cover everything, and take longer.
cmake --preset asan-ubsan
cmake --build --preset asan-ubsan --target test_core test_suites test_calibration test_onnx_io test_fuzz
ctest --preset asan-ubsan --parallel "$(nproc)" -R '^test_(core|calibration|onnx_io|fuzz):'
