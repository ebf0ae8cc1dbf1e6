#!/usr/bin/env python3
"""--mode: which nodes become smaller in which way, with images only where ranges are asked for."""
from program import MODEL, Case, main

USAGE = 2


class Modes(Case):
    def quantize(self, *arguments, name="q.onnx"):
        return self.run_json(MODEL, "-o", name, *arguments)

    def inspect(self, name="q.onnx"):
        return self.run_json("inspect", name)

    def agrees(self, least, name="q.onnx"):
        report = self.run_json("verify", MODEL, name, "--images", self.pictures)
        self.assertGreater(report["outputs"]["logits"]["sqnr_db"], least)

    def setUp(self):
        super().setUp()
        self.pictures = self.images(8)

    def test_weights_alone_take_as_many_bytes_as_their_bits_say(self):
        sizes = []
        for bits, least in ((8, 30), (4, 10), (2, 0)):
            report = self.quantize("--mode", "weight-only", "--weight-bits", bits)
            stored = report["modes"]["weight-only"]
            self.assertEqual((report["mode"], report["samples"], report["method"], stored["nodes"]), ("weight-only", 0, None, 4))
            self.assertLess(stored["bytes"], stored["weights"] * bits / 8 * 1.1)
            self.assertEqual(self.inspect()["quantized"]["format"], "weight-only")
            self.assertEqual(self.inspect()["bytes"], report["bytes_after"])
            self.agrees(least)
            sizes.append(report["bytes_after"])
        self.assertLess(sizes[1], sizes[0] * 0.6)
        self.assertLess(sizes[2], sizes[1] * 0.7)

    def test_blocks_are_one_operator_where_the_target_has_it(self):
        for target, operator in (("ort-x86", "MatMulNBits"), ("native", "DequantizeLinear")):
            self.quantize("--mode", "weight-only", "--weight-bits", 4, "--weight-block", 32, "--target", target)
            self.assertEqual(self.inspect()["op_types"][operator], 2 if target == "ort-x86" else 4)
            self.agrees(10)

    def test_dynamic_ranges(self):
        report = self.quantize("--mode", "dynamic")
        self.assertEqual(report["int8_macs"], report["macs"])
        facts = self.inspect()
        self.assertEqual((facts["quantized"]["format"], facts["quantized"]["int8_nodes"]), ("dynamic", 4))
        self.assertEqual(facts["op_types"]["MatMulInteger"], 2)
        self.agrees(25)
        self.run_program("bench", "q.onnx", "--rounds", 1)

    def test_dynamic_ranges_in_any_runtime_or_a_reason(self):
        report = self.quantize("--mode", "dynamic", "--target", "generic")
        self.assertEqual(report["int8_macs"], report["macs"])
        self.agrees(25)
        for target in ("openvino", "tensorrt", "qnn", "tflite", "vitis"):
            why = self.run_json("targets", target)["target"]["instead_of_dynamic"]
            self.refuses("--mode", "dynamic", "--target", target, says=f"target {target} computes no layer on codes of dynamic ranges: {why}")

    def test_a_format_of_codes_has_codes(self):
        for form in ("int8", "reference"):
            for mode in ("weight-only", "float"):
                self.refuses("--mode", mode, "--format", form, says=f"--format {form} has no effect")
            sixteen = self.quantize("--calib", self.pictures, "--preprocess", "unit", "--method", "max", "--activation-bits", 16, "--target", "qnn", "--format", form)
            self.assertRegex(sixteen["warnings"][-1], f"16 bits stay between .* no --format {form}")
        foreign = self.quantize("--calib", self.pictures, "--preprocess", "unit", "--method", "max", "--target", "tensorrt", "--format", "int8")
        self.assertRegex(foreign["warnings"][0], "target tensorrt reads operators between QuantizeLinear and DequantizeLinear")
        self.refuses("--mode", "weight-only", "--target", "vitis", says="vitis has one scale for all weights of a layer")

    def test_all_modes_in_one_file(self):
        report = self.quantize("--calib", self.pictures, "--method", "max", "--mode", "float", "--mode", "weight-only=fc", "--mode", "static=conv",
                               "--mode", "dynamic=fc2", "--plan", "plan.json")
        self.assertEqual({s["text"]: len(s["nodes"]) for s in report["selectors"]}, {"weight-only=fc": 2, "static=conv": 2, "dynamic=fc2": 1})
        self.assertEqual({name: mode["nodes"] for name, mode in report["modes"].items()}, {"weight-only": 1, "dynamic": 1})
        nodes = {n["name"]: (n["mode"], n["placement"]) for n in self.read_json("plan.json")["nodes"]}
        self.assertEqual([nodes[name] for name in ("conv1", "conv2", "fc1", "fc2")],
                         [("static", "int8"), ("static", "int8"), ("weight-only", "float"), ("dynamic", "dynamic")])
        self.assertEqual(self.inspect()["quantized"]["format"], "qdq")
        self.agrees(20)

    def test_images_judge_what_needs_none(self):
        report = self.quantize("--mode", "dynamic", "--calib", self.images(20, "more"))
        self.assertGreater(report["quality"]["sqnr_db"], 25)
        self.assertEqual(report["steps"], [])

    def test_float(self):
        report = self.quantize("--mode", "float")
        self.assertEqual((report["modes"], report["int8_macs"], report["warnings"]), ({}, 0, []))
        self.assertEqual(self.inspect()["quantized"]["format"], "float")
        self.agrees(100)

    def test_bits_of_one_layer(self):
        name = next(v for v in self.run_json("inspect", MODEL, "--names")["values"] if "fc1" in v and "w" in v)
        self.write("o.json", '{"%s": {"num_bits": 4}}' % name)
        self.quantize("--mode", "weight-only", "--overrides", "o.json", "--plan", "plan.json")
        types = {n["name"]: n["stored"][0]["type"] for n in self.read_json("plan.json")["nodes"] if "stored" in n}
        self.assertEqual(types, {"conv1": "s8", "conv2": "s8", "fc1": "s4", "fc2": "s8"})

    def test_a_float16_model(self):
        plain, half = (self.quantize("--mode", "float", *more, "--calib", self.pictures, name=name)
                       for more, name in (((), "f32.onnx"), (("--rest", "f16"), "f16.onnx")))
        self.assertLess(half["bytes_after"], plain["bytes_after"] * 0.55)
        self.assertEqual((half["rest"]["type"], half["rest"]["wide_nodes"]), ("f16", []))
        self.assertEqual(plain["rest"], {"type": "f32", "nodes": 0, "wide_nodes": []})
        facts = self.inspect("f16.onnx")
        self.assertEqual([v["dtype"] for v in (*facts["inputs"].values(), *facts["outputs"].values())], ["f32", "f32"])
        self.agrees(50, "f16.onnx")
        mixed = self.quantize("--mode", "dynamic", "--mode", "float=conv", "--rest", "f16", name="mixed.onnx")
        self.assertEqual((mixed["rest"]["type"], mixed["modes"]["dynamic"]["nodes"]), ("f16", 2))
        self.agrees(25, "mixed.onnx")

    def test_integers_with_the_rest_in_float16(self):
        for target in ("tensorrt", "openvino", "generic"):
            report = self.quantize("--target", target, "--method", "mse", "--exclude", "conv1", "--rest", "f16", "--calib", self.pictures, name="half.onnx")
            self.assertGreater(report["rest"]["nodes"], 0)
            self.agrees(20, "half.onnx")

    def test_the_halves_of_a_model_are_written_back(self):
        self.quantize("--mode", "float", "--rest", "f16", name="f16.onnx")
        self.run_json("f16.onnx", "--mode", "float", "--rest", "f16", "-o", "again.onnx")
        self.agrees(50, "again.onnx")
        sizes = [(self.folder / name).stat().st_size for name in ("f16.onnx", "again.onnx")]
        self.assertAlmostEqual(sizes[1] / sizes[0], 1, delta=0.05)

    def refuses(self, *arguments, says):
        with self.subTest(arguments):
            self.fails(MODEL, "-o", "q.onnx", *arguments, code=USAGE, says=says)

    def test_what_means_nothing_is_refused(self):
        self.refuses("--mode", "statik", says="no mode 'statik'; the modes are static, dynamic, weight-only and float")
        self.refuses("--mode", "float=[", says="--mode '\\[' is no regular expression")
        self.refuses("--mode", "float=", "--calib", self.pictures, says="empty")
        self.refuses("--mode", "float=nothing", "--calib", self.pictures, says="names no node")
        self.refuses("--mode", "float", "--mode", "dynamic", says="both float and dynamic")
        self.refuses("--mode", "static", says="--calib is required")
        self.refuses("--mode", "dynamic", "--mode", "static=fc1", says="--calib is required")
        self.refuses("--mode", "weight-only", "--weight-bits", 3, "--target", "tensorrt", says="stores weights in 8 bits, not in 3")
        self.refuses("--mode", "weight-only", "--weight-block", 1, says="--weight-block")
        self.refuses("--mode", "dynamic", "--weight-block", 32, says="--weight-block")
        self.refuses("--mode", "float", "--weight-bits", 4, says="rounds no weights")
        for option, value in (("--method", "max"), ("--equalize", "on"), ("--activations", "s8"), ("--statistics", "s.stats"),
                              ("--weight-rounding", "fitted"), ("--without", "norm tweaking")):
            self.refuses("--mode", "dynamic", option, value, says=f"{option} has no effect")
        self.refuses("--mode", "dynamic", "--input-type", "u8", says="--input-type u8 has no effect")
        self.refuses("--mode", "dynamic", "--symmetric", says="--symmetric has no effect")
        self.refuses("--mode", "weight-only", "--weight-type", "u8", says="--weight-type")
        self.refuses("--mode", "weight-only", "--weights", "per-tensor", says="--weights per-tensor")
        self.refuses("--mode", "float", "--rest", "f8", says="--rest")
        self.refuses("--mode", "float", "--rest", "bf16", says="computes the rest in f32, f16, not in bf16")
        self.refuses("--mode", "dynamic", "--min-sqnr", 10, says="give --calib")


if __name__ == "__main__":
    main()
