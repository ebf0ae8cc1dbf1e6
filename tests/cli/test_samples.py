#!/usr/bin/env python3
"""Which samples are read, and what is said of those that are not."""
import os
import shutil
import threading
import zipfile
from io import BytesIO

import onnx_bytes
import pictures
from program import DATA, MODEL, Case, main

USAGE, IO, CALIBRATION = 2, 5, 6
UNIT = ("--preprocess", "unit")


def npz(name):
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}.npy", pictures.npy((1, 1, 28, 28), [0.5] * 784))
    return content.getvalue()


class Listing(Case):
    def setUp(self):
        super().setUp()
        self.images(6)
        for name in ("a.gif", "b.GIF", "c.mp4", "notes.txt", "Thumbs.db", ".hidden.gif"):
            self.write(f"images/{name}", "x")

    def test_every_command_names_what_it_leaves_out(self):
        for arguments in ((MODEL, "--calib", "images", "-o", "q.onnx"), ("calibrate", MODEL, "--calib", "images", "-o", "s.stats"),
                          ("verify", MODEL, MODEL, "--images", "images"), ("run", MODEL, "images"),
                          ("sensitivity", MODEL, "--calib", "images")):
            with self.subTest(arguments[0]):
                warnings = self.run_json(*arguments, *UNIT)["warnings"]
                self.assertEqual(len([w for w in warnings if "3 files are left out" in w and "2 .gif, 1 .mp4" in w]), 1, warnings)

    def test_links_and_pipes(self):
        shutil.move(self.folder / "images", self.folder / "elsewhere")
        (self.folder / "images").mkdir()
        (self.folder / "images/holiday").symlink_to("../elsewhere")
        (self.folder / "images/round").symlink_to(".")
        os.mkfifo(self.folder / "images/pipe.jpg")
        report = self.run_json("run", MODEL, "images", *UNIT)
        self.assertEqual(report["samples"], 6)
        self.assertIn("1 FIFO ('pipe.jpg')", report["warnings"][0])

    def test_a_folder_with_nothing_to_read(self):
        self.write("movies/a.mp4", "x")
        self.write("movies/b.txt", "x")
        self.fails("run", MODEL, "movies", code=CALIBRATION, says=r"but 1 \.mp4, 1 of other kinds \('b\.txt'\)")
        (self.folder / "empty").mkdir()
        self.fails("run", MODEL, "empty", code=CALIBRATION, says="which is empty")

    def test_many_bad_images_are_one_warning(self):
        for i in range(6):
            self.write(f"images/bad{i}.jpg", "GIF89a")
        report = self.run_json("run", MODEL, "images", *UNIT, "--max-bad-images", "6")
        bad = [w for w in report["warnings"] if "bad0" in w]
        self.assertRegex(bad[0], r"^6 of 12 images were skipped: 'bad0\.jpg' \(.*but GIF.*'bad2.*; 3 others$")
        self.assertEqual((len(bad), report["samples"]), (1, 6))
        done = self.run_program("run", MODEL, "images", *UNIT, code=CALIBRATION)
        self.assertRegex(done.stderr, r"at least 2 of 12 images cannot be used, more than --max-bad-images 1")


