#!/usr/bin/env bash
# Calibrates one shard: shard.sh SHARDS MODEL IMAGES FOLDER. The number of the shard is that of the array's task or of
# the Job's index. FOLDER keeps the statistics; a shard whose statistics are there and up to date is not run again.
set -euo pipefail

[ $# -eq 4 ] || { echo "usage: shard.sh SHARDS MODEL IMAGES FOLDER" >&2; exit 2; }
shards=$1 model=$2 images=$3 folder=$4
index=${SLURM_ARRAY_TASK_ID:-${JOB_COMPLETION_INDEX:-}}
[ -n "$index" ] || { echo "shard.sh: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX says which shard" >&2; exit 2; }

mkdir -p "$folder"
# SAMPLE_OPTIONS: several words, such as --preprocess unit.
# shellcheck disable=SC2086
exec "${QUANTIZE:-quantize}" calibrate "$model" --calib "$images" --shard "$index/$shards" --resume \
  ${THREADS:+--threads "$THREADS"} ${SAMPLE_OPTIONS:-} -o "$folder/shard-$index-of-$shards.stats"
