#!/usr/bin/env python3
"""Statistics files know their samples: what is merged, what is stale, and what is said of it."""
import shutil

import pictures
from program import DATA, MODEL, Case, main

USAGE, UNSUPPORTED, CALIBRATION = 2, 4, 6
UNIT = ("--preprocess", "unit")


class Files(Case):
    def setUp(self):
        super().setUp()
        self.images(12)

    def calibrate(self, name, *arguments, folder="images", preprocess="unit"):
        self.run_program("calibrate", MODEL, "--calib", folder, "--preprocess", preprocess, "-o", name, *arguments)
        return name

    def shards(self, count):
        return [self.calibrate(f"part{i}_{count}.stats", "--shard", f"{i}/{count}") for i in range(count)]

    def bytes_of(self, name):
        return (self.folder / name).read_bytes()


class Merge(Files):
    def test_samples_that_come_again_are_refused(self):
        whole, parts, halves = self.calibrate("whole.stats"), self.shards(3), self.shards(2)
        shutil.copy(self.folder / whole, self.folder / "copy.stats")
        shutil.copytree(self.folder / "images", self.folder / "elsewhere/images")
        moved = self.calibrate("moved.stats", folder="elsewhere/images")
        few = self.calibrate("few.stats", "--samples", "5")
        self.run_program("merge", *parts[:2], "-o", "two.stats")
        for files, named in (([whole, whole], whole), ([whole, "copy.stats"], "copy.stats"), ([*parts, parts[1]], parts[1]),
                             ([whole, parts[1]], parts[1]), ([halves[0], parts[1]], parts[1]), ([whole, moved], moved),
                             (["two.stats", parts[0]], parts[0]), ([whole, few], few)):
            with self.subTest(files):
                self.fails("merge", *files, "-o", "sum.stats", code=CALIBRATION, says=f"'{named}' brings .* again")

    def test_renamed_copies_are_warned_of(self):
        whole = self.calibrate("whole.stats")
        for i, path in enumerate(sorted((self.folder / "images").iterdir())[:4]):
            self.write(f"renamed/{i}.png", path.read_bytes())
        report = self.run_json("merge", whole, self.calibrate("renamed.stats", folder="renamed"), "-o", "sum.stats")
        self.assertRegex(report["warnings"][0], "'renamed.stats' has 4 samples with the same content as in 'whole.stats'")

    def test_missing_shards_are_warned_of(self):
        whole, parts = self.calibrate("whole.stats"), self.shards(3)
        report = self.run_json("merge", parts[2], parts[1], "-o", "two.stats")
        self.assertRegex(report["warnings"][0], "shard 0/3 is missing, 4 of 12 samples")
        used = self.run_json(MODEL, "--statistics", "two.stats", "--method", "max", "-o", "q.onnx")
        self.assertRegex("".join(used["warnings"]), "two.stats.*shard 0/3 is missing")
        self.assertEqual(self.run_json("merge", parts[0], "two.stats", "-o", "all.stats")["warnings"], [])
        self.assertEqual(self.bytes_of("all.stats"), self.bytes_of(whole))
        self.assertEqual(self.run_json("merge", *self.shards(5), "-o", "five.stats")["warnings"], [])
        self.assertEqual(self.bytes_of("five.stats"), self.bytes_of(whole))

    def test_two_folders_are_added_without_a_word(self):
        for i, path in enumerate(sorted((DATA / "eval").iterdir())[:5]):
            self.write(f"others/{i}.png", path.read_bytes())
        report = self.run_json("merge", self.calibrate("a.stats"), self.calibrate("b.stats", folder="others"), "-o", "c.stats")
        self.assertEqual((report["samples"], report["warnings"]), (17, []))
        # One of the folders may be searched on, since its list is there whole.
        self.run_program(MODEL, "--statistics", "c.stats", "--calib", "others", "--method", "max", "-o", "q.onnx")

    def test_tensors_of_the_same_names_and_sizes_are_told_apart(self):
        for folder, value in (("x", 0.25), ("y", 0.75)):
            for i in range(3):
                self.write(f"{folder}/{i}.npy", pictures.npy((2, 1, 28, 28), [value + i / 16] * 2 * 784))
            self.run_program("calibrate", MODEL, "--calib", folder, "-o", f"{folder}.stats")
        self.assertEqual(self.run_json("merge", "x.stats", "y.stats", "-o", "sum.stats")["warnings"], [])

    def test_the_odd_file_is_named(self):
        odd = self.calibrate("odd.stats", preprocess="tf")
        parts = self.shards(3)
        for files in ([odd, *parts], [parts[0], odd, parts[1]], [*parts, odd]):
            self.fails("merge", *files, "-o", "sum.stats", code=CALIBRATION, says=r"'odd\.stats' is of another preprocessing than 'part")


