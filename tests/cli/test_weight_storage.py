#!/usr/bin/env python3
"""--weight-codebook, --weight-grid and --weight-bits: weights in any number of bits, without images."""
from program import MODEL, Case, main

USAGE = 2


class WeightStorage(Case):
    def quantize(self, *arguments, name="q.onnx"):
        return self.run_json(MODEL, "-o", name, *arguments)

    def sqnr(self, name="q.onnx"):
        return self.run_json("verify", MODEL, name, "--images", self.pictures)["outputs"]["logits"]["sqnr_db"]

    def setUp(self):
        super().setUp()
        self.pictures = self.images(4)

    def test_a_codebook_takes_as_many_bytes_as_its_bits_say(self):
        sizes = []
        for bits in (8, 6, 4, 3, 2, 1):
            report = self.quantize("--weight-codebook", bits)
            stored = report["modes"]["weight-only"]
            self.assertEqual((report["mode"], report["samples"], stored["nodes"]), ("weight-only", 0, 4))
            self.assertEqual(sum(stored["bits"].values()), 4)
            self.assertEqual(self.run_json("inspect", "q.onnx")["quantized"]["format"], "weight-only")
            if bits >= 4:
                self.assertGreater(self.sqnr(), 5 * bits - 8)
            sizes.append(report["bytes_after"])
        plain = self.quantize("--mode", "weight-only")["bytes_after"]
        self.assertLessEqual(sizes[0], plain * 1.01)
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertLess(sizes[2], plain * 0.62)

    def test_the_same_bytes_for_any_number_of_threads(self):
        files = []
        for threads in (1, 3):
            self.quantize("--weight-codebook", 4, "--threads", threads)
            files.append((self.folder / "q.onnx").read_bytes())
        self.assertEqual(*files)

    def test_channels_share_a_codebook_or_are_scaled(self):
        def largest(*arguments):
            self.quantize("--weight-codebook", 3, *arguments, "--plan", "plan.json")
            return next(n["stored"][0] for n in self.read_json("plan.json")["nodes"] if n["name"] == "fc1")
        plain = largest("--weights", "per-tensor")
        self.assertEqual((plain["bits"], plain["grid"], plain["type"]), (3, "codebook", "u8"))
        self.assertNotIn("Mul", self.run_json("inspect", "q.onnx")["op_types"])
        self.assertGreater(largest("--weights", "per-tensor", "--codebook-group", 4)["sqnr_db"], plain["sqnr_db"])
        self.assertGreater(largest()["sqnr_db"], 10)
        self.assertIn("Mul", self.run_json("inspect", "q.onnx")["op_types"])

    def test_every_number_of_bits_and_every_grid(self):
        sizes = []
        for bits in range(8, 0, -1):
            report = self.quantize("--mode", "weight-only", "--weight-bits", bits)
            self.assertEqual(report["modes"]["weight-only"]["bits"], {str(bits): 4})
            self.assertEqual(len(report["warnings"]), bits <= 2)
            sizes.append(report["bytes_after"])
            if bits >= 4:
                self.assertGreater(self.sqnr(), 6 * bits - 15)
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        for grid, bits, least in (("po2", 5, 10), ("ternary", 2, -3), ("binary", 1, -5), ("fixed:6.0", 6, 10), ("fixed:8.-1", 8, 20)):
            with self.subTest(grid):
                report = self.quantize("--weight-grid", grid)
                self.assertEqual(report["modes"]["weight-only"]["bits"], {str(bits): 4})
                self.assertGreater(self.sqnr(), least)

    def test_images_judge_a_codebook(self):
        report = self.quantize("--weight-codebook", 6, "--calib", self.images(20, "more"))
        self.assertGreater(report["quality"]["sqnr_db"], 15)

    def refuses(self, *arguments, says):
        with self.subTest(arguments):
            self.fails(MODEL, "-o", "q.onnx", *arguments, code=USAGE, says=says)

    def test_what_means_nothing_is_refused(self):
        self.refuses("--weight-codebook", 5, says="--weight-codebook")
        self.refuses("--weight-grid", "fixed:9.9", says="W of 2 to 8 bits, one for the sign, and I of -32 to 32")
        self.refuses("--weight-grid", "fixed:8", says="fixed:W.I")
        self.refuses("--weight-grid", "terniary", says="did you mean 'ternary'")
        self.refuses("--weight-grid", "po2", "--weight-codebook", 4, says="--weight-codebook excludes --weight-grid")
        self.refuses("--mode", "dynamic", "--weight-codebook", 4, says="has no codebooks")
        self.refuses("--mode", "float", "--weight-grid", "po2", says="has no grids")
        self.refuses("--codebook-group", 4, "--mode", "weight-only", says="give --weight-codebook")
        self.refuses("--weight-codebook", 4, "--weight-block", 16, says="no blocks")
        self.refuses("--mode", "weight-only", "--weight-bits", 1, "--weight-block", 16, says="no blocks")
        self.refuses("--weight-grid", "po2", "--weight-bits", 1, says="2 bits or more")
        for option in (("--weight-codebook", 4), ("--weight-grid", "ternary"), ("--weight-grid", "fixed:6.0")):
            self.refuses(*option, "--weight-bits", 3, says="--weight-bits has no effect")
        self.refuses("--weight-codebook", 4, "--target", "tensorrt", says="target tensorrt reads no codes of a codebook")
        self.refuses("--weight-grid", "binary", "--target", "tflite", says="target tflite reads no codes of a binary")
        self.refuses("--mode", "static", "--weight-bits", 1, "--calib", self.pictures, says="2 bits or more")


if __name__ == "__main__":
    main()
