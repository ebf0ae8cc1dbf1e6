#!/usr/bin/env python3
"""What --json prints is what cli/schemas says."""
import copy
import json
from pathlib import Path

import json_schema
from program import MODEL, Case, main

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "cli" / "schemas"


def schema(command):
    return json.loads((SCHEMAS / f"{command}.schema.json").read_text())


class Schemas(Case):
    def fits(self, report, command):
        rules = schema(command)
        self.assertEqual(list(json_schema.complaints(report, rules, rules)), [])
        return report

    def all_keys_are_there(self, report, command, without=()):
        keys = schema(command)["$defs"]["report"]["properties"].keys()
        self.assertEqual(sorted(keys - set(without)), sorted(report))

    def test_of_the_default_command(self):
        images = self.images(20)
        names = [p.name for p in sorted(images.iterdir())]
        self.write("labels.txt", "".join(f"{name} {i % 10}\n" for i, name in enumerate(names)))
        searched = self.run_json(MODEL, "--calib", images, "--labels", "labels.txt", "--exclude", "conv1", "--statistics",
                                 "a.stats", "-o", "a.onnx")
        self.fits(searched, "quantize")
        self.all_keys_are_there(searched, "quantize")
        self.assertTrue(searched["steps"] and searched["float_nodes"] and searched["selectors"])
        plain = self.run_json(MODEL, "--statistics", "a.stats", "--method", "max", "-o", "b.onnx")
        self.fits(plain, "quantize")
        self.all_keys_are_there(plain, "quantize", {"top1"})
        self.assertIsNone(plain["held_back_quality"])
        self.run_json("export", "b.onnx", "--as", "csv", "-o", "b.csv")
        self.fits(self.run_json(MODEL, "--import", "b.csv", "-o", "d.onnx"), "quantize")
        failed = self.run_json(MODEL, "--calib", images, "--min-sqnr", 900, "--method", "max", "-o", "c.onnx", code=1)
        self.assertIsNone(self.fits(failed, "quantize")["output"])
        self.fits(self.run_json("nothing.onnx", "--calib", images, code=5), "quantize")

    def test_of_verify(self):
        images = self.images(8)
        report = self.run_json("verify", MODEL, MODEL, "--images", images, "--layers", "--min-agreement", 50)
        self.fits(report, "verify")
        self.all_keys_are_there(report, "verify", {"top1"})
        self.fits(self.run_json("verify", MODEL, "nothing.onnx", "--images", images, code=5), "verify")

    def test_a_schema_finds_what_is_wrong(self):
        report = self.run_json("verify", MODEL, MODEL, "--images", self.images(2))
        rules = schema("verify")
        for spoil, says in ((lambda r: r.pop("agreement"), "agreement is missing"),
                            (lambda r: r.update(more=1), "more is not in the schema"),
                            (lambda r: r.update(samples="2"), "samples: '2' is not of type integer"),
                            (lambda r: r["outputs"]["logits"].pop("sqnr_db"), "logits: sqnr_db is missing")):
            spoiled = copy.deepcopy(report)
            spoil(spoiled)
            self.assertIn(says, "\n".join(json_schema.complaints(spoiled, rules, rules)))


if __name__ == "__main__":
    main()
