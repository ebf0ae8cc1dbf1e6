#!/usr/bin/env python3
"""quantize lint: which nodes a runtime computes on integers, why not, and what would mend it."""
from program import MODEL, Case, main


class Lint(Case):
    def setUp(self):
        super().setUp()
        self.samples = self.images()

    def quantized(self, *options, name="q.onnx"):
        self.run_program(MODEL, "--calib", self.samples, "--method", "max", "-o", name, "--quiet", *options)
        return name

    def test_a_model_of_reals_is_float_for_one_reason(self):
        report = self.run_json("lint", MODEL)
        self.assertEqual((report["target"], report["integer_nodes"], report["conversions"]), ("ort-x86", 0, 0))
        convs = [n for n in report["nodes"] if n["op_type"] == "Conv"]
        self.assertTrue(convs)
        for node in convs:
            self.assertEqual((node["integer"], node["rule"], node["level"]), (False, "reads-reals", "warning"))
            self.assertIn("no DequantizeLinear makes it", node["reason"])
            self.assertTrue(node["remedy"])

    def test_a_file_is_integer_on_its_own_target(self):
        for target in ("ort-x86", "openvino", "tensorrt", "qnn", "tflite", "vitis", "generic", "native"):
            file = self.quantized("--target", target, name=f"{target}.onnx")
            report = self.run_json("lint", file, "--target", target)
            self.assertEqual([n for n in report["nodes"] if n["op_type"] in ("Conv", "Gemm") and not n["integer"]], [], target)
            self.assertIsNone(report["refused"])

    def test_another_target_says_why(self):
        report = self.run_json("lint", self.quantized(), "--target", "tensorrt")
        self.assertEqual({n["rule"] for n in report["nodes"] if n["op_type"] == "Conv"}, {"types"})
        report = self.run_json("lint", self.quantized("--target", "ort-arm", name="arm.onnx"), "--target", "vitis")
        self.assertEqual({n["rule"] for n in report["nodes"] if n["op_type"] == "Conv"}, {"zero-point"})

    def test_operators_of_codes(self):
        file = self.quantized("--format", "int8", "--target", "ort-x86", name="int8.onnx")
        report = self.run_json("lint", file)
        self.assertEqual([n for n in report["nodes"] if n["op_type"].startswith("QLinear") and not n["integer"]], [])
        report = self.run_json("lint", file, "--target", "openvino")
        self.assertEqual({n["rule"] for n in report["nodes"] if n["op_type"] == "QLinearConv"}, {"operator-of-codes"})

    def test_fails_on_the_level_that_is_asked_for(self):
        done = self.run_program("lint", MODEL, "--fail-on", "warning", code=1)
        self.assertRegex(done.stderr, r"--fail-on warning is not kept: \d+ findings of that level or above")
        self.assertEqual(self.run_json("lint", MODEL, "--fail-on", "warning", code=1)["checks"][0]["passed"], False)
        report = self.run_json("lint", MODEL, "--fail-on", "error")
        self.assertEqual(report["checks"], [{"name": "fail-on", "value": 0, "limit": 0, "passed": True}])
        self.fails("lint", MODEL, "--fail-on", "much", code=2, says="warning")

    def test_writes_sarif(self):
        self.run_program("lint", MODEL, "--sarif", "found.sarif")
        run = self.read_json("found.sarif")["runs"][0]
        rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        self.assertTrue(run["results"])
        for result in run["results"]:
            self.assertIn(result["ruleId"], rules)
            self.assertIn(result["level"], ("note", "warning", "error"))
            self.assertTrue(result["locations"][0]["logicalLocations"][0]["name"])
        self.fails("lint", MODEL, "--sarif", MODEL, code=2, says="input")

    def test_text_names_reasons_and_remedies(self):
        text = self.run_program("lint", MODEL).stdout
        self.assertRegex(text, r"0 of \d+ nodes on integers, 0 conversions")
        self.assertIn("quantize the FP32 model", " ".join(text.split()))
        everything = self.run_program("lint", MODEL, "--explain").stdout
        self.assertGreater(len(everything.splitlines()), len(text.splitlines()))


if __name__ == "__main__":
    main()
