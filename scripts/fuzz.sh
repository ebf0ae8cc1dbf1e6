#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer and the sanitizers and runs them, as many at once as there are cores.
#   fuzz.sh [SECONDS [TARGET...]]    default: every target for 60 seconds
# The first run draws the same inputs everywhere (seed 1); what reached new code is kept in build/fuzz/corpus for the next.
# Fails if one finds a fault, and prints its report: it is in build/fuzz/findings/TARGET.log, the input in TARGET-* beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-60}"
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -n 's/^FUZZ_TARGET(\(.*\))$/\1/p' tests/fuzz/targets.def)
fi

cmake --preset fuzz
cmake --build --preset fuzz --target quantize suite_writer "${targets[@]/#/fuzz_}"
folder=build/fuzz
mkdir -p $folder/findings
rm -f $folder/findings/*
python3 tests/fuzz/seeds.py $folder $folder/seeds

# Protobuf and the codecs are not instrumented: containers that cross into them must not be checked for overflows.
export ASAN_OPTIONS="detect_container_overflow=0:allocator_may_return_null=0"
export LSAN_OPTIONS="print_suppressions=0:suppressions=$PWD/tests/fuzz/leaks.supp"
run() {
  local log="$folder/findings/$1.log"
  mkdir -p "$folder/corpus/$1"
  "$folder/fuzz_$1" -seed=1 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=65536 \
    -print_final_stats=1 -verbosity=1 -artifact_prefix="$folder/findings/$1-" "$folder/corpus/$1" "$folder/seeds/$1" \
    > "$log" 2>&1 || { echo "fuzz: $1 FAILED; the end of $log:"; tail -n 80 "$log"; return 1; }
  echo "fuzz: $1: $(sed -n 's/stat::number_of_executed_units: *//p' "$log") inputs, no fault"
}
export -f run
export seconds folder
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run {}'
