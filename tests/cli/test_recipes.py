#!/usr/bin/env python3
"""--recipe, --preset, --dry-run and --print-recipe: options and rules from a file, the same as from the command line."""
import json
import re
from pathlib import Path

import json_schema
from program import MODEL, Case, main

USAGE, IO = 2, 5
CLI = Path(__file__).resolve().parent.parent.parent / "cli"
# Options of every command, and those that say what is to be done with a recipe.
NO_FIELDS = {"json", "quiet", "verbose", "color", "no-color", "help", "help-all", "version", "recipe", "dry-run", "print-recipe"}


class Recipes(Case):
    def setUp(self):
        super().setUp()
        self.pictures = self.images(6)

    def recipe(self, settings, name="r.json"):
        return self.write(name, settings if isinstance(settings, str) else json.dumps(settings))

    def quantize(self, *arguments, name="q.onnx"):
        return self.run_json(MODEL, "-o", name, "--calib", self.pictures, "--preprocess", "unit", *arguments)

    def same_file(self, first, second):
        self.quantize(*first, name="first.onnx")
        self.quantize(*second, name="second.onnx")
        self.assertEqual((self.folder / "first.onnx").read_bytes(), (self.folder / "second.onnx").read_bytes())

    def refuses(self, recipe, says, *more, code=USAGE):
        with self.subTest(recipe if isinstance(recipe, dict) else says):
            self.recipe(recipe)
            self.fails(MODEL, "--calib", self.pictures, "-o", "q.onnx", "--recipe", "r.json", *more, code=code, says=says)


class Fields(Recipes):
    def test_a_field_is_what_the_option_is(self):
        self.recipe({"method": "percentile", "percentile": 99.9, "activations": "s8", "exclude": ["fc1", "pool"], "weights": "per-tensor",
                     "symmetric": True, "reduce-range": False, "op-types": ["Conv,Gemm", "MaxPool"]})
        self.same_file(("--recipe", "r.json"), ("--method", "percentile", "--percentile", "99.9", "--activations", "s8", "--exclude", "fc1",
                                                "--exclude", "pool", "--weights", "per-tensor", "--symmetric", "--op-types", "Conv,Gemm,MaxPool"))

    def test_the_command_line_wins(self):
        self.recipe({"method": "entropy", "symmetric": True, "exclude": ["fc1"], "target": "tensorrt"})
        self.same_file(("--recipe", "r.json", "--method", "max", "--symmetric=false", "--exclude", "fc2", "--target", "ort-x86"),
                       ("--method", "max", "--exclude", "fc2"))

    def test_the_whole_request_may_stand_in_a_recipe(self):
        self.recipe({"calib": str(self.pictures), "preprocess": "unit", "method": "max", "output": "named.onnx", "plan": "p.json"})
        report = self.run_json(MODEL, "--recipe", "r.json")
        self.assertEqual((report["output"], report["method"]), ("named.onnx", "max"))
        self.recipe({"images": [str(self.pictures)], "method": "max"})
        self.run_json(MODEL, "--recipe", "r.json", "-o", "q.onnx")

    def test_a_value_that_the_option_would_not_take(self):
        self.refuses({"methd": "max"}, 'no option "methd"; did you mean .*\'method\'')
        self.refuses({"weight_bits": 4}, "'weight-bits'")
        self.refuses({"method": "kl"}, "r.json: --method: 'kl' is none of")
        self.refuses({"method": ["max"]}, '"method": must be a text or a number')
        self.refuses({"method": None}, '"method": must be')
        self.refuses({"method": ""}, "--method: .. is none of")
        self.refuses({"plan": ""}, "--plan is given an empty value")
        self.refuses({"symmetric": "yes"}, '"symmetric": must be true or false')
        self.refuses({"symmetric": 1}, '"symmetric": must be true or false')
        self.refuses({"percentile": 1e10}, "--percentile: '1")
        self.refuses('{"percentile": NaN}', "no valid JSON")
        self.refuses({"weight-bits": 4.5}, "--weight-bits: '4.5' is no whole number")
        self.refuses({"weight-bits": 8.0}, "--weight-bits: '8.0' is no whole number")
        self.refuses({"exclude": []}, '"exclude": must have 1 to')
        self.refuses({"exclude": [["a"]]}, '"exclude": must be')
        self.refuses({"exclude": ["nothing"]}, "--exclude 'nothing' names no node")
        self.refuses({"recipe": "s.json"}, 'no option "recipe"')
        self.refuses({"json": True}, 'no option "json"')
        self.refuses({"calib": "a", "images": "b"}, "given twice")
        self.refuses({"preset": "pytorch"}, "--preset: 'pytorch' is none of .*pytorch-fbgemm")
        self.refuses("[]", "not a JSON object")
        self.refuses('{"method": "max" ', "no valid JSON at byte")
        self.refuses('{"a": ' + "[" * 100 + "]" * 100 + "}", "64 levels")
        self.refuses("{" + " " * 2**20 + "}", "at most 1048576")
        self.fails(MODEL, "--calib", self.pictures, "--recipe", "none.json", code=IO, says="none.json")
        self.fails(MODEL, "--calib", self.pictures, "--preset", "kl", code=USAGE, says="tensorrt-entropy")

    def test_a_recipe_is_not_written_over(self):
        self.recipe({"method": "max"})
        self.fails(MODEL, "--calib", self.pictures, "--recipe", "r.json", "-o", "r.json", code=USAGE, says="is the input itself")

    def test_the_schema_has_every_option(self):
        """A new option needs its line in cli/schemas/recipe.schema.json."""
        text = self.run_program("--help-all").stdout
        options = set(re.findall(r"(?m)^  (?:-\w, )?--([a-z0-9-]+)", text)) - NO_FIELDS
        options |= {second for names in re.findall(r"(?m)^  --[a-z-]+((?:, --[a-z-]+)+)", text) for second in re.findall(r"--([a-z-]+)", names)} - NO_FIELDS
        rules = json.loads((CLI / "schemas" / "recipe.schema.json").read_text())
        self.assertEqual(options | {"$schema", "description", "rules"}, set(rules["properties"]))


