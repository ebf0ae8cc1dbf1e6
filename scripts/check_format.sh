#!/usr/bin/env bash
# Fails if clang-format would change a source file. With --fix, changes it.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run -Werror)
[ "${1:-}" = "--fix" ] && mode=(-i)
find cli core kernels calibration onnx_io tests -name '*.h' -o -name '*.cpp' | sort | xargs clang-format --style=file "${mode[@]}"
echo "format: checked"