class Inputs(Case):
    """Models with several inputs, and with others than planes of floats."""

    def setUp(self):
        super().setUp()
        self.images(8, "left")
        self.images(8, "right")
        difference = onnx_bytes.node("Sub", ["left", "right"], ["difference"])
        nodes = [difference, onnx_bytes.node("Conv", ["difference", "weight"], ["conv"], kernel_shape=[3, 3]),
                 onnx_bytes.node("Mul", ["conv", "size"], ["result"])]
        inputs = [onnx_bytes.value(name, [1, 1, 28, 28]) for name in ("left", "right")] + [onnx_bytes.value("size", [1, 1])]
        weight = onnx_bytes.tensor("weight", [2, 1, 3, 3], [(i % 7 - 3) / 8 for i in range(18)])
        self.write("pair.onnx", onnx_bytes.model(nodes, inputs, [onnx_bytes.value("result", [1, 2, 26, 26])], [weight]))
        self.write("size.npy", pictures.npy((1, 1), [2.0]))
        self.places = [f"{option}" for name in ("left=left", "right=right", "size=size.npy") for option in ("--calib", name)]

    def test_every_command_takes_a_place_for_each_input(self):
        report = self.run_json("pair.onnx", *self.places, *UNIT, "-o", "q.onnx")
        self.assertEqual(report["samples"], 8)
        self.assertEqual(sorted(report["preprocessing"]["settings"]["inputs"]), ["left", "right"])
        compared = self.run_json("verify", "pair.onnx", "q.onnx", *self.places)
        self.assertEqual((compared["samples"], compared["preprocessing"]["given"]), (8, True))
        named = self.run_json("run", "q.onnx", "left=left", "right=right", "size=size.npy")
        self.assertEqual((named["samples"], named["outputs"]["result"]["shape"]), (8, [8, 2, 26, 26]))
        self.run_json("calibrate", "pair.onnx", *self.places, *UNIT, "-o", "s.stats")
        again = self.run_json("pair.onnx", "--statistics", "s.stats", "-o", "again.onnx")
        self.assertEqual(again["samples"], 8)
        self.run_json("pair.onnx", *self.places, "--statistics", "s.stats", "-o", "again.onnx")
        self.assertEqual(self.run_json("sensitivity", "pair.onnx", *self.places, *UNIT)["samples"], 8)
        self.assertIn("--images left=FOLDER --images right=FOLDER", self.run_program(
            "pair.onnx", *self.places, *UNIT, "-o", "q.onnx").stdout.replace("\n", " ").replace("              ", ""))

    def test_places_that_do_not_fit_are_one_sentence(self):
        def fails(*places, code, says):
            words = [word for place in places for word in ("--calib", place)]
            self.fails("pair.onnx", *words, *UNIT, "-o", "q.onnx", code=code, says=says)
        fails("left", code=CALIBRATION, says="3 inputs.*'left=FOLDER'")
        fails("left=left", "right=right", code=USAGE, says="'size': add 'size=FOLDER'")
        fails("left=left", "left=right", code=USAGE, says="'left' is given twice")
        fails("left=left", "top=right", code=USAGE, says="'top=right' names no input.*'left', 'right', 'size'")
        fails("left", "right", code=USAGE, says="more than once.*give NAME=left")
        self.images(5, "few")
        fails("left=left", "right=few", "size=size.npy", code=CALIBRATION, says="8 for 'left' .*5 for 'right'")
        fails("left=left", "right=none", "size=size.npy", code=IO, says="input 'right': cannot read 'none'")
        self.write("wide.npy", pictures.npy((1, 3), [1.0, 2.0, 3.0]))
        fails("left=left", "right=right", "size=wide.npy", code=CALIBRATION, says="f32 1x1")

    def test_pixels_go_as_they_are_to_an_input_of_integers(self):
        nodes = [onnx_bytes.node("Cast", ["image"], ["reals"], to=onnx_bytes.FLOAT),
                 onnx_bytes.node("Conv", ["reals", "weight"], ["result"], kernel_shape=[3, 3])]
        weight = onnx_bytes.tensor("weight", [2, 1, 3, 3], [(i % 7 - 3) / 8 for i in range(18)])
        for batch, element_type in ((1, 2), (4, 6)):  # u8, s32
            self.write("pixels.onnx", onnx_bytes.model(
                nodes, [onnx_bytes.value("image", [batch, 1, 28, 28], element_type)],
                [onnx_bytes.value("result", [batch, 2, 26, 26])], [weight]))
            report = self.run_json("pixels.onnx", "--calib", "left", "-o", "q.onnx", "--input-type", "u8")
            self.assertEqual((report["preprocessing"]["name"], report["preprocessing"]["sure"]), ("raw", True))
            self.assertEqual(len([w for w in report["warnings"] if "--input-type u8 has no effect" in w]), 1)
            self.assertEqual(self.run_json("verify", "pixels.onnx", "q.onnx", "--images", "left")["samples"], 8)
            self.fails("pixels.onnx", "--calib", "left", *UNIT, "-o", "q2.onnx", code=USAGE, says="use 'raw'")

    def test_a_fixed_batch_says_what_fills_its_rest(self):
        conv = onnx_bytes.node("Conv", ["image", "weight"], ["result"], kernel_shape=[3, 3])
        weight = onnx_bytes.tensor("weight", [2, 1, 3, 3], [(i % 7 - 3) / 8 for i in range(18)])
        self.write("eight.onnx", onnx_bytes.model([conv], [onnx_bytes.value("image", [8, 1, 28, 28])],
                                                  [onnx_bytes.value("result", [8, 2, 26, 26])], [weight]))
        self.images(11, "eleven")
        report = self.run_json("run", "eight.onnx", "eleven", *UNIT)
        self.assertEqual((report["samples"], report["outputs"]["result"]["shape"]), (11, [11, 2, 26, 26]))
        self.assertEqual(len([w for w in report["warnings"] if "repeating 5 of its own" in w]), 1)
        self.assertEqual(self.run_json("run", "eight.onnx", "left", *UNIT)["warnings"], [])