class Rules(Recipes):
    def plan(self, *rules):
        self.recipe({"method": "max", "plan": "p.json", "rules": list(rules)})
        report = self.quantize("--recipe", "r.json")
        plan = self.read_json("p.json")
        return report, {node["name"]: node for node in plan["nodes"]}, {value["name"]: value for value in plan["values"]}

    def test_rules_set_modes_bits_and_methods(self):
        report, nodes, values = self.plan({"op_type": "Gemm", "mode": "weight-only", "bits": 4}, {"glob": "fc2", "bits": 8},
                                          {"from": "conv2", "to": "pool2", "enabled": False}, {"regex": "^conv1$", "activation_bits": 7})
        self.assertEqual([nodes[n]["mode"] for n in ("conv1", "conv2", "relu2", "pool2", "fc1", "fc2")],
                         ["static", "float", "float", "float", "weight-only", "weight-only"])
        self.assertEqual([nodes[n]["stored"][0]["type"] for n in ("fc1", "fc2")], ["s4", "s8"])
        self.assertEqual([s["nodes"] for s in report["selectors"]], [["fc1", "fc2"], ["fc2"], ["conv2", "relu2", "pool2"], ["conv1"]])
        self.assertEqual({s["option"] for s in report["selectors"]}, {"--recipe"})

    def test_a_rule_of_values(self):
        _, _, values = self.plan({"of": "activations", "glob": "relu?_out", "amax": 3}, {"of": "values", "glob": "relu2_out", "enabled": False})
        self.assertEqual(values["relu1_out"]["range"], {"min": 0, "max": 3})
        self.assertNotIn("relu2_out", values)

    def test_a_wish_that_comes_to_nothing_is_warned_of(self):
        report, _, values = self.plan({"op_type": "Conv", "activation_bits": 7}, {"glob": "fc2", "activation_bits": 7})
        self.assertEqual([values[f"relu{i}_out"]["quant_max"] for i in (1, 2, 3)], [127, 127, 255])
        self.assertRegex("\n".join(report["warnings"]), "fc2.* changes nothing: 'logits' is not rounded")
        self.assertNotRegex("\n".join(report["warnings"]), "Conv")
        self.write("o.json", '{"logits": {"num_bits": 7}}')
        self.assertRegex("\n".join(self.quantize("--overrides", "o.json")["warnings"]), "override of 'logits' changes nothing")

    def test_modes_of_rules_decide_whether_images_are_needed(self):
        self.recipe({"mode": "dynamic", "rules": [{"glob": "conv1", "mode": "static"}]})
        self.fails(MODEL, "-o", "q.onnx", "--recipe", "r.json", code=USAGE, says="--calib is required")
        self.recipe({"mode": "dynamic", "rules": [{"glob": "conv1", "mode": "float"}]})
        self.assertEqual(self.run_json(MODEL, "-o", "q.onnx", "--recipe", "r.json")["modes"]["dynamic"]["nodes"], 3)

    def test_a_rule_that_matches_nothing(self):
        self.refuses({"rules": [{"glob": "con1", "mode": "float"}]}, "rule 1 .*'con1' names no node.*'conv1'")
        self.refuses({"rules": [{"op_type": "Gem", "bits": 4}]}, "'Gem' names no operator.*'Gemm'")
        self.refuses({"rules": [{"from": "fc1", "to": "conv1", "mode": "float"}]}, "no path leads from 'fc1' to 'conv1'")
        self.refuses({"rules": [{"glob": "*", "mode": "float"}, {"glob": "*", "colour": 1}]}, 'r.json: rule 2.*no key "colour"')
        self.plan({"glob": "con1", "mode": "float", "optional": True})


