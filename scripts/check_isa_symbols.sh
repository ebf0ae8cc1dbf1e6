#!/usr/bin/env bash
# Fails if an object file compiled for one instruction set exports more than its plug_<isa> or plug_<isa>_<part>: the linker may merge an
# inline function it shares with others, and older CPUs would then run it. Usage: check_isa_symbols.sh [BUILD_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/dev}
checked=0
for folder in kernels/*/; do
  isa=$(basename "$folder")
  for object in "$build"/CMakeFiles/quantize_kernels.dir/kernels/"$isa"/*.o; do
    [ -e "$object" ] || continue
    checked=$((checked + 1))
    others=$(nm --demangle --defined-only --extern-only "$object" | cut -d' ' -f2- |
      grep -v -x -E "T quantize::plug_$isa(_[a-z0-9]+)?\(quantize::KernelTable&\)" || true)
    if [ -n "$others" ]; then
      echo "$object exports, besides plug_$isa:" >&2
      echo "$others" >&2
      exit 1
    fi
  done
done
if [ "$checked" = 0 ]; then
  echo "no object files of kernels under $build: build it first" >&2
  exit 1
fi
echo "isa symbols: $checked objects checked"