class Choice(Case):
    def names(self, *arguments):
        report = self.run_json("run", MODEL, "images", *UNIT, "--top", "1", *arguments)
        return [entry["sample"] for entry in report["predictions"]]

    def test_samples_are_the_first_or_drawn(self):
        self.images(20)
        every = self.names()
        self.assertEqual(self.names("--samples", "4"), every[:4])  # run: in the order of the list
        done = self.run_json("verify", MODEL, MODEL, "--images", "images", *UNIT, "--samples", "4")
        self.assertEqual(done["samples"], 4)
        drawn = self.names("--samples", "4", "--seed", "3")
        self.assertEqual(drawn, self.names("--samples", "4", "--seed", "3", "--threads", "1"))
        self.assertEqual(len(set(drawn)), 4)
        self.assertNotEqual(drawn, self.names("--samples", "4", "--seed", "4"))
        self.fails("run", MODEL, "images", "--seed", "3", code=USAGE, says="--seed.*--samples")

    def test_shards_of_chosen_samples_are_one_run(self):
        self.images(20)
        calibrate = ("calibrate", MODEL, "--calib", "images", *UNIT, "--samples", "7", "--seed", "5")
        self.run_program(*calibrate, "-o", "all.stats")
        for i in range(3):
            self.run_program(*calibrate, "--shard", f"{i}/3", "-o", f"{i}.stats")
        self.run_program("merge", "1.stats", "2.stats", "0.stats", "-o", "sum.stats")
        self.assertEqual((self.folder / "sum.stats").read_bytes(), (self.folder / "all.stats").read_bytes())

    def test_any_number_of_shards_and_threads_is_one_run(self):
        conv = onnx_bytes.node("Conv", ["image", "weight"], ["result"], kernel_shape=[3, 3])
        weight = onnx_bytes.tensor("weight", [2, 1, 3, 3], [(i % 7 - 3) / 8 for i in range(18)])
        self.write("batch.onnx", onnx_bytes.model([conv], [onnx_bytes.value("image", [3, 1, 28, 28])],
                                                  [onnx_bytes.value("result", [3, 2, 26, 26])], [weight]))
        self.images(26)
        for model, counts in ((MODEL, (1, 2, 5, 8)), ("batch.onnx", (2, 5))):     # batches are not cut
            calibrate = ("calibrate", model, "--calib", "images", *UNIT)
            self.run_program(*calibrate, "--threads", "2", "-o", "all.stats")
            for count in counts:
                parts = [f"{i}-of-{count}.stats" for i in range(count)]
                for i, part in enumerate(parts):
                    self.run_program(*calibrate, "--shard", f"{i}/{count}", "--threads", str(1 + i % 3), "-o", part)
                for order in (parts, parts[::-1], parts[1::2] + parts[::2]):
                    self.run_program("merge", *order, "-o", "sum.stats")
                    self.assertEqual((self.folder / "sum.stats").read_bytes(), (self.folder / "all.stats").read_bytes())

    def test_a_shard_of_bad_images_alone_is_added_like_others(self):
        images = self.images(3)
        (images / "aa.png").write_text("GIF89a")
        calibrate = ("calibrate", MODEL, "--calib", "images", *UNIT)
        self.run_program(*calibrate, "-o", "all.stats")
        for i in range(4):
            self.run_program(*calibrate, "--shard", f"{i}/4", "-o", f"{i}.stats")
        self.run_program("merge", *(f"{i}.stats" for i in range(4)), "-o", "sum.stats")
        self.assertEqual((self.folder / "sum.stats").read_bytes(), (self.folder / "all.stats").read_bytes())
        self.fails(MODEL, "--statistics", "0.stats", "--method", "max", "-o", "q.onnx", code=CALIBRATION,
                   says="'0.stats' is of a shard without a usable sample")
        self.fails(MODEL, "--calib", "images", "--shard", "0/4", *UNIT, "-o", "q.onnx", code=CALIBRATION, says="no image can be used")

    def test_a_finished_shard_is_resumed(self):
        self.images(9)
        words = ("calibrate", MODEL, "--calib", "images", *UNIT, "--shard", "1/3", "--resume", "-o", "part.stats")
        self.assertFalse(self.run_json(*words)["resumed"])
        first = self.run_json(*words)
        self.assertEqual((first["resumed"], first["samples"]), (True, 3))
        for stale in (("--preprocess", "tf"), ("--shard", "2/3"), ("--samples", "6")):
            with self.subTest(stale):
                words = list(words)
                at = words.index(stale[0]) if stale[0] in words else len(words)
                words[at:at + 2] = stale
                self.assertFalse(self.run_json(*words)["resumed"])
                self.assertTrue(self.run_json(*words)["resumed"])
        content = (self.folder / "part.stats").read_bytes()
        self.write("part.stats", content[:-5])
        self.assertFalse(self.run_json(*words)["resumed"])
        self.assertEqual((self.folder / "part.stats").read_bytes(), content)

    def test_every_shard_guesses_the_same_preprocessing(self):
        """Down to the evidence, which the statistics keep."""
        calibrate = ("calibrate", DATA / "mobilenet_fashion.onnx", "--calib", DATA / "calib", "--samples", "24")
        self.run_program(*calibrate, "-o", "all.stats")
        for i in range(3):
            self.run_program(*calibrate, "--shard", f"{i}/3", "-o", f"{i}.stats")
        self.run_program("merge", "1.stats", "2.stats", "0.stats", "-o", "sum.stats")
        self.assertEqual((self.folder / "sum.stats").read_bytes(), (self.folder / "all.stats").read_bytes())


