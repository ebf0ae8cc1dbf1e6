#!/usr/bin/env python3
"""Bad input: one clear sentence, the documented exit code, no output, no stray file."""
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import unittest

import onnx_bytes as onnx
import pictures
from program import DATA, MODEL, Case, main

USAGE, INVALID_MODEL, UNSUPPORTED, IO, CALIBRATION = 2, 3, 4, 5, 6


class CommandLine(Case):
    def test_mistakes_in_it(self):
        table = [
            ([], "MODEL.onnx is required"),
            (["m.onnx", "--no-such-option"], "'--no-such-option' was not expected"),
            (["m.onnx", "--cailb", "i"], "did you mean --calib"),
            (["verify", "a.onnx", "b.onnx", "--images", "i", "--label=l"], "did you mean --labels"),
            (["verfy", "a.onnx", "b.onnx", "--images", "i"], "no command and no file 'verfy'; did you mean 'quantize verify'"),
            (["frobnicate"], "no command and no file 'frobnicate'; the commands are help, calibrate, merge, run, verify,"),
            (["frobnicate", "--calib", "i"], "no command and no file 'frobnicate'"),
            (["help", "frobnicate"], "no command and no file 'frobnicate'"),
            (["Inspect", "m.onnx"], "no command and no file 'Inspect'; did you mean 'quantize inspect'"),
            (["m.onnx", "--calib"], "--calib needs a value"),
            (["m.onnx", "--calib", ""], "--calib is given an empty value"),
            (["m.onnx", "--calib", "i", "-o", ""], "--output is given an empty value"),
            (["m.onnx", "--calib", "i", "--plan="], "--plan"),
            (["m.onnx", "--calib", "i", "--max-memory", ""], "--max-memory is given an empty value"),
            (["inspect", ""], "MODEL.onnx is given an empty value"),
            (["m.onnx", "--calib", "i", "--calib", "j"], "--calib is given more than once"),
            (["m.onnx", "--calib", "i", "--method", "entropi"], "did you mean 'entropy'"),
            (["m.onnx", "--calib", "i", "--json=maybe"], "--json does not take this value"),
            (["m.onnx", "--calib", "i", "--method", "kl"], "kl.*entropy"),
            (["m.onnx", "--calib", "i", "--isa", "z80"], "z80.*scalar"),
            (["m.onnx", "--calib", "i", "--threads", "0"], "--threads"),
            (["m.onnx", "--calib", "i", "--threads", "two"], "--threads"),
            (["m.onnx", "--calib", "i", "--samples", "-1"], "--samples.*1 to "),
            (["m.onnx", "--calib", "i", "--percentile", "101"], "--percentile"),
            (["m.onnx", "--calib", "i", "--target", "toaster"], "toaster.*ort-x86"),
            (["m.onnx", "--calib", "i", "--activations", "f16"], "f16"),
            (["m.onnx", "more.onnx", "--calib", "i"], "more.onnx"),
            (["calibrate", "m.onnx", "--calib", "i"], "--output"),
            (["merge", "-o", "all.stats"], "STATS"),
            (["run", "m.onnx"], "INPUT"),
            (["verify", "m.onnx", "--images", "i"], "CANDIDATE.onnx"),
            (["inspect"], "MODEL.onnx"),
        ]
        for arguments, says in table:
            with self.subTest(arguments):
                self.fails(*arguments, code=USAGE, says=says)

    def test_values_that_only_a_model_or_a_reader_can_judge(self):
        images = self.images(2)
        table = [
            (["--shard", "4/4"], r"--shard '4/4'.*I/N"),
            (["--shard", "half"], r"--shard 'half'"),
            (["--input-shape", "input"], "NAME=1x3x224x224"),
            (["--input-shape", "input=1x1x0x28"], "NAME=1x3x224x224"),
            (["--input-shape", "pixels=1x1x28x28"], "'pixels'.*'input'"),
            (["--input-shape", "input=1x3x28x28"], "1x3x28x28"),
            (["--exclude", "conv("], r"conv\("),
            (["--op-types", "Convolution"], "Convolution"),
            (["--overrides", self.write("o.json", '{"conv1": {"minimum": 0}}')], "minimum"),
            (["--overrides", self.write("p.json", '{"conv1": ')], "p.json"),
            (["--overrides", self.write("s.json", '{"conv1/weight": {"axis": 9}}'), "--preprocess", "unit"], "axis 9"),
            (["--preprocess", self.write("q.json", '{"color": "rgb", "colour": "rgb"}')], "colour"),
            (["--preprocess", self.write("r.json", '{"resize": {"size": 28}}')], "color"),
        ]
        for arguments, says in table:
            with self.subTest(arguments):
                self.fails(MODEL, "--calib", images, "-o", self.folder / "q.onnx", *arguments, code=USAGE, says=says)

    def test_errors_are_json_too(self):
        self.assertEqual(self.run_json("--no-such-option", code=USAGE)["error"]["kind"], "invalid_argument")
        report = self.run_json("inspect", "absent.onnx", code=IO)
        self.assertEqual(report["command"], "inspect")
        self.assertEqual(report["error"]["kind"], "io")
        self.assertEqual(report["error"]["context"], ["absent.onnx"])
        self.assertIsInstance(report["error"]["message"], str)


