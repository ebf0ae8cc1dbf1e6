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

# AddressSanitizer and UndefinedBehaviorSanitizer on what comes from elsewhere: the reader of model files, thousands of damaged
# ones among them, and the passes that they go through: about eight minutes of one core. The same commands without targets and
# names cover everything, and take several times as long.
cmake --preset asan-ubsan
cmake --build --preset asan-ubsan --target test_onnx_io test_fuzz
ctest --preset asan-ubsan --parallel "$(nproc)" -R '^test_(onnx_io|fuzz):'
