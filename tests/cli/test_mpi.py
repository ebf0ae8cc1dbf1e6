#!/usr/bin/env python3
"""quantize_mpi: the same bytes as quantize, whatever number of ranks; failures that end the job; resuming it."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pictures
from program import DATA, MODEL, Case, main

LAUNCHER, MPIRUN = os.environ.get("QUANTIZE_MPI", ""), os.environ.get("MPIRUN", "")
USAGE, INVALID_MODEL, IO, CALIBRATION, INTERRUPTED = 2, 3, 5, 6, 130
UNIT = ("--preprocess", "unit")
# For tests alone: more ranks than CPUs, and as root in a container.
ENVIRONMENT = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class Ranks(Case):
    def words(self, ranks, arguments):
        return [MPIRUN, "--oversubscribe", "-n", str(ranks), LAUNCHER, *map(str, arguments)]

    def run_ranks(self, ranks, *arguments, code=0):
        # Jobs that start at once would make one folder of Open MPI's together, and one of them fails.
        with tempfile.TemporaryDirectory() as own:
            done = subprocess.run(self.words(ranks, arguments), cwd=self.folder, capture_output=True, text=True, timeout=300,
                                  env=ENVIRONMENT | {"TMPDIR": own}, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, f"{arguments}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def json_of_ranks(self, ranks, *arguments):
        return json.loads(self.run_ranks(ranks, *arguments, "--json").stdout)

    def ranks_fail(self, ranks, *arguments, code, says):
        """One sentence, no output, no new file but finished shards."""
        before = self.files()
        done = self.run_ranks(ranks, *arguments, code=code)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertRegex(errors[0], says)
        self.assertEqual(done.stdout, "")
        self.assertEqual([name for name in self.files() if "shard" not in name], before)

    def bytes_of(self, name):
        return (self.folder / name).read_bytes()

    def tensors(self, count, special):
        """A folder of arrays; `special` of them have this factor."""
        for i in range(count):
            factor = special.get(i, 1)
            self.write(f"tensors/{i:02}.npy", pictures.npy((1, 1, 28, 28), [factor * ((p * (i + 3)) % 17) / 17 for p in range(784)]))
        return "tensors"


class SameBytes(Ranks):
    def test_every_method(self):
        self.images(20)
        for method in ("max", "percentile", "entropy", "mse", "auto"):
            words = (MODEL, "--calib", "images", *UNIT, "--method", method)
            single = self.run_json(*words, "-o", "single.onnx")
            with ThreadPoolExecutor() as pool:             # a job of MPI waits for most of its time
                jobs = list(pool.map(lambda ranks: self.json_of_ranks(ranks, *words, "-o", f"{ranks}.onnx"), (1, 2, 3)))
            for ranks, shared in enumerate(jobs, 1):
                with self.subTest(method=method, ranks=ranks):
                    self.assertEqual(self.bytes_of(f"{ranks}.onnx"), self.bytes_of("single.onnx"))
                    self.assertEqual(shared["command"], "quantize_mpi")
                    for key in ("samples", "warnings", "method", "nodes", "quality", "preprocessing", "bytes_after"):
                        self.assertEqual(shared[key], single[key])

    def test_statistics(self):
        self.images(12)
        calibrate = ("calibrate", MODEL, "--calib", "images", *UNIT)
        self.run_program(*calibrate, "-o", "single.stats")
        for ranks, more in ((1, ()), (2, ("--threads", "3")), (3, ("--shards", "5")), (2, ("--shards", "100"))):
            with self.subTest(ranks=ranks, more=more):
                self.run_ranks(ranks, MODEL, "--calib", "images", *UNIT, "--method", "max", "-o", "q.onnx", "--statistics", "shared.stats", *more)
                self.assertEqual(self.bytes_of("shared.stats"), self.bytes_of("single.stats"))
                (self.folder / "shared.stats").unlink()
        # Files that exist are read, as by quantize.
        self.assertTrue(self.json_of_ranks(2, MODEL, "--statistics", "single.stats", "--method", "max", "-o", "q.onnx")["statistics"]["read"])

    def test_bad_images_count_together(self):
        images = self.images(4)
        for name in ("a_bad.png", "m_bad.png"):
            (images / name).write_text("GIF89a")
        words = (MODEL, "--calib", "images", *UNIT, "--method", "mse", "--max-bad-images", "2")
        single = self.run_json(*words, "-o", "single.onnx")
        for ranks in (3, 6):            # of six, two have a bad image alone
            shared = self.json_of_ranks(ranks, *words, "-o", "shared.onnx")
            self.assertEqual((shared["warnings"], shared["skipped_images"]), (single["warnings"], 2))
            self.assertEqual(self.bytes_of("shared.onnx"), self.bytes_of("single.onnx"))
        self.ranks_fail(3, MODEL, "--calib", "images", *UNIT, "--max-bad-images", "1", "-o", "q.onnx", code=CALIBRATION,
                        says="at least 2 of 6 images cannot be used, more than --max-bad-images 1 allows: a_bad.png .*m_bad.png")

    def test_samples_that_overflow_are_told_by_all(self):
        for special in ({4: 1e30}, {0: 1e30, 5: 1e30, 6: 1e30}, {i: 1e30 for i in range(5)}):
            tensors = self.tensors(8, special)
            words = (MODEL, "--calib", tensors, "--method", "max", "--max-bad-images", "4")
            single = self.run_json(*words, "-o", "single.onnx")
            for ranks, more in ((3, ()), (2, ("--shards", "8"))):
                with self.subTest(special=list(special), ranks=ranks):
                    shared = self.json_of_ranks(ranks, *words, *more, "-o", "shared.onnx")
                    self.assertEqual(shared["warnings"], single["warnings"])
                    self.assertEqual(self.bytes_of("shared.onnx"), self.bytes_of("single.onnx"))


class Failures(Ranks):
    def test_one_sentence_and_the_exit_code(self):
        images = self.images(8)
        self.write("bad.onnx", b"no model")
        self.write("file", "x")
        words = (MODEL, "--calib", images, *UNIT)
        self.ranks_fail(2, "bad.onnx", "--calib", "images", "-o", "q.onnx", code=INVALID_MODEL, says="bad.onnx")
        self.ranks_fail(2, MODEL, "--calib", "nowhere", "-o", "q.onnx", code=IO, says="nowhere")
        self.ranks_fail(2, *words, "--methud", "max", code=USAGE, says="did you mean --method.*quantize_mpi --help")
        self.ranks_fail(2, "-", "--calib", images, "-o", "q.onnx", code=USAGE, says="'-' reaches one process alone")
        self.ranks_fail(2, *words, "-o", "/dev/full", code=IO, says="/dev/full")
        self.ranks_fail(2, *words, "--shard-dir", "file", "-o", "q.onnx", code=IO, says="file")
        self.assertIn("quantize_mpi MODEL.onnx", self.run_ranks(2, "--help").stdout)

    def test_ranks_that_see_other_images(self):
        self.images(8)
        self.images(7, "fewer")
        launch = [MPIRUN, "--oversubscribe"]
        for k, folder in enumerate(("images", "fewer")):
            launch += [*([":"] if k else []), "-n", "1", LAUNCHER, str(MODEL), "--calib", folder, *UNIT, "-o", "q.onnx"]
        done = subprocess.run(launch, cwd=self.folder, capture_output=True, text=True, timeout=300, env=ENVIRONMENT)
        self.assertEqual(done.returncode, CALIBRATION, done.stderr)
        self.assertIn("rank 1 has another model or other images than rank 0", done.stderr)
        self.assertNotIn("q.onnx", self.files())


class Resuming(Ranks):
    def slow(self, images):
        """Words for a job that takes its time: images that take long to shrink."""
        for folder in ("images", "shards"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        self.write("images/000.pgm", b"P5 3000 3000 255\n" + bytes(range(250)) * 36000)
        for i in range(1, images):
            os.link(self.folder / "images/000.pgm", self.folder / f"images/{i:03}.pgm")
        return (MODEL, "--calib", "images", *UNIT, "--method", "max", "--threads", "1", "--shard-dir", "shards", "--shards", "8", "-o", "q.onnx")

    def shards(self):
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "shards").glob("*.stats")}

    def rank(self, number):
        """The process of a rank of this test."""
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").resolve() == self.folder.resolve():
                    if f"OMPI_COMM_WORLD_RANK={number}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                        return int(entry.name)
            except OSError:
                continue  # it has ended
        return None

    def signalled(self, number, which):
        """Of a job in which a rank got a signal after the first shard: its words, exit code and errors. One that was
        done before is repeated with more images."""
        for images in (40, 160, 640):
            words = self.slow(images)
            code, errors = self.signal_once(words, number, which)
            if code != 0:
                return words, images, code, errors
            (self.folder / "q.onnx").unlink()
        self.fail("every job was done before the signal")

    def signal_once(self, words, number, which):
        job = subprocess.Popen(self.words(2, words), cwd=self.folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not self.shards() and time.monotonic() < until:
            time.sleep(0.01)
        process = self.rank(number)
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, which)
        stdout, stderr = job.communicate(timeout=120)
        if job.returncode:
            self.assertEqual(stdout, "")
            self.assertNotIn("q.onnx", self.files())
        return job.returncode, [line for line in stderr.splitlines() if line.startswith("error: ")]

    def test_a_rank_that_dies(self):
        words, images, _, errors = self.signalled(1, signal.SIGKILL)
        self.assertLessEqual(len(errors), 1)
        finished = self.shards()
        self.assertTrue(0 < len(finished) < 8, finished)
        report = self.json_of_ranks(3, *words)
        self.assertEqual(report["samples"], images)
        self.assertEqual({name: self.shards()[name] for name in finished}, finished)
        self.run_program(*words[:words.index("--shard-dir")], "-o", "single.onnx")
        self.assertEqual(self.bytes_of("q.onnx"), self.bytes_of("single.onnx"))

    def test_a_rank_that_is_told_to_end(self):
        for number in (0, 1):
            with self.subTest(rank=number):
                _, _, code, errors = self.signalled(number, signal.SIGTERM)
                self.assertEqual((code, errors), (INTERRUPTED, ["error: interrupted; unfinished files were removed"]))
                self.assertFalse([name for name in self.files() if ".stats" in name and not name.endswith(".stats")])

    def test_what_is_out_of_date_is_made_again(self):
        images = self.images(12)
        words = (MODEL, "--calib", images, "--method", "max", "--shard-dir", "shards", "--shards", "4", "-o", "q.onnx")
        self.run_ranks(2, *words, *UNIT)
        for i in range(4):             # the files are those of quantize
            name = f"shard-{i}-of-4.stats"
            self.run_program("calibrate", MODEL, "--calib", images, *UNIT, "--shard", f"{i}/4", "-o", name)
            self.assertEqual(self.bytes_of(f"shards/{name}"), self.bytes_of(name))
        before = self.shards()
        self.run_ranks(3, *words, *UNIT)
        self.assertEqual(self.shards(), before)
        damaged = self.folder / "shards/shard-2-of-4.stats"
        damaged.write_bytes(damaged.read_bytes()[:-30])
        self.run_ranks(2, *words, *UNIT)
        self.assertEqual([name for name, when in self.shards().items() if when != before[name]], ["shard-2-of-4.stats"])
        last = sorted(images.iterdir())[-1]                       # another image of the same size
        content = bytearray(last.read_bytes())
        content[-1] ^= 1
        before = self.shards()
        last.write_bytes(content)
        self.run_ranks(2, *words, *UNIT)
        self.assertEqual([name for name, when in self.shards().items() if when != before[name]], ["shard-3-of-4.stats"])
        before = self.shards()
        self.run_ranks(2, *words, "--preprocess", "tf")
        self.assertFalse(set(self.shards().values()) & set(before.values()))
        self.run_program(MODEL, "--calib", images, "--method", "max", "--preprocess", "tf", "-o", "single.onnx")
        self.assertEqual(self.bytes_of("q.onnx"), self.bytes_of("single.onnx"))


if __name__ == "__main__":
    if not Path(LAUNCHER).is_file() or not Path(MPIRUN).is_file():
        print("SKIPPED: quantize_mpi is not built, or there is no mpirun; install what scripts/setup.sh --tests does")
        sys.exit(77)
    main()
