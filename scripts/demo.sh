#!/usr/bin/env bash
# Sets up, builds the optimized program and does the main job on the small MobileNet and the images in data/. The build
# takes most of the time: four minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
cmake --preset release -DQUANTIZE_TESTS=OFF >/dev/null
cmake --build --preset release --target quantize

quantize=build/release/quantize
out=build/demo
mkdir -p "$out"
show() { printf '\n$ %s\n' "$*"; "$@"; }
show $quantize data/mobilenet_fashion.onnx --calib data/calib -o $out/mobilenet_fashion.qdq.onnx
show $quantize verify data/mobilenet_fashion.onnx $out/mobilenet_fashion.qdq.onnx --images data/eval --labels data/eval_labels.txt
