#!/usr/bin/env bash
# Sets up, builds with warnings as errors and passes all tests. Options are passed on to ctest (for example: -L unit).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh test
# onnx and onnxruntime, for the tests that compare with them; kept in .venv and made once.
if [ ! -x .venv/bin/python ] || ! cmp -s tests/requirements.txt .venv/requirements.txt; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  cp tests/requirements.txt .venv/requirements.txt
fi
cmake --preset dev
cmake --build --preset dev
ctest --preset dev --parallel "$(nproc)" "$@"
# The kernels and the engine for 64-bit Arm, under an emulator.
cmake --preset aarch64
cmake --build --preset aarch64
ctest --preset aarch64 --parallel "$(nproc)"
