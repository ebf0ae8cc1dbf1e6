#!/usr/bin/env bash
# Builds the micro-benchmarks of the kernels and prints them as a table. Arguments go to the program: names of its
# parts ("convolutions"), --benchmark-samples N.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset release -DQUANTIZE_TESTS=ON >/dev/null
cmake --build --preset release --target bench_kernels
results=$(mktemp)
trap 'rm -f "$results"' EXIT
build/release/bench_kernels --reporter xml --out "$results" --benchmark-samples 20 --benchmark-warmup-time 20 "$@"
python3 scripts/bench_table.py "$results"
