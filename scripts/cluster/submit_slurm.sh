#!/usr/bin/env bash
# Submits an array of shards and the job that merges them: submit_slurm.sh SHARDS MODEL IMAGES FOLDER OUTPUT
# [options of quantize]. Run again after a failure, it computes what is missing. CPUS: per task, 4 unless set.
set -euo pipefail

[ $# -ge 5 ] || { echo "usage: submit_slurm.sh SHARDS MODEL IMAGES FOLDER OUTPUT [options of quantize]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
shards=$1
logs=$4/logs
mkdir -p "$logs"

array=$(sbatch --parsable --job-name=quantize-shards --array="0-$((shards - 1))" --cpus-per-task="${CPUS:-4}" --requeue \
  --output="$logs/shard-%a.log" "$here/shard.sh" "${@:1:4}")
sbatch --parsable --job-name=quantize-merge --dependency="afterok:${array%%;*}" --cpus-per-task="${CPUS:-4}" \
  --output="$logs/merge.log" "$here/merge.sh" "$@"
