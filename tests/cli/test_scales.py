#!/usr/bin/env python3
"""Scales out of a model and into one: export, retarget, --import, --keep-scales."""
from program import DATA, MODEL, Case, main

USAGE, UNSUPPORTED = 2, 4
FORMATS = ("trt-cache", "ncnn-table", "ort-overrides", "aimet-encodings", "csv")


class Scales(Case):
    def setUp(self):
        super().setUp()
        self.images()
        self.run_program(MODEL, "--calib", "images", "--method", "mse", "--preprocess", "unit", "-o", "q.onnx", "--quiet")

    def sqnr(self, reference, candidate):
        report = self.run_json("verify", reference, candidate, "--images", "images", "--preprocess", "unit")
        return min(o["sqnr_db"] for o in report["outputs"].values())

    def test_retarget_to_the_same_runtime_changes_nothing(self):
        report = self.run_json("retarget", "q.onnx", "-o", "again.onnx")
        self.assertEqual((report["scales"]["left"], report["int8_macs"]), (0, report["macs"]))
        self.assertGreater(self.sqnr("q.onnx", "again.onnx"), 200)

    def test_retarget_to_another_runtime(self):
        self.run_json("retarget", "q.onnx", "--target", "ort-arm", "-o", "arm.onnx")
        self.assertGreater(self.sqnr("q.onnx", "arm.onnx"), 40)
        self.run_json("retarget", "q.onnx", "--target", "native", "--format", "int8", "-o", "i.onnx")
        self.assertGreater(self.sqnr("q.onnx", "i.onnx"), 30)

    def test_every_format_goes_out_and_in(self):
        for name in FORMATS:
            with self.subTest(name):
                written = self.run_json("export", "q.onnx", "--as", name, "-o", f"{name}.txt")
                self.assertGreater(written["activations"], 0)
                self.run_json(MODEL, "--import", f"{name}.txt", "-o", f"{name}.onnx")
                self.assertGreater(self.sqnr(MODEL, f"{name}.onnx"), 20)

    def test_samples_complete_what_a_file_lacks(self):
        self.write("one.csv", "kind,value,type,channel,scale,zero_point,min,max\nactivation,input,u8,,0.01,0,0,2.55\n")
        alone = self.run_json(MODEL, "--import", "one.csv", "-o", "alone.onnx")
        self.assertEqual((alone["samples"], alone["scales"]["taken"], alone["int8_macs"]), (0, 1, 0))
        self.run_json(MODEL, "--import", "one.csv", "--calib", "images", "-o", "both.onnx", "--plan", "plan.json")
        plan = {v["name"]: v for v in self.read_json("plan.json")["values"]}
        self.assertEqual(plan["input"]["scale"], [0.009999999776482582])
        self.assertGreater(self.sqnr(MODEL, "both.onnx"), 20)

    def test_errors(self):
        self.write("other.csv", "kind,value,type,channel,scale,zero_point,min,max\nactivation,nowhere,u8,,1,0,0,1\n")
        self.fails("retarget", MODEL, "-o", "x.onnx", code=USAGE, says="has no scales to keep; give --import FILE")
        self.fails(MODEL, "--import", "other.csv", "-o", "x.onnx", code=USAGE, says="no activation and no weights.*nowhere .1 of 1 scale.")
        self.fails("export", MODEL, "--as", "csv", "-o", "x.csv", code=USAGE, says="has no scales")
        self.fails("export", "q.onnx", "--as", "cvs", "-o", "x.csv", code=USAGE, says="trt-cache")
        self.run_program("retarget", "q.onnx", "--target", "native", "--format", "int8", "-o", "i.onnx")
        self.fails("retarget", "i.onnx", "-o", "x.onnx", code=UNSUPPORTED, says="computes on codes")


if __name__ == "__main__":
    main()
