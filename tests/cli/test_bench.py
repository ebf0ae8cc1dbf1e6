#!/usr/bin/env python3
"""What bench reports. Never how long anything took: other processes decide that."""
from onnx_bytes import INT64, model, node, value
from program import DATA, MODEL, Case, main

MOBILENET = DATA / "mobilenet_fashion.onnx"
FAST = ("--rounds", "1", "--threads", "1")


class Bench(Case):
    def quantized(self, name, *arguments):
        images = self.folder / "images"
        self.run_program(MODEL, "--calib", images if images.exists() else self.images(10), "--preprocess", "unit",
                         "-o", name, *arguments)
        return name

    def test_one_model(self):
        report = self.run_json("bench", MODEL, *FAST)
        self.assertEqual((report["command"], report["threads"], report["warnings"] is None), ("bench", 1, False))
        self.assertIsInstance(report["isa"], str)
        [model] = report["models"]
        self.assertEqual((model["file"], model["ratio"]), (str(MODEL), 1))
        self.assertEqual(report["median_ms"], model["median_ms"])
        self.assertGreater(model["min_ms"], 0)
        self.assertLessEqual(model["min_ms"], model["median_ms"])
        self.assertLessEqual(model["median_ms"], model["p95_ms"])
        for figure in ("load_ms", "first_ms", "macs", "gmacs_per_second", "probe_share", "memory_mib"):
            self.assertGreater(model[figure], 0, figure)
        self.assertEqual(model["macs"], self.run_json("inspect", MODEL)["macs"])
        self.assertEqual(model["model_bytes"], MODEL.stat().st_size)
        self.assertNotIn("layers", model)

    def test_models_against_each_other_with_layers(self):
        for extra in (["--format", "qdq"], ["--format", "int8"]):
            int8 = self.quantized("q.onnx", *extra)
            report = self.run_json("bench", MODEL, int8, "--layers", "--rounds", "2", "--threads", "2")
            self.assertEqual((report["threads"], [model["file"] for model in report["models"]]),
                             (2, [str(MODEL), "q.onnx"]))
            for model, kernel in zip(report["models"], ("float", "int8")):
                layers = {layer["name"]: layer for layer in model["layers"]}
                for name in ("conv1", "conv2", "fc1"):
                    self.assertEqual(layers[name]["kernel"], kernel, (extra, name))
                    self.assertGreater(layers[name]["macs"], 0)
                self.assertEqual(sum(layer["macs"] for layer in layers.values()), model["macs"])
                self.assertEqual(layers["conv1"]["shape"][:2], "1x")
                low, high = model["ratio_quartiles"]
                self.assertLessEqual(low, high)

    def test_a_float_model_runs_as_it_is_quantized(self):
        """What can be folded or fused is so in every command, so that no model is timed or compared as it was exported."""
        layers = self.run_json("bench", MOBILENET, "--layers", *FAST)["models"][0]["layers"]
        self.assertEqual({layer["op_type"] for layer in layers} & {"BatchNormalization", "Relu", "Clip", "Identity"}, set())

    def test_every_level_and_number_of_threads(self):
        for isa in ("scalar", "avx2"):
            if isa in self.run_program("bench", "--help-all").stdout:
                report = self.run_json("bench", MOBILENET, "--isa", isa, "--rounds", "1", "--threads", "3")
                self.assertEqual((report["isa"], report["threads"]), (isa, 3))

    def test_a_model_whose_shapes_depend_on_data(self):
        """Every part of it is timed: the nodes before the one that decides the shape, that node, and those behind."""
        self.write("open.onnx", model(
            [node("Relu", ["x"], ["shown"], "relu1"), node("NonZero", ["shown"], ["places"], "places1"),
             node("Transpose", ["places"], ["rows"], "rows1", perm=[1, 0]), node("GatherND", ["shown", "rows"], ["y"], "y1")],
            [value("x", [3, 40])], [value("y", ["found"]), value("places", [2, "found"], INT64)]))
        first, second = self.run_json("bench", "open.onnx", MODEL, "--layers", *FAST)["models"]
        self.assertEqual([layer["name"] for layer in first["layers"]], ["relu1", "places1", "rows1", "y1"])
        self.assertEqual(first["layers"][0]["shape"], "3x40")
        self.assertRegex(first["layers"][1]["shape"], r"^2x\d+$")
        self.assertGreater(first["median_ms"], 0)
        self.assertGreater(second["macs"], first["macs"])

    def test_a_table_for_people(self):
        text = self.run_program("bench", MODEL, MOBILENET, "--layers", *FAST).stdout
        self.assertRegex(text, r"1 thread, \w+, \d+ rounds?;")
        self.assertRegex(text, r"(?m)^  model +median ms +min +p95 +ratio")
        self.assertRegex(text, r"(?m)lenet_fashion\.onnx .* 1\.000 ")
        self.assertRegex(text, r"(?m)^  conv1 +Conv +1x\S+ +float ")
        self.assertEqual(self.run_program("bench", MODEL, *FAST, "--quiet").stdout, "")

    def test_mistakes(self):
        self.fails("bench", code=2, says="MODEL.onnx")
        self.fails("bench", "missing.onnx", code=5, says="missing.onnx")
        self.fails("bench", MODEL, "missing.onnx", *FAST, code=5, says="missing.onnx")
        self.fails("bench", MODEL, "--isa", "z80", code=2, says="z80.*scalar")
        self.fails("bench", MODEL, "--rounds", "0", code=2, says="--rounds")
        self.fails("bench", MODEL, "--input-shape", "nobody=1x2", code=2, says="nobody")


if __name__ == "__main__":
    main()
