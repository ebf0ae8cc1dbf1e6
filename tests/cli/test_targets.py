#!/usr/bin/env python3
"""quantize targets: every target and all that it says; models for each of them."""
from program import MODEL, Case, main


class Targets(Case):
    def names(self):
        return [target["name"] for target in self.run_json("targets")["targets"]]

    def test_lists_them_all_as_the_option_does(self):
        names = self.names()
        self.assertEqual(set(names), {"ort-x86", "ort-arm", "openvino", "tensorrt", "qnn", "tflite", "vitis", "generic", "native"})
        refused = self.run_program(MODEL, "--calib", "x", "--target", "?", code=2).stderr
        text = self.run_program("targets").stdout
        for name in names:
            self.assertIn(name, refused)
            self.assertRegex(text, rf"(?m)^  {name} ")

    def test_says_all_of_one(self):
        for name in self.names():
            target = self.run_json("targets", name)["target"]
            self.assertEqual(target["name"], name)
            text = self.run_program("targets", name).stdout
            self.assertLessEqual(max(map(len, text.splitlines())), 100, text)
            for entry in target["operators"]:
                self.assertRegex(text, rf"(?m)^  {entry['op_type']} ")
                self.assertEqual("weights" in entry, entry["op_type"] in ("Conv", "ConvTranspose", "Gemm", "MatMul"))
        self.fails("targets", "nowhere", code=2, says="ort-x86")

    def test_says_what_the_runtimes_are_known_for(self):
        tensorrt, tflite, vitis = (self.run_json("targets", name)["target"] for name in ("tensorrt", "tflite", "vitis"))
        self.assertEqual(tensorrt["types"], [{"activations": "s8", "weights": "s8", "zero_point": "in the middle"}])
        self.assertEqual(tensorrt["bias"], "f32")
        self.assertEqual({o["output"] for o in tensorrt["operators"]}, {"reals"})
        fixed = {o["op_type"]: (o["scale"], o["zero_point"]) for o in tflite["fixed_outputs"]}
        self.assertEqual(fixed, {"Softmax": (1 / 256, -128), "Sigmoid": (1 / 256, -128), "Tanh": (1 / 128, 0), "LpNormalization": (1 / 128, 0)})
        self.assertEqual({o["scale"] for o in tflite["activations_16"]["fixed_outputs"]}, {1 / 32768})
        self.assertIsNone(vitis["activations_16"])
        self.assertEqual(vitis["scale_grid"], "powers of two")
        self.assertEqual({o["weights"] for o in vitis["operators"] if "weights" in o}, {"per tensor"})

    def test_a_model_for_each(self):
        images = self.images()
        for name in self.names():
            report = self.run_json(MODEL, "--calib", images, "--method", "max", "--target", name, "-o", f"{name}.onnx")
            self.assertEqual(report["target"], name)
            for op_type in ("Conv", "Gemm"):
                self.assertEqual(report["nodes"][op_type]["float"], 0, name)
            verified = self.run_json("verify", MODEL, f"{name}.onnx", "--images", images)
            self.assertGreater(min(o["sqnr_db"] for o in verified["outputs"].values()), 15, name)

    def test_says_what_processors_without_vnni_need(self):
        base = (MODEL, "--calib", self.images(), "--preprocess", "unit", "--method", "max", "-o", "q.onnx")
        self.assertIn("x64quantprecision", self.run_json(*base)["without_vnni"])
        self.assertIn("without VNNI", self.run_program(*base).stdout)
        for exact in (("--weight-type", "u8"), ("--reduce-range",), ("--target", "tensorrt"), ("--format", "int8")):
            self.assertIsNone(self.run_json(*base, *exact)["without_vnni"], exact)
        self.assertEqual(self.run_json("targets", "openvino")["target"]["without_vnni"], "quantize with --reduce-range")

    def test_refuses_what_a_target_does_not_take(self):
        images = self.images()
        for options, says in ((("--target", "tensorrt", "--activations", "u8"), "s8 activations by s8 weights"),
                              (("--target", "vitis", "--weights", "per-channel"), "one scale for all weights")):
            self.fails(MODEL, "--calib", images, *options, code=2, says=says)


if __name__ == "__main__":
    main()
