#!/usr/bin/env bash
# Sets up, builds with warnings as errors and passes the tests of this machine. Options go to ctest (for example: -L unit).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh --tests
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