class DryRun(Recipes):
    def test_says_what_each_rule_matches_and_needs_no_images(self):
        self.recipe({"rules": [{"glob": "fc*", "mode": "float"}, {"of": "values", "op_type": "Gemm", "bits": 7}, {"glob": "no", "enabled": True, "optional": True}]})
        report = self.run_json(MODEL, "--recipe", "r.json", "--dry-run", "--exclude", "conv1")
        self.assertEqual([(r["rule"], r["nodes"]) for r in report["rules"]], [(1, ["fc1", "fc2"]), (2, []), (3, [])])
        self.assertEqual(sorted(report["rules"][1]["values"]), ["fc1/weight", "fc1_out", "fc2/weight", "logits"])
        self.assertEqual(report["rules"][0]["settings"], {"glob": "fc*", "mode": "float"})
        self.assertEqual([s["nodes"] for s in report["selectors"]], [["conv1"]])
        text = self.run_program(MODEL, "--recipe", "r.json", "--dry-run").stdout
        self.assertIn("2 nodes: fc1, fc2", text)
        self.assertIn("nothing, as it may", text)
        self.assertIn("nothing is written", text)
        self.assertEqual([f for f in self.files() if f.endswith(".onnx")], [])

    def test_says_which_values_cannot_take_a_rule(self):
        self.recipe({"rules": [{"of": "values", "glob": "fc1/*", "bits": 7}]})
        rule = self.run_json(MODEL, "--recipe", "r.json", "--dry-run")["rules"][0]
        self.assertEqual(rule["values"], ["fc1/weight"])
        self.assertEqual(rule["left_out"][0]["value"], "fc1/bias")

    def test_refuses_what_a_run_would_refuse(self):
        self.refuses({"rules": [{"glob": "con1", "mode": "float"}]}, "names no node", "--dry-run")
        self.refuses({"target": "openvino", "mode": "dynamic"}, "openvino", "--dry-run")


class PrintRecipe(Recipes):
    def printed(self, *arguments, name="printed.json"):
        text = self.run_program(*arguments, "--print-recipe").stdout
        self.write(name, text)
        return json.loads(text)

    def test_is_preset_recipe_and_command_line_in_one(self):
        self.recipe({"preset": "tflite", "method": "mean", "rules": [{"glob": "fc1", "mode": "float"}]})
        recipe = self.printed(MODEL, "--recipe", "r.json", "--weights", "per-tensor", "--label-offset", -1)
        self.assertEqual((recipe["target"], recipe["method"], recipe["weights"], recipe["label-offset"]), ("tflite", "mean", "per-tensor", -1))
        self.assertEqual(recipe["rules"][-1], {"glob": "fc1", "mode": "float"})
        self.assertNotIn("preset", recipe)
        self.assertEqual(self.run_json("--recipe", "r.json", "--preset", "ncnn", "--print-recipe")["recipe"]["target"], "tensorrt")

    def test_can_be_given_back(self):
        self.recipe({"method": "percentile", "percentile": 99.95, "exclude": ["fc2"], "symmetric": True,
                     "rules": [{"op_type": "Conv", "bits": 6}, {"of": "activations", "regex": "relu1", "scale_amax": 0.9}]})
        for first in (("--recipe", "r.json", "--activations", "s8"), ("--preset", "pytorch-fbgemm", "--exclude", "fc1"), ("--method", "max", "--reduce-range")):
            with self.subTest(first):
                recipe = self.printed(MODEL, *first)
                self.same_file(first, ("--recipe", "printed.json"))
                self.assertEqual(self.printed(MODEL, "--recipe", "printed.json", name="again.json"), recipe)

    def test_needs_no_model(self):
        self.assertEqual(self.printed("--method", "max"), {"method": "max"})
        self.fails("--method", "max", code=USAGE, says="MODEL.onnx is required")
        self.fails("--print-recipe", "--dry-run", code=USAGE, says="excludes")


class Presets(Recipes):
    def test_each_is_a_recipe_that_fits_the_schema_and_quantizes(self):
        files = sorted((CLI / "presets").glob("*.json"))
        names = re.search(r"--preset NAME +(.*?)\n  --", self.run_program("--help-all").stdout, re.S)[1]
        rules = json.loads((CLI / "schemas" / "recipe.schema.json").read_text())
        for path in files:
            with self.subTest(path.stem):
                self.assertIn(path.stem, names.split(": ", 1)[1].replace("\n", " ").replace(",", " ").split())
                recipe = json.loads(re.sub(r"//[^\n]*", "", path.read_text().replace("://", ":")))
                self.assertEqual(list(json_schema.complaints(recipe, rules, rules)), [])
                report = self.quantize("--preset", path.stem)
                self.assertEqual((report["target"], report["method"]), (recipe["target"], recipe["method"]))
                self.assertGreater(sum(n["int8"] for n in report["nodes"].values()), 0)

    def test_a_preset_decides_types_and_bits(self):
        self.quantize("--preset", "pytorch-fbgemm", "--plan", "p.json")
        values = {v["name"]: v for v in self.read_json("p.json")["values"]}
        self.assertEqual({(v["quant_min"], v["quant_max"]) for v in values.values()}, {(0, 127)})


if __name__ == "__main__":
    main()
