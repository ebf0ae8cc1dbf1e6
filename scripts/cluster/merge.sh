#!/usr/bin/env bash
# Adds the statistics of all shards and quantizes: merge.sh SHARDS MODEL IMAGES FOLDER OUTPUT [options of quantize].
# A shard that is missing is an error.
set -euo pipefail

[ $# -ge 5 ] || { echo "usage: merge.sh SHARDS MODEL IMAGES FOLDER OUTPUT [options of quantize]" >&2; exit 2; }
shards=$1 model=$2 images=$3 folder=$4 output=$5
shift 5

files=()
for ((index = 0; index < shards; ++index)); do files+=("$folder/shard-$index-of-$shards.stats"); done
"${QUANTIZE:-quantize}" merge "${files[@]}" -o "$folder/all.stats"
# shellcheck disable=SC2086
exec "${QUANTIZE:-quantize}" "$model" --calib "$images" --statistics "$folder/all.stats" \
  ${THREADS:+--threads "$THREADS"} ${SAMPLE_OPTIONS:-} -o "$output" "$@"