class Tensors(Case):
    def test_preprocessing_beside_tensors_is_said_to_do_nothing(self):
        self.write("x/a.npy", pictures.npy((2, 1, 28, 28), [0.5] * 2 * 784))
        self.assertEqual(self.run_json("run", MODEL, "x")["warnings"], [])
        self.assertRegex(self.run_json("run", MODEL, "x", *UNIT)["warnings"][0], "--preprocess has no effect")

    def test_an_archive_with_another_key(self):
        self.write("x/a.npz", npz("pixels"))
        self.assertRegex(self.run_json("run", MODEL, "x")["warnings"][0], "'pixels'.*'input'")
        self.write("x/a.npz", npz("arr_0"))
        self.assertEqual(self.run_json("run", MODEL, "x")["warnings"], [])
        self.write("x/a.npz", npz("input"))
        self.assertEqual(self.run_json("run", MODEL, "x")["warnings"], [])


class Streams(Case):
    """What is no regular file: read to its end, or refused in one sentence."""

    def feed(self, name, content):
        """A FIFO that somebody writes `content` into."""
        path = self.folder / name
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
        return name

    def test_samples(self):
        self.write("image.png", pictures.png(28, 28))
        array = pictures.npy((2, 1, 28, 28), [i % 256 / 255 for i in range(2 * 784)])
        expected = self.run_json("run", MODEL, "image.png", *UNIT, "--hash")["hashes"][0]["hash"]
        report = self.run_json("run", MODEL, self.feed("pipe", pictures.png(28, 28)), *UNIT, "--hash")
        self.assertEqual(report["hashes"][0]["hash"], expected)
        self.assertEqual(self.run_json("run", MODEL, self.feed("array", array))["samples"], 2)
        self.assertEqual(self.run_json("run", MODEL, f"input={self.feed('named.npy', array)}")["samples"], 1)
        self.assertEqual(self.run_json(MODEL, "--calib", self.feed("guessed", pictures.png(28, 28)), "-o", "q.onnx")["samples"], 1)
        self.fails("run", MODEL, self.feed("pipe.npz", npz("input")), code=IO, says="pipe.npz.*file on a disk")
        self.fails("run", MODEL, "/dev/zero", code=IO, says="/dev/zero.*256 MiB")
        self.fails("run", MODEL, "/dev/null", *UNIT, code=CALIBRATION, says="empty")

    def test_text_files(self):
        images = self.images(4)
        labels = "".join(f"{path.name} {i}\n" for i, path in enumerate(sorted(images.iterdir())))
        verify = ("verify", MODEL, MODEL, "--images", "images")
        self.write("labels.txt", labels)
        wanted = self.run_json(*verify, *UNIT, "--labels", "labels.txt")
        for name, text in (("mark.txt", "\ufeff" + labels), ("crlf.txt", "\ufeff" + labels.replace("\n", "\r\n"))):
            self.write(name, text)
            report = self.run_json(*verify, *UNIT, "--labels", name)
            self.assertEqual((report["top1"], report["warnings"]), (wanted["top1"], wanted["warnings"]))
        report = self.run_json(*verify, *UNIT, "--labels", self.feed("labels", labels.encode()))
        self.assertEqual(report["top1"], wanted["top1"])
        self.write("utf16.txt", labels.encode("utf-16"))
        self.fails(*verify, *UNIT, "--labels", "utf16.txt", code=USAGE, says="utf16.txt.*UTF-8")
        settings = b'\xef\xbb\xbf{"color": "gray", "scale": 0.00392156862745098}'
        self.write("p.json", settings)
        self.run_program(*verify, "--preprocess", "p.json")
        self.run_program(*verify, "--preprocess", self.feed("settings", settings))
        self.write("o.json", b'\xef\xbb\xbf{"input": {"min": -2, "max": 2}}')
        self.run_program(MODEL, "--calib", "images", *UNIT, "--overrides", "o.json", "-o", "q.onnx")
        for option in ("--preprocess", "--overrides", "--statistics"):
            self.fails(MODEL, "--calib", "images", "-o", "r.onnx", option, "images", code=IO, says="images")
        self.fails(*verify, "--labels", "images", code=USAGE, says="no output holds classes of pixels")  # a folder has masks

    def test_statistics(self):
        self.images(4)
        self.run_program("calibrate", MODEL, "--calib", "images", *UNIT, "-o", "s.stats")
        content = (self.folder / "s.stats").read_bytes()
        self.run_program("merge", self.feed("pipe", content), "-o", "t.stats")
        self.assertEqual((self.folder / "t.stats").read_bytes(), content)
        self.run_program(MODEL, "--statistics", self.feed("known", content), "--method", "max", "-o", "q.onnx")
        self.fails("merge", "/dev/zero", "-o", "u.stats", code=IO, says="/dev/zero")


if __name__ == "__main__":
    main()