class Stale(Files):
    def quantize(self, *arguments):
        return (MODEL, "--statistics", "s.stats", "--calib", "images", *UNIT, "--method", "max", "-o", "q.onnx", *arguments)

    def test_read_or_written_is_said(self):
        first, again = self.run_json(*self.quantize()), self.run_json(*self.quantize())
        self.assertEqual([r["statistics"] for r in (first, again)],
                         [{"file": "s.stats", "read": False}, {"file": "s.stats", "read": True}])
        self.assertIn("statistics read from s.stats", self.run_program(*self.quantize()).stdout)
        self.assertIsNone(self.run_json(MODEL, "--calib", "images", *UNIT, "--method", "max", "-o", "r.onnx")["statistics"])

    def test_other_samples_are_refused(self):
        self.calibrate("s.stats")
        names = sorted(path.name for path in (self.folder / "images").iterdir())
        extra = (DATA / "eval").iterdir().__next__().read_bytes()
        self.fails(*self.quantize("--samples", "5"), code=CALIBRATION, says="s.stats: .*they hold 12, and 5 are asked for")
        self.fails(*self.quantize("--shard", "0/2"), code=CALIBRATION, says="they hold 12, and 6 are asked for")
        self.write("images/zz.png", extra)
        self.fails(*self.quantize(), code=CALIBRATION, says="'zz.png' is not among them")
        (self.folder / "images/zz.png").unlink()
        self.run_program(*self.quantize())
        first = self.folder / "images" / names[3]
        whole = first.read_bytes()
        first.write_bytes(whole[:-20] + bytes(20))       # of the same size
        self.fails(*self.quantize(), code=CALIBRATION, says=f"'{names[3]}' has changed since")
        first.write_bytes(extra + b"x")
        self.fails(*self.quantize(), code=CALIBRATION, says=f"'{names[3]}' has changed since")
        first.unlink()
        self.fails(*self.quantize(), code=CALIBRATION, says="they hold 12, and 11 are asked for")

    def test_a_skipped_image_does_not_make_them_stale(self):
        self.write("images/bad.jpg", "GIF89a")
        first, again = self.run_json(*self.quantize()), self.run_json(*self.quantize())
        self.assertEqual([(r["samples"], r["statistics"]["read"]) for r in (first, again)], [(12, False), (12, True)])

    def test_choosing_needs_images(self):
        self.calibrate("s.stats")
        for option in (("--samples", "5"), ("--shard", "0/2")):
            self.fails(MODEL, "--statistics", "s.stats", *option, code=USAGE, says="--calib")

    def test_quantized_models_are_refused(self):
        self.run_program(MODEL, "--calib", "images", *UNIT, "--method", "max", "-o", "q.onnx")
        self.fails("calibrate", "q.onnx", "--calib", "images", "-o", "t.stats", code=UNSUPPORTED, says="quantized already")
        self.fails("sensitivity", "q.onnx", "--calib", "images", code=UNSUPPORTED, says="quantized already")


if __name__ == "__main__":
    main()
