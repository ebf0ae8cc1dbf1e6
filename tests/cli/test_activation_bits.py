#!/usr/bin/env python3
"""--activation-bits: activations of 16 bits, of all nodes and of some, and what a bound makes of them."""
from program import MODEL, Case, main

USAGE, UNSUPPORTED = 2, 4


class ActivationBits(Case):
    def setUp(self):
        super().setUp()
        self.pictures = self.images(20)

    def quantize(self, *arguments, name="q.onnx", **options):
        return self.run_json(MODEL, "--calib", self.pictures, "--preprocess", "unit", "--method", "max", "-o", name, *arguments, **options)

    def sqnr(self, name="q.onnx"):
        return self.run_json("verify", MODEL, name, "--images", self.pictures, "--preprocess", "unit")["outputs"]["logits"]["sqnr_db"]

    def test_all_nodes(self):
        self.quantize("--target", "qnn")
        eight = self.sqnr()
        for target, codes in (("qnn", "u16"), ("tflite", "s16")):
            report = self.quantize("--target", target, "--activation-bits", 16, "--plan", "plan.json")
            self.assertEqual((report["int8_macs"], report["int16_macs"], report["float_macs"]), (0, report["macs"], 0))
            self.assertEqual(report["cost"], 2 * report["macs"])
            self.assertEqual(report["nodes"]["Conv"], {"int8": 0, "int16": 2, "float": 0})
            plan = self.read_json("plan.json")
            self.assertEqual({v["type"] for v in plan["values"]}, {codes})
            self.assertIn("int16", {n["placement"] for n in plan["nodes"]})
            self.assertGreater(self.sqnr(), eight + 3)
            facts = self.run_json("inspect", "q.onnx")
            self.assertGreaterEqual(facts["opset"], 21)
            self.assertGreater(facts["quantized"]["int16_nodes"], 3)
            lint = self.run_json("lint", "q.onnx", "--target", target)
            self.assertTrue(all(n["integer"] for n in lint["nodes"] if n["op_type"] in ("Conv", "Gemm")))
            certificates = self.run_json("inspect", "q.onnx", "--certify")["certificates"]
            self.assertEqual({c["activation_bits"] for c in certificates}, {16})
            self.assertGreater(min(c["accumulator_bits"] for c in certificates), 25)

    def test_some_nodes(self):
        report = self.quantize("--target", "qnn", "--activation-bits", "16=conv", "--activation-bits", "8=conv1", "--plan", "plan.json")
        nodes = {n["name"]: n for n in self.read_json("plan.json")["nodes"]}
        self.assertEqual([nodes[n]["placement"] for n in ("conv1", "conv2", "fc1")], ["int8", "int16", "int8"])
        self.assertEqual([c["codes"]["type"] for c in nodes["conv2"]["converted"]], ["u16"])
        self.assertEqual(report["nodes"]["Conv"], {"int8": 1, "int16": 1, "float": 0})
        self.assertGreater(report["int8_macs"] * report["int16_macs"], 0)
        self.assertIn("16=conv", [s["text"] for s in report["selectors"]])
        types = {c["activation_bits"] for c in self.run_json("inspect", "q.onnx", "--certify")["certificates"]}
        self.assertEqual(types, {8, 16})
        self.assertGreater(self.sqnr(), 15)

    def test_one_value(self):
        self.quantize("--target", "qnn", "--plan", "plan.json")
        name = next(v["name"] for v in self.read_json("plan.json")["values"] if "relu2" in v["name"].lower() or "conv2" in v["name"].lower())
        self.write("overrides.json", '{"%s": {"num_bits": 16}}' % name)
        self.quantize("--target", "qnn", "--overrides", "overrides.json", "--plan", "plan.json")
        self.assertEqual({v["name"]: v["type"] for v in self.read_json("plan.json")["values"]}[name], "u16")
        self.fails(MODEL, "--calib", self.pictures, "--target", "vitis", "--overrides", "overrides.json", "-o", "o.onnx", code=UNSUPPORTED, says="no activations of 16 bits")
        self.write("overrides.json", '{"%s": {"num_bits": 12}}' % name)
        self.fails(MODEL, "--calib", self.pictures, "--target", "qnn", "--overrides", "overrides.json", "-o", "o.onnx", code=USAGE, says="from 2 to 8, or 16")

    def test_scales_go_out_and_come_in(self):
        self.quantize("--target", "qnn", "--activation-bits", 16)
        for kind, word in (("csv", ",u16,"), ("ort-overrides", "QUInt16"), ("aimet-encodings", '"bitwidth": 16')):
            self.run_program("export", "q.onnx", "--as", kind, "-o", "scales")
            self.assertIn(word, (self.folder / "scales").read_text())
            self.run_json(MODEL, "--import", "scales", "--target", "qnn", "-o", "i.onnx")
            self.assertGreater(self.sqnr("i.onnx"), 25)
            self.assertGreater(self.run_json("inspect", "i.onnx")["quantized"]["int16_nodes"], 3)
            (self.folder / "scales").unlink()
        self.run_json("retarget", "q.onnx", "--target", "qnn", "-o", "same.onnx")
        self.assertAlmostEqual(self.sqnr("same.onnx"), self.sqnr(), delta=1)
        self.run_json("retarget", "q.onnx", "--target", "tflite", "-o", "t.onnx")
        self.assertGreater(self.run_json("inspect", "t.onnx")["quantized"]["int16_nodes"], 3)
        self.run_json("retarget", "q.onnx", "--target", "native", "-o", "n.onnx")
        self.assertEqual(self.run_json("inspect", "n.onnx")["quantized"]["int16_nodes"], 0)

    def test_runtimes_that_compute_them_in_float_say_so(self):
        report = self.quantize("--target", "ort-x86", "--activation-bits", 16)
        self.assertEqual((report["int8_macs"], report["int16_macs"]), (0, 0))
        self.assertIn("ort-x86 computes in float between codes of 16 bits", {n["reason"] for n in report["float_nodes"]})
        reasons = [n["reason"] for n in self.run_json("lint", "q.onnx", "--target", "ort-x86")["nodes"] if n["op_type"] == "Conv"]
        self.assertTrue(all("16 bits" in reason for reason in reasons))

    def test_refusals(self):
        images = (MODEL, "--calib", self.pictures, "-o", "o.onnx")
        for target in ("vitis", "tensorrt", "native"):
            self.fails(*images, "--target", target, "--activation-bits", 16, code=UNSUPPORTED, says=f"target {target} has no activations of 16 bits; qnn and tflite")
        for wrong, says in (("12", "takes 8, 16"), ("16=(", "regular expression"), ("16=", "empty"), ("16=nothing", "names no node")):
            self.fails(*images, "--target", "qnn", "--activation-bits", wrong, code=USAGE, says=says)
        self.fails(*images, "--target", "qnn", "--activation-bits", 16, "--activation-bits", 8, code=USAGE, says="both 8 and 16")
        self.fails(MODEL, "-o", "o.onnx", "--mode", "dynamic", "--activation-bits", 16, code=USAGE, says="--activation-bits has no effect")

    def test_a_bound_takes_16_bits_before_float(self):
        free = self.quantize("--target", "qnn", "--min-sqnr", 1, name="free.onnx")
        self.assertEqual((free["put_back"], free["put_to_16_bits"], free["int16_macs"]), ([], [], 0))
        wanted = free["held_back_quality"]["sqnr_db"] + 2
        kept = self.quantize("--target", "qnn", "--min-sqnr", wanted, name="kept.onnx")
        self.assertGreaterEqual(kept["held_back_quality"]["sqnr_db"], wanted)
        self.assertGreater(kept["int16_macs"], 0)
        self.assertGreater(len(kept["put_to_16_bits"]), 0)
        alone = self.quantize("--target", "qnn", "--min-sqnr", wanted, "--activation-bits", 8, name="alone.onnx")
        self.assertEqual((alone["put_to_16_bits"], alone["int16_macs"]), ([], 0))
        self.assertLessEqual(kept["cost"], alone["cost"])
        text = self.run_program(MODEL, "--calib", self.pictures, "--preprocess", "unit", "--method", "max", "-o", "t.onnx", "--target", "qnn", "--min-sqnr", wanted).stdout
        self.assertRegex(text, "16 bits +[0-9]+ layers? of 16 bits to keep the bound")


if __name__ == "__main__":
    main()
