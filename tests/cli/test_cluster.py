#!/usr/bin/env python3
"""scripts/cluster with stand-ins: a sbatch that runs arrays here, and the commands of Kubernetes' Jobs."""
import json
import os
import re
import shutil
import stat
import subprocess

from program import DATA, MODEL, PROGRAM, Case, main

SCRIPTS = DATA.parent / "scripts/cluster"
IO = 5

# As Slurm does: a copy of the script runs for each task; a job that depends on one that failed never does.
SBATCH = """#!/bin/bash
set -u
for ((n = 1; n <= $#; ++n)); do
  case "${!n}" in
    --array=0-*) last=${!n#--array=0-} ;;
    --dependency=afterok:*) after=${!n#--dependency=afterok:} ;;
    --output=*) output=${!n#--output=} ;;
    --*) ;;
    *) break ;;
  esac
done
job=$(ls "$SPOOL" | wc -l); spool=$SPOOL/job$job; mkdir "$spool"
cp "${!n}" "$spool/script"; chmod +x "$spool/script"; shift "$n"
echo "$job;cluster"
if [ -n "${after:-}" ] && [ -e "$SPOOL/job$after/failed" ]; then exit; fi
run() { "$spool/script" "$@" >"${output//%a/${SLURM_ARRAY_TASK_ID:-}}" 2>&1 || { echo $? >>"$spool/failed"; }; }
if [ -z "${last:-}" ]; then run "$@"; exit; fi
for ((task = last; task >= 0; --task)); do SLURM_ARRAY_TASK_ID=$task run "$@"; done
"""


class Cluster(Case):
    def setUp(self):
        super().setUp()
        self.images(18)
        shutil.copy(MODEL, self.folder / "model.onnx")
        self.environment = os.environ | {"QUANTIZE": str(PROGRAM), "SAMPLE_OPTIONS": "--preprocess unit"}
        self.run_program("model.onnx", "--calib", "images", "--preprocess", "unit", "-o", "single.onnx")

    def same_as_one_machine(self, name):
        self.assertEqual((self.folder / name).read_bytes(), (self.folder / "single.onnx").read_bytes())

    def times(self):
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "shards").glob("shard-*.stats")}

    def fail_once(self, name):
        """Something stands where the file of a shard is to be."""
        self.write(f"shards/{name}/x", "")
        return lambda: shutil.rmtree(self.folder / "shards" / name)


class Slurm(Cluster):
    def setUp(self):
        super().setUp()
        sbatch = self.write("bin/sbatch", SBATCH)
        sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
        (self.folder / "spool").mkdir()
        self.environment |= {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "SPOOL": str(self.folder / "spool")}

    def submit(self, *more):
        return subprocess.run([SCRIPTS / "submit_slurm.sh", "5", "model.onnx", "images", "shards", "out.onnx", *more],
                              cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=True)

    def log(self, name):
        return (self.folder / "shards/logs" / name).read_text()

    def test_an_array_and_the_job_behind_it(self):
        self.submit()
        self.same_as_one_machine("out.onnx")
        self.assertEqual(len(self.times()), 5)

    def test_a_task_that_failed_is_repeated_alone(self):
        repair = self.fail_once("shard-3-of-5.stats")
        self.submit("--method", "auto")
        self.assertIn("error: ", self.log("shard-3.log"))
        self.assertEqual((self.folder / "spool/job0/failed").read_text(), f"{IO}\n")
        self.assertNotIn("out.onnx", self.files())
        repair()
        finished = self.times()
        self.assertEqual(len(finished), 4)
        self.submit("--method", "auto")
        self.assertEqual({name: self.times()[name] for name in finished}, finished)
        self.assertIn("finished before", self.log("shard-0.log"))
        self.assertNotIn("finished before", self.log("shard-3.log"))
        self.same_as_one_machine("out.onnx")


class Kubernetes(Cluster):
    def job(self, name):
        """The words of a Job's command, and its number of indices."""
        text = (SCRIPTS / name).read_text()
        words = json.loads(re.search(r"command: (\[.*\])", text).group(1))
        words = [word.replace("/opt/quantize", str(SCRIPTS)).replace("/data", str(self.folder)) for word in words]
        completions = re.search(r"completions: (\d+)", text)
        return words, int(completions.group(1)) if completions else 1

    def run_index(self, words, index):
        environment = self.environment | {"THREADS": "2"} | ({} if index is None else {"JOB_COMPLETION_INDEX": str(index)})
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)

    def test_every_index_and_the_merge(self):
        words, count = self.job("shards_job.yaml")
        merge, _ = self.job("merge_job.yaml")
        self.assertEqual((words[1], merge[1]), (str(count), str(count)))
        repair = self.fail_once(f"shard-2-of-{count}.stats")
        codes = [self.run_index(words, index).returncode for index in range(count)]
        self.assertEqual([index for index, code in enumerate(codes) if code], [2])
        self.assertNotEqual(self.run_index(merge, None).returncode, 0)
        self.assertNotIn("model.qdq.onnx", self.files())
        repair()
        finished = self.times()
        self.assertEqual(self.run_index(words, 2).returncode, 0)
        self.assertEqual({name: self.times()[name] for name in finished}, finished)
        done = self.run_index(merge, None)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.same_as_one_machine("model.qdq.onnx")

    def test_words_that_are_missing(self):
        words, _ = self.job("shards_job.yaml")
        self.assertIn("JOB_COMPLETION_INDEX", self.run_index(words, None).stderr)
        self.assertIn("usage: shard.sh", self.run_index(words[:3], 0).stderr)


if __name__ == "__main__":
    main()
