#!/usr/bin/env python3
"""--max-size: bits of each layer's weights, so that the file takes no more than it is told."""
from program import MODEL, Case, main

UNSUPPORTED, USAGE = 4, 2


class MaxSize(Case):
    def quantize(self, *arguments, name="q.onnx"):
        report = self.run_json(MODEL, "-o", name, *arguments)
        self.assertEqual((self.folder / name).stat().st_size, report["bytes_after"])
        return report

    def sqnr(self, name="q.onnx"):
        return self.run_json("verify", MODEL, name, "--images", self.pictures)["outputs"]["logits"]["sqnr_db"]

    def setUp(self):
        super().setUp()
        self.pictures = self.images(8)

    def test_weights_alone(self):
        quality = []
        for size, bits in ((24_000, 3), (40_000, 5), (60_000, 8)):
            report = self.quantize("--mode", "weight-only", "--max-size", size)
            self.assertLessEqual(report["bytes_after"], size)
            self.assertGreater(report["bytes_after"], size * 0.75)
            self.assertEqual(report["size"]["limit"], size)
            self.assertEqual(report["size"]["bits"], report["modes"]["weight-only"]["bits"])
            self.assertGreaterEqual(max(map(int, report["size"]["bits"])), bits)
            quality.append(self.sqnr())
        self.assertEqual(quality, sorted(quality))
        self.assertGreater(quality[1], 12)
        self.assertIsNone(self.quantize("--mode", "weight-only")["size"])
        self.assertLessEqual(self.quantize("--mode", "weight-only", "--weight-block", 32, "--max-size", 40_000)["bytes_after"], 40_000)

    def test_more_than_enough_is_the_file_without_it(self):
        plain, sized = (self.quantize("--mode", "weight-only", *more)["bytes_after"] for more in ((), ("--max-size", "1M")))
        self.assertAlmostEqual(sized / plain, 1, delta=0.02)

    def test_layers_on_integers(self):
        for form in ("qdq", "int8"):
            with self.subTest(form):
                report = self.quantize("--calib", self.pictures, "--method", "max", "--max-size", "48K", "--format", form)
                self.assertLessEqual(report["bytes_after"], 48 * 1024)
                self.assertEqual(report["int8_macs"], report["macs"])
                self.assertTrue(any(int(bits) < 8 for bits in report["size"]["bits"]))
                self.assertGreater(self.sqnr(), 8)
                self.assertEqual(self.run_json("inspect", "q.onnx")["quantized"]["format"], form)

    def test_a_runtime_that_wants_constant_codes_has_no_packed_ones(self):
        for more, code in (("90K", 0), ("40K", UNSUPPORTED)):
            self.run_program(MODEL, "-o", "q.onnx", "--calib", self.pictures, "--method", "max", "--target", "openvino", "--max-size", more, code=code)
        self.assertNotIn("BitShift", self.run_json("inspect", "q.onnx")["op_types"])
        report = self.quantize("--mode", "weight-only", "--target", "openvino", "--max-size", "40K")
        self.assertLessEqual(report["bytes_after"], 40 * 1024)
        self.assertGreater(self.sqnr(), 10)

    def test_the_reference_is_packed(self):
        report = self.quantize("--calib", self.pictures, "--method", "max", "--max-size", "48K", "--format", "reference")
        self.assertLessEqual(report["bytes_after"], 48 * 1024)
        self.assertEqual(report["size"]["form"], "packed")

    def test_bits_that_are_asked_for_take_as_many_bytes(self):
        name = next(v for v in self.run_json("inspect", MODEL, "--names")["values"] if "fc1" in v and "w" in v)
        self.write("o.json", '{"%s": {"num_bits": 4}}' % name)
        self.write("r.json", '{"rules": [{"of": "weights", "glob": "*", "num_bits": 4}]}')
        static = ("--calib", self.pictures, "--preprocess", "unit", "--method", "max")
        whole = self.quantize(*static)
        self.assertIsNone(whole["size"])
        for asked, bits in ((("--weight-bits", 4), {"4": 4}), (("--overrides", "o.json"), {"4": 1, "8": 3}), (("--recipe", "r.json"), {"4": 4})):
            for target, form in (("ort-x86", "packed"), ("qnn", "s4")):
                with self.subTest((asked, target)):
                    report = self.quantize(*static, *asked, "--target", target)
                    self.assertLess(report["bytes_after"], whole["bytes_after"] * 0.7)
                    self.assertEqual((report["size"]["form"], report["size"]["bits"], report["warnings"]), (form, bits, []))
                    self.assertEqual(report["int8_macs"], report["macs"])
                    self.assertEqual(len(self.run_json("inspect", "q.onnx", "--certify")["certificates"]), 4)
        told = self.run_program(MODEL, *static, "-o", "q.onnx", "--weight-bits", 4)
        self.assertRegex(told.stdout, "size +weights of layers in 4 bits: 4 .packed.")
        report = self.quantize(*static, "--weight-bits", 4, "--target", "openvino")
        self.assertRegex(report["warnings"][0], "openvino takes the weights of layers on integers in a byte each")
        self.assertIsNone(self.quantize(*static, "--reduce-range")["size"])

    def test_codebooks_and_bits_that_are_said(self):
        report = self.quantize("--weight-codebook", 6, "--max-size", "40K")
        self.assertLessEqual(report["bytes_after"], 40 * 1024)
        name = next(v for v in self.run_json("inspect", MODEL, "--names")["values"] if "fc1" in v and "w" in v)
        self.write("o.json", '{"%s": {"num_bits": 4}}' % name)
        self.quantize("--mode", "weight-only", "--overrides", "o.json", "--max-size", "1M", "--plan", "plan.json")
        bits = {n["name"]: n["stored"][0]["bits"] for n in self.read_json("plan.json")["nodes"] if "stored" in n}
        self.assertEqual(bits, {"conv1": 8, "conv2": 8, "fc1": 4, "fc2": 8})

    def test_the_same_bytes_for_any_number_of_threads(self):
        files = []
        for threads in (1, 3):
            self.quantize("--mode", "weight-only", "--max-size", "40K", "--threads", threads)
            files.append((self.folder / "q.onnx").read_bytes())
        self.assertEqual(*files)

    def test_what_cannot_be_had_is_refused(self):
        self.fails(MODEL, "-o", "q.onnx", "--mode", "weight-only", "--max-size", "4K", code=UNSUPPORTED, says="smallest file that can be written is of [0-9]+ bytes")
        self.fails(MODEL, "-o", "q.onnx", "--mode", "weight-only", "--max-size", "30K", "--target", "tensorrt", code=UNSUPPORTED, says="smallest file")
        self.fails(MODEL, "-o", "q.onnx", "--mode", "float", "--max-size", "30K", code=USAGE, says="no node has such")
        for size in ("0", "much", "-1", "nan"):
            self.fails(MODEL, "-o", "q.onnx", "--mode", "weight-only", "--max-size", size, code=USAGE, says="--max-size")


if __name__ == "__main__":
    main()