class Models(Case):
    def refuses(self, model, code, says):
        """Every command that reads a model refuses it in the same way."""
        images = self.folder / "images"
        if not images.exists():
            self.images(2)
        for arguments in (["inspect", model], [model, "--calib", images], ["run", model, images],
                          ["verify", model, MODEL, "--images", images],
                          ["calibrate", model, "--calib", images, "-o", "s.stats"]):
            with self.subTest(arguments[0]):
                self.fails(*arguments, code=code, says=says)

    def test_there_is_none(self):
        self.refuses("absent.onnx", IO, "absent.onnx: .*No such file")

    def test_a_folder(self):
        (self.folder / "folder.onnx").mkdir()
        self.refuses("folder.onnx", IO, "folder.onnx")

    def test_empty(self):
        self.refuses(self.write("empty.onnx", b""), INVALID_MODEL, "empty.onnx")

    def test_truncated(self):
        whole = MODEL.read_bytes()
        for length in (1, 10, 100, 1000, len(whole) // 2, len(whole) - 1):
            with self.subTest(length):
                path = self.write("short.onnx", whole[:length])
                self.fails("inspect", path, code=INVALID_MODEL, says="short.onnx")

    def test_random_bytes(self):
        generator = random.Random(1)
        for length in (16, 4096, 100000):
            with self.subTest(length):
                path = self.write("noise.onnx", generator.randbytes(length))
                self.fails("inspect", path, code=INVALID_MODEL, says="noise.onnx")

    def test_a_tensor_of_2_to_the_60(self):
        for dims in ([1 << 60], [1 << 30, 1 << 30], [1 << 31, 1 << 31, 4], [-4]):
            with self.subTest(dims):
                weight = onnx.tensor("weight", dims, [1.0, 2.0])
                self.refuses(self.write("huge.onnx", onnx.convolution(weight=weight)), INVALID_MODEL, "'?weight")

    def test_external_data(self):
        for location, code, says in (("gone.bin", IO, "gone.bin"), ("../outside.bin", INVALID_MODEL, "outside"),
                                     ("/etc/passwd", INVALID_MODEL, "/etc/passwd")):
            with self.subTest(location):
                weight = onnx.external_tensor("weight", [2, 1, 3, 3], location)
                self.refuses(self.write("external.onnx", onnx.convolution(weight=weight)), code, says)

    def test_a_cycle(self):
        cyclic = onnx.model([onnx.node("Relu", ["b"], ["a"], "first"), onnx.node("Relu", ["a"], ["b"], "second")],
                            [onnx.value("x", [1, 1, 8, 8])], [onnx.value("b", [1, 1, 8, 8])])
        self.refuses(self.write("cyclic.onnx", cyclic), INVALID_MODEL, "first|second")

    def test_an_unknown_operator(self):
        path = self.write("exotic.onnx", onnx.convolution(op_type="Convolute"))
        self.fails(path, "--calib", self.images(2), code=UNSUPPORTED, says=r"exotic.onnx: node 'conv1' \(Convolute")

    def test_shapes_that_cannot_be(self):
        weight = onnx.tensor("weight", [2, 5, 3, 3], [0.5] * 90)
        path = self.write("odd.onnx", onnx.convolution(weight=weight))
        self.fails(path, "--calib", self.images(2), code=INVALID_MODEL, says="'conv1'")

    def test_names_that_would_steer_the_terminal(self):
        path = self.write("escape.onnx", onnx.convolution(op_type="Con\x1b[31mv\n"))
        done = self.run_program(path, "--calib", self.images(2), code=UNSUPPORTED)
        self.assertNotIn("\x1b", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_a_format_that_does_not_exist(self):
        self.fails(MODEL, "--calib", self.images(2), "--format", "int4", code=USAGE,
                   says="int4")


class Images(Case):
    def quantize(self, *arguments):
        return (MODEL, "--calib", self.folder / "images", "--preprocess", "unit", *arguments)

    def test_there_are_none(self):
        (self.folder / "images").mkdir()
        self.fails(*self.quantize(), code=CALIBRATION, says="images")

    def test_there_is_no_folder(self):
        self.fails(*self.quantize(), code=IO, says="images")

    def test_one_of_many_is_text(self):
        self.images(20)
        self.write("images/notes.jpg", "not an image")
        report = self.run_json(*self.quantize("-o", "q.onnx"))
        self.assertEqual((report["samples"], report["skipped_images"]), (20, 1))
        self.assertRegex("\n".join(report["warnings"]), "notes.jpg")

    def numbers(self, i, scale=1.0):
        generator = random.Random(i)
        return [scale * generator.uniform(-1, 1) for _ in range(784)]

    def tensors(self, changed):
        """20 samples of random numbers but for those of the dictionary."""
        for i in range(20):
            self.write(f"images/{i:02}.npy", pictures.npy((1, 1, 28, 28), changed.get(i, self.numbers(i))))

    def test_samples_that_are_not_finite(self):
        for value in (math.nan, math.inf, -math.inf):
            with self.subTest(value):
                self.tensors({4: [value] + self.numbers(4)[1:]})
                arguments = (MODEL, "--calib", "images")
                report = self.run_json(*arguments, "-o", "q.onnx")
                self.assertEqual((report["samples"], report["skipped_images"]), (19, 1))
                self.assertRegex("\n".join(report["warnings"]), "04.npy.*NaN")
                self.fails(*arguments, "--max-bad-images", "0", "-o", "none.onnx", code=CALIBRATION, says="04.npy")
                for command in (("calibrate", *arguments, "-o", "s.stats"), ("verify", MODEL, MODEL, *arguments[1:])):
                    self.assertRegex("\n".join(self.run_json(*command)["warnings"]), "04.npy")
        self.tensors({i: [math.nan] * 784 for i in range(20)})
        self.fails(*arguments, "--max-bad-images", "99", "-o", "none.onnx", code=CALIBRATION, says="no sample can be used")

    def test_a_guess_without_a_picture_says_why(self):
        for i in range(3):
            self.write(f"notes/{i}.png", "no picture")
        for path, more in (("notes/0.png", ""), ("notes", ", and so for 2 more")):
            self.fails(MODEL, "--calib", path, "-o", "q.onnx", code=CALIBRATION,
                       says=rf"no image can be used: 0\.png \(.*no JPEG.*\){more}$")

    def test_memory_that_is_not_there(self):
        self.images(4)
        self.fails(*self.quantize("--max-memory", "100K", "-o", "none.onnx"), code=UNSUPPORTED, says="--max-memory")
        for command in (["calibrate", MODEL, "--calib", "images", "-o", "s.stats"], ["run", MODEL, "images"],
                        ["sensitivity", MODEL, "--calib", "images"], ["bench", MODEL, MODEL, "--rounds", "1"],
                        ["verify", MODEL, MODEL, "--images", "images"]):
            for size in ("100K", "300K"):  # less than the file, and than running it takes
                self.fails(*command, "--max-memory", size, code=UNSUPPORTED, says="of memory, more than .* of --max-memory")
            self.fails(*command, "--max-memory", "much", code=USAGE, says="'much'")
            self.run_program(*command, *(() if command[0] == "bench" else ("--preprocess", "unit")), "--max-memory", "1G")
        (self.folder / "s.stats").unlink()
        for size in ("0", "-1", "nan", "1T", "much"):
            self.fails(*self.quantize("--max-memory", size, "-o", "none.onnx"), code=USAGE, says=f"'{size}'")
        self.run_program(*self.quantize("--max-memory", "1G", "-o", "q.onnx"))

    def test_samples_that_are_odd(self):
        arguments = (MODEL, "--calib", "images", "-o", "q.onnx")
        self.tensors({})
        self.assertEqual(self.run_json(*arguments)["warnings"], [])
        for scale in (10, 1000):
            for place in (2, 19):
                self.tensors({place: self.numbers(place, scale)})
                for command in (arguments, ("calibrate", *arguments)):
                    self.assertRegex("\n".join(self.run_json(*command)["warnings"]), f"{place:02}.npy")
        self.tensors({i: self.numbers(1) for i in range(20)})
        report = self.run_json(*arguments)
        self.assertRegex("\n".join(report["warnings"]), "20 samples do not differ")
        self.assertTrue(all(abs(step["gain"] or 0) < 1e4 for step in report["steps"]))

    def test_more_than_the_limit_are_bad(self):
        self.images(20)
        for i in range(2):
            self.write(f"images/notes{i}.jpg", "not an image")
        self.fails(*self.quantize(), code=CALIBRATION, says="notes0.jpg.*notes1.jpg|--max-bad-images")
        self.fails(*self.quantize("--max-bad-images", "1"), code=CALIBRATION, says="--max-bad-images")
        self.run_program(*self.quantize("--max-bad-images", "2", "-o", "q.onnx"))

    def test_the_only_one_is_bad(self):
        for name, content, says in (
                ("text.jpg", b"not an image", "text.jpg"),
                ("empty.png", b"", "empty.png"),
                ("short.png", pictures.png(28, 28)[:60], "short.png"),
                ("huge.png", pictures.png_header(30000, 30000), "30000"),
        ):
            with self.subTest(name):
                self.write(f"images/{name}", content)
                self.fails(*self.quantize(), code=CALIBRATION, says=says)
                shutil.rmtree(self.folder / "images")

    def test_one_pixel_is_an_image(self):
        self.write("images/pixel.png", pictures.png(1, 1))
        self.run_program(*self.quantize("-o", "q.onnx"))

    def test_a_model_that_takes_no_images(self):
        path = self.write("five.onnx", onnx.convolution(channels=5))
        self.fails(path, "--calib", self.images(2), code=UNSUPPORTED, says="'image'.*5")

    def test_tensors_of_another_shape(self):
        self.write("images/tensor.npy", pictures.npy((1, 3, 28, 28), [0.5] * 3 * 784))
        self.fails(*self.quantize(), code=CALIBRATION, says="tensor.npy.*1x3x28x28")

    def test_a_damaged_tensor(self):
        self.write("images/tensor.npy", pictures.npy((4, 1, 28, 28), [0.5] * 784))
        self.fails(*self.quantize(), code=CALIBRATION, says="tensor.npy")

    def test_colour_preprocessing_for_a_grey_model(self):
        self.images(2)
        path = self.write("p.json", '{"color": "rgb"}')
        self.fails(MODEL, "--calib", "images", "--preprocess", path, code=USAGE, says="channel")


class Outputs(Case):
    def quantize(self, *arguments):
        if not (self.folder / "images").exists():
            self.images(5)
        return (MODEL, "--calib", "images", "--preprocess", "unit", *arguments)

    def test_paths_that_cannot_be(self):
        self.write("file", "")
        for path, code, says in (("file/q.onnx", IO, "'file' is not a directory"), ("absent/q.onnx", IO, "absent.*does not exist"),
                                 ("images", IO, "directory"), (MODEL, USAGE, "input itself")):
            for option in ("-o", "--plan", "--statistics") if path != MODEL else ("-o", "--plan"):
                with self.subTest(f"{option} {path}"):
                    self.fails(*self.quantize(option, path), code=code, says=says)

    def test_the_input_under_another_name(self):
        (self.folder / "link.onnx").symlink_to(MODEL)
        before = MODEL.read_bytes()
        self.fails(*self.quantize("-o", "link.onnx"), code=USAGE, says="input itself")
        self.assertEqual(MODEL.read_bytes(), before)

    def test_a_folder_without_permission(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        folder = self.folder / "locked"
        folder.mkdir(mode=0o500)
        self.fails(*self.quantize("-o", "locked/q.onnx"), code=IO, says="locked.*not writable")

    def test_a_device_without_space(self):
        self.fails(*self.quantize("-o", "/dev/full"), code=IO, says="/dev/full.*No space left")

    def test_standard_output_without_space(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.environ["QUANTIZE"], "inspect", MODEL], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, IO)

    @unittest.skipIf(os.environ.get("QUANTIZE_SANITIZE") == "thread", "ThreadSanitizer keeps its own memory in files")
    def test_a_file_that_may_not_grow(self):
        """A limit on the size of files, which fails as a full disk does: in the middle of a write."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        self.images(5)
        for arguments in (self.quantize("-o", "q.onnx"), ("calibrate", *self.quantize("-o", "s.stats"))):
            before = self.files()
            done = self.run_program(*arguments, code=IO, preexec_fn=limit)
            self.assertRegex(done.stderr, "File too large")
            self.assertEqual(self.files(), before)

    def test_a_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True,
                                 text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        (disk / "q.onnx").write_bytes(b"old")
        self.fails(*self.quantize("-o", "disk/q.onnx"), code=IO, says="q.onnx.*No space left")
        self.assertEqual((disk / "q.onnx").read_bytes(), b"old")


class Statistics(Case):
    def calibrate(self, name="s.stats", model=MODEL, preprocess="unit"):
        if not (self.folder / "images").exists():
            self.images(5)
        self.run_program("calibrate", model, "--calib", "images", "--preprocess", preprocess, "-o", name)
        return self.folder / name

    def test_of_another_model(self):
        path = self.calibrate(model=DATA / "mobilenet_fashion.onnx")
        self.fails(MODEL, "--statistics", path, code=CALIBRATION, says="model")

    def test_of_another_preprocessing(self):
        path = self.calibrate(preprocess="tf")
        self.fails(MODEL, "--statistics", path, "--calib", "images", "--preprocess", "unit", code=CALIBRATION,
                   says="preprocessing")

    def test_damaged(self):
        whole = self.calibrate().read_bytes()
        for content in (b"", b"text", whole[:100], whole[:-1], whole + b"x"):
            with self.subTest(len(content)):
                path = self.write("bad.stats", content)
                self.fails(MODEL, "--statistics", path, code=CALIBRATION, says="bad.stats")
                self.fails("merge", self.folder / "s.stats", path, "-o", "sum.stats", code=CALIBRATION,
                           says="bad.stats")

    def test_neither_statistics_nor_images(self):
        self.fails(MODEL, code=USAGE, says="--calib")
        self.fails(MODEL, "--statistics", "absent.stats", code=USAGE, says="--calib")

    def test_merging_what_does_not_belong_together(self):
        one, other = self.calibrate("a.stats"), self.calibrate("b.stats", preprocess="tf")
        self.fails("merge", one, other, "-o", "sum.stats", code=CALIBRATION, says="b.stats.*preprocessing")


class Runs(Case):
    def test_inputs_that_do_not_fit(self):
        self.write("x.npy", pictures.npy((1, 1, 28, 28), [0.5] * 784))
        self.write("y.npy", pictures.npy((1, 1, 27, 28), [0.5] * 756))
        for arguments, code, says in ((["pixels=x.npy"], USAGE, "'pixels=x.npy'.*'input'"),
                                      (["input=absent.npy"], IO, "absent.npy"),
                                      (["input=y.npy"], CALIBRATION, "y.npy.*1x1x27x28"),
                                      (["absent"], IO, "absent")):
            with self.subTest(arguments):
                self.fails("run", MODEL, *arguments, "-o", "out", code=code, says=says)

    def test_labels(self):
        images = self.images(2)
        for text, says in (("a.png\n", "line 1.*class"), ("a.png one\n", "line 1.*class"), ("a.png 1\n", "no sample has a label"),
                           ("", "'[^']*labels.txt' are empty"), ("\n \r\n\t\n", "are empty"), (" 3\n", "line 1.*class"),
                           ("a.png 99999999999\n", "line 1.*class"),
                           ("a.png 1\nb.png 2\na.png 1\na.png 3\n", "line 4.*'a.png' a second class")):
            with self.subTest(text):
                path = self.write("labels.txt", text)
                for command in (("verify", MODEL, MODEL), (MODEL, "-o", "q.onnx", "--max-drop", "1")):
                    self.fails(*command, "--images", images, "--preprocess", "unit", "--labels", path, code=USAGE, says=says)
                if "no sample" not in says:
                    self.fails(MODEL, "-o", "q.onnx", "--calib", images, "--labels", path, code=USAGE, says=says)
        self.fails("verify", MODEL, MODEL, "--images", images, "--labels", "absent", code=IO, says="absent")
        self.fails("verify", MODEL, MODEL, "--images", images, "--max-drop", "1", code=USAGE, says="--labels")
        self.run_program("calibrate", MODEL, "--calib", images, "--preprocess", "unit", "-o", "s.stats")
        self.fails(MODEL, "-o", "q.onnx", "--statistics", "s.stats", "--labels", path, code=USAGE, says="--labels.*--calib")

    def test_models_that_do_not_compare(self):
        path = self.write("other.onnx", onnx.convolution(size=28))
        self.fails("verify", MODEL, path, "--images", self.images(2), "--preprocess", "unit", code=USAGE,
                   says="same model")


if __name__ == "__main__":
    main()
