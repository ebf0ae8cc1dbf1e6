#!/usr/bin/env python3
"""What the commands do when all is well, and that their JSON keeps its contract."""
import re
import shutil

import onnx_bytes as onnx
import pictures
from program import DATA, MODEL, Case, main

NUMBER = (int, float)
FRAME = {"command": str, "version": str, "warnings": [str], "seconds": NUMBER, "peak_rss_mib": NUMBER}


class Contract(Case):
    """Every key that interface.md names, with its type."""

    def obeys(self, value, contract, at=""):
        if isinstance(contract, dict) and str in contract:              # any names -> one type
            self.assertIsInstance(value, dict, at)
            for key, entry in value.items():
                self.obeys(entry, contract[str], f"{at}/{key}")
        elif isinstance(contract, dict):
            self.assertIsInstance(value, dict, at)
            for key, entry in contract.items():
                self.assertIn(key, value, at)
                self.obeys(value[key], entry, f"{at}/{key}")
        elif isinstance(contract, list):
            self.assertIsInstance(value, list, at)
            for entry in value:
                self.obeys(entry, contract[0], f"{at}[]")
        else:
            self.assertIsInstance(value, contract, at)

    def quantize(self, *arguments):
        if not (self.folder / "images").exists():
            self.images(10)
        return self.run_json(MODEL, "--calib", "images", "--preprocess", "unit", "-o", "q.onnx", *arguments)

    def test_quantize(self):
        report = self.quantize()
        self.obeys(report, FRAME | {
            "model": str, "output": str, "method": str, "format": str, "target": str, "samples": int,
            "skipped_images": int, "bytes_before": int, "bytes_after": int,
            "bias_correction": str, "nodes": {str: {"int8": int, "float": int}},
            "float_nodes": [{"name": str, "op_type": str, "reason": str}], "checks": [],
            "quality": {"held_back": int, "agreement": (type(None), *NUMBER), "sqnr_db": (type(None), *NUMBER)}})
        self.assertEqual(report["command"], "quantize")
        self.assertEqual((report["format"], report["target"], report["samples"]), ("qdq", "ort-x86", 10))
        self.assertEqual(report["bytes_before"], MODEL.stat().st_size)
        self.assertEqual(report["bytes_after"], (self.folder / "q.onnx").stat().st_size)
        self.assertGreater(report["nodes"]["Conv"]["int8"], 0)

    def test_int8(self):
        report = self.run_json(MODEL, "--calib", self.images(10), "--preprocess", "unit", "--format", "int8", "-o", "i.onnx")
        self.assertEqual((report["format"], report["target"]), ("int8", "native"))
        facts = self.run_json("inspect", "i.onnx")
        self.assertEqual(facts["quantized"]["format"], "int8")
        self.assertEqual(facts["op_types"]["QLinearConv"], report["nodes"]["Conv"]["int8"])
        self.assertGreater(facts["macs"], 0)
        # The QDQ file of the same target is the same network, byte for byte.
        self.quantize("--target", "native")
        for name in ("q", "i"):
            self.run_json("run", f"{name}.onnx", "images", "--preprocess", "unit", "-o", name)
        same = {(self.folder / name / "logits.npy").read_bytes() for name in ("q", "i")}
        self.assertEqual(len(same), 1)

    def test_reference_spells_integers_out(self):
        images = self.images(10)
        words = (MODEL, "--calib", images, "--preprocess", "unit", "--method", "mse")
        report = self.run_json(*words, "--format", "reference", "-o", "r.onnx")
        self.assertEqual((report["format"], report["target"]), ("reference", "generic"))
        self.run_json(*words, "--target", "generic", "-o", "q.onnx")
        operators = self.run_json("inspect", "r.onnx")["op_types"]
        self.assertIn("ConvInteger", operators)
        self.assertFalse([name for name in operators if name.startswith("QLinear")])
        results = [self.run_json("run", file, images, "-o", file + ".out")["outputs"]["logits"]["file"] for file in ("r.onnx", "q.onnx")]
        self.assertEqual(*[(self.folder / file).read_bytes() for file in results])

    def test_int8_takes_pixels(self):
        self.run_json(MODEL, "--calib", self.images(4), "--preprocess", "unit", "--format", "int8", "--input-type", "u8",
                      "-o", "u8.onnx")
        self.assertEqual(self.run_json("inspect", "u8.onnx")["inputs"]["input"]["dtype"], "u8")
        self.assertEqual(self.run_json("run", "u8.onnx", "images", "--preprocess", "unit")["outputs"]["logits"]["shape"][0], 4)

    def test_bench(self):
        self.quantize()
        report = self.run_json("bench", MODEL, "q.onnx", "--rounds", "2", "--threads", "2", "--layers")
        layer = {"name": str, "op_type": str, "shape": str, "kernel": str, "macs": int, "median_ms": NUMBER}
        self.obeys(report, FRAME | {
            "median_ms": NUMBER, "threads": int, "isa": str,
            "models": [{"file": str, "median_ms": NUMBER, "min_ms": NUMBER, "p95_ms": NUMBER, "ratio": NUMBER,
                        "layers": [layer]}]})
        self.assertEqual((report["threads"], len(report["models"])), (2, 2))
        first, second = report["models"]
        self.assertEqual((first["ratio"], first["median_ms"]), (1, report["median_ms"]))
        self.assertEqual(first["macs"], second["macs"])
        self.assertNotIn("int8", {layer["kernel"] for layer in first["layers"]})
        self.assertIn("int8", {layer["kernel"] for layer in second["layers"]})

    def test_verify(self):
        self.quantize()
        report = self.run_json("verify", MODEL, "q.onnx", "--images", DATA / "eval", "--samples", "50", "--labels",
                               DATA / "eval_labels.txt", "--layers")
        self.obeys(report, FRAME | {
            "samples": int, "top1": {"reference": NUMBER, "candidate": NUMBER}, "agreement": NUMBER,
            "outputs": {str: {"sqnr_db": NUMBER, "max_abs_diff": NUMBER}},
            "layers": [{"name": str, "op_type": str, "sqnr_db": NUMBER}], "passed": bool})
        self.assertEqual((report["samples"], report["passed"]), (50, True))
        self.assertEqual(list(report["outputs"]), ["logits"])
        self.assertGreaterEqual(report["agreement"], 90)
        self.assertGreaterEqual(report["outputs"]["logits"]["sqnr_db"], 15)
        self.assertIn("Conv", {layer["op_type"] for layer in report["layers"]})

    def test_run(self):
        report = self.run_json("run", MODEL, DATA / "eval", "--samples", "3", "--top", "2", "-o", "out")
        self.obeys(report, FRAME | {
            "outputs": {str: {"shape": [int], "dtype": str, "file": str}},
            "predictions": [{"sample": str, "classes": [int], "scores": [NUMBER]}]})
        self.assertEqual(report["outputs"]["logits"]["shape"], [3, 10])
        self.assertEqual([len(p["classes"]) for p in report["predictions"]], [2, 2, 2])

    def test_inspect(self):
        report = self.run_json("inspect", MODEL)
        self.obeys(report, FRAME | {
            "ir_version": int, "opset": int, "inputs": {str: {"dtype": str}}, "outputs": {str: {"dtype": str}}, "parameters": int, "model": str,
            "bytes": int, "macs": int, "op_types": {str: int},
            "quantized": {"format": str, "int8_nodes": int, "float_nodes": int}})
        self.assertEqual((report["opset"], report["quantized"]["format"]), (13, "float"))
        self.assertEqual(report["inputs"]["input"]["shape"], ["N", 1, 28, 28])
        # conv1 and conv2 at 28 x 28 and 14 x 14, fc1 and fc2, by hand from the shapes in the file
        self.assertGreater(report["macs"], 100000)
        self.quantize()
        quantized = self.run_json("inspect", "q.onnx")["quantized"]
        self.assertEqual(quantized["format"], "qdq")
        self.assertGreater(quantized["int8_nodes"], 3)

    def test_calibrate_and_merge(self):
        self.images(10)
        report = self.run_json("calibrate", MODEL, "--calib", "images", "-o", "s.stats")
        self.obeys(report, FRAME | {"model": str, "output": str, "samples": int, "skipped_images": int})
        report = self.run_json("merge", "s.stats", "-o", "t.stats")
        self.obeys(report, FRAME | {"output": str, "samples": int})

    def test_plan(self):
        self.quantize("--plan", "plan.json", "--exclude", "fc2")
        plan = self.read_json("plan.json")
        self.obeys(plan, {"values": [{"name": str, "scale": [NUMBER], "zero_point": [int]}],
                          "float_nodes": [{"name": str, "op_type": str, "reason": str}]})
        self.assertIn("fc2", {node["name"] for node in plan["float_nodes"]})


class MainJob(Case):
    def setUp(self):
        super().setUp()
        self.images(20)
        shutil.copy(MODEL, self.folder / "lenet.onnx")

    def quantize(self, *arguments):
        return self.run_program("lenet.onnx", "--calib", "images", "--preprocess", "unit", *arguments)

    def test_writes_beside_the_model_and_says_what_it_did(self):
        done = self.quantize()
        self.assertTrue((self.folder / "lenet.qdq.onnx").exists())
        lines = done.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 100, done.stdout)
        self.assertEqual([line.split("  ")[0] for line in lines if line[0] != " "],
                         ["wrote", "accuracy", "in int8", "images", "recipe", "next"])
        for says in (r"wrote +lenet\.qdq\.onnx, [\d.]+ KiB \(was [\d.]+ KiB\), for ONNX Runtime", r"accuracy .* of 5 held-back samples, SQNR",
                     r"in int8 +100\.0 % of the multiplications", r"images +grey.*unit.*; 20 samples", r"recipe +\w+.*others tried",
                     r"next +quantize verify lenet\.onnx lenet\.qdq\.onnx"):
            self.assertRegex(done.stdout, says)
        self.assertEqual(done.stderr, "")

    def test_explains_on_wish(self):
        text = self.quantize("--explain").stdout
        self.assertLessEqual(max(map(len, text.splitlines())), 100, text)
        for says in (r"tried, judged on 5 held-back samples +SQNR dB", r"Conv +2 +0", r"in standard errors", r"took"):
            self.assertRegex(text, says)

    def test_what_the_runtime_computes_in_float_is_float(self):
        """Codes with their zero in the middle reach below a Relu's bound, so that ONNX Runtime keeps it, and what feeds it in float."""
        symmetric = ("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--method", "max", "--symmetric", "-o", "q.onnx")
        report = self.run_json(*symmetric)
        self.assertLess(report["int8_macs"], report["macs"])
        self.assertGreater(report["nodes"]["Conv"]["float"], 0)
        self.assertRegex("\n".join(report["warnings"]), "ort-x86 computes 3 layers in float.*--symmetric")
        for other in (("--format", "int8"), ("--target", "native")):
            report = self.run_json(*symmetric, *other)
            self.assertEqual((report["int8_macs"], report["warnings"]), (report["macs"], []), other)

    def test_nothing_in_int8_is_warned_of(self):
        for option in (("--include", "relu1"), ("--exclude", ".*")):
            report = self.run_json("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--method", "max", *option, "-o", "q.onnx")
            self.assertEqual(report["int8_macs"], 0)
            self.assertRegex("\n".join(report["warnings"]), "int8.*in float")

    def test_operators_are_those_of_the_file(self):
        nodes = [onnx.node("Conv", ["x", "first"], ["c"], "body"), onnx.node("Conv", ["c", "last"], ["y"], "head")]
        constants = [onnx.tensor("first", [2, 1, 3, 3], [i / 18 for i in range(18)]),
                     onnx.tensor("last", [3, 2, 6, 6], [i / 216 for i in range(216)])]
        self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, 1, 8, 8])], [onnx.value("y", [1, 3, 1, 1])], constants))
        self.write("x/0.npy", pictures.npy((1, 1, 8, 8), [i / 64 for i in range(64)]))
        report = self.run_json("m.onnx", "--calib", "x", "--method", "max", "-o", "q.onnx")
        self.assertEqual(report["nodes"], {"Conv": {"int8": 2, "float": 0}})
        text = self.run_program("m.onnx", "--calib", "x", "--method", "max", "-o", "q.onnx", "--explain").stdout
        self.assertNotRegex(text, "Gemm|Flatten")

    def methods(self):
        """Every method but the search, as the refusal of another one lists them."""
        refusal = self.run_program("lenet.onnx", "--calib", "images", "--method", "none", code=2).stderr
        auto, *methods = re.search(r"none of ([^;]*);", refusal).group(1).split(", ")
        self.assertEqual(auto, "auto")
        return methods

    def test_every_method_target_type_and_granularity(self):
        for method in self.methods():
            self.quantize("--method", method, "-o", f"{method}.onnx")
        self.quantize("--weights", "per-tensor", "--activations", "s8", "--symmetric", "--reduce-range",
                      "--bias-correction", "off", "-o", "other.onnx")
        for path in self.folder.glob("*.onnx"):
            if path.name != "lenet.onnx":
                report = self.run_json("verify", "lenet.onnx", path, "--images", "images")
                self.assertGreaterEqual(report["agreement"], 90, path)

    def test_the_same_bytes_again_and_with_other_threads(self):
        for i, threads in enumerate((1, 1, 2)):
            self.quantize("-o", f"{i}.onnx", "--threads", threads)
        first = (self.folder / "0.onnx").read_bytes()
        self.assertEqual(first, (self.folder / "1.onnx").read_bytes())
        self.assertEqual(first, (self.folder / "2.onnx").read_bytes())
        self.assertNotIn(str(self.folder).encode(), first)

    def test_statistics_stand_for_the_images(self):
        options = ("--method", "entropy")
        self.quantize("-o", "a.onnx", "--statistics", "s.stats", *options)
        self.run_program("lenet.onnx", "--statistics", "s.stats", "-o", "b.onnx", *options)
        self.assertEqual((self.folder / "a.onnx").read_bytes(), (self.folder / "b.onnx").read_bytes())

    def test_the_search_needs_images_beside_statistics(self):
        images = ("--calib", "images", "--preprocess", "unit", "--statistics", "s.stats")
        first = self.run_json("lenet.onnx", *images, "-o", "a.onnx")
        again = self.run_json("lenet.onnx", *images, "-o", "b.onnx")
        without = self.run_json("lenet.onnx", "--statistics", "s.stats", "-o", "c.onnx")
        self.assertEqual((self.folder / "a.onnx").read_bytes(), (self.folder / "b.onnx").read_bytes())
        self.assertEqual([report["held_back"] for report in (first, again, without)], [5, 5, 0])
        self.assertEqual((without["method"], without["bias_correction"]), ("mse", "closed-form"))
        self.assertIn("--calib", "".join(without["warnings"]))

    def test_the_search_says_what_it_tried(self):
        report = self.run_json("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--validate", "4",
                               "-o", "a.onnx")
        self.assertEqual(report["held_back"], 4)
        first, *others = report["steps"]
        self.assertEqual((first["name"], first["before"], first["kept"]), ("ranges by mse, biases corrected", None, True))
        best = first["after"]
        for step in others:
            self.assertEqual(step["before"], best)
            self.assertEqual(set(step["after"]), {"sqnr_db", "median_sqnr_db", "agreement"})
            best = step["after"] if step["kept"] or step["taken_back"] else best
        self.assertIn(report["method"], self.methods())
        tweaked = [step["name"] for step in others if step["kept"] and step["name"] == "norm tweaking"]
        self.assertEqual(report["adjustments"], tweaked)
        chosen = '{"method":"%s","bias_correction":"%s"' % (report["method"], report["bias_correction"])
        metadata = (self.folder / "a.onnx").read_bytes()
        self.assertTrue(chosen.encode() in metadata, chosen)
        self.assertFalse(report["equalized"])
        self.assertTrue(self.run_json("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--equalize", "on",
                                      "-o", "c.onnx")["equalized"])
        named = self.run_json("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--method",
                              report["method"], "--bias-correction", "on", "-o", "b.onnx")
        self.assertEqual((named["steps"], named["bias_correction"]), ([], "measured"))

    def test_a_step_of_the_search_is_left_out_by_the_name_it_is_printed_with(self):
        command = ("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--validate", "4", "-o", "a.onnx")
        steps = [step["name"] for step in self.run_json(*command)["steps"]]
        text = self.run_program(*command, "--explain").stdout
        for name in steps:
            self.assertRegex(text, rf"(?m)^  {re.escape(name)}  ")
        without = [word for name in ("ranges by entropy", "fitted weights") for word in ("--without", name)]
        left = [step["name"] for step in self.run_json(*command, *without)["steps"]]
        self.assertEqual(left, [name for name in steps if name not in without and name != "fitted weights and measured bias"])
        self.assertIn(b'"without":["fitted weights","ranges by entropy"]', (self.folder / "a.onnx").read_bytes())
        for wrong, says in (("fited weights", "none of no bias correction, .*did you mean 'fitted weights'"),
                            (steps[0], "'ranges by mse, biases corrected' is none of")):
            self.fails(*command, "--without", wrong, code=2, says=says)
        self.fails(*command, "--without", "measured bias", "--method", "mse", code=2, says="--without.*does not search")

    def test_labels_of_no_sample_are_warned_of(self):
        first, *others = sorted(path.name for path in (self.folder / "images").iterdir())
        self.write("labels.txt", "".join(f"{name} 3\n" for name in (first, *others)) + "nobody.png 3\nnoone.png 4\n")
        words = ("--preprocess", "unit", "--labels", "labels.txt", "--samples", "10")
        for command in (("lenet.onnx", "--calib", "images", "-o", "q.onnx"), ("verify", "lenet.onnx", "lenet.onnx", "--images", "images")):
            warnings = "\n".join(self.run_json(*command, *words)["warnings"])
            self.assertIn("2 of 22 names in 'labels.txt' belong to no sample, such as 'nobody.png'", warnings)
        self.write("labels.txt", "".join(f"{name} 3\n" for name in (first, *others)))
        for command in (("lenet.onnx", "--calib", "images", "-o", "q.onnx"), ("verify", "lenet.onnx", "lenet.onnx", "--images", "images")):
            self.assertNotIn("belong", "".join(self.run_json(*command, *words)["warnings"]))

    def test_reasons_that_differ_in_names_alone_are_one_row(self):
        shape, constants = (1, 1, 4, 4), [onnx.tensor("first", (1,), [0.5]), onnx.tensor("second", (1,), [0.3])]
        nodes = [onnx.node("Mul", ["x", "first"], ["y"], "one"), onnx.node("Mul", ["y", "second"], ["z"], "two")]
        self.write("muls.onnx", onnx.model(nodes, [onnx.value("x", shape)], [onnx.value("z", shape)], constants))
        self.write("samples/0.npy", pictures.npy(shape, [i / 16 for i in range(16)]))
        command = ("muls.onnx", "--calib", "samples", "--method", "max")
        reasons = {node["reason"] for node in self.run_json(*command, "-o", "a.onnx")["float_nodes"]}
        self.assertEqual(reasons, {"reads the constant 'first'", "reads the constant 'second'"})
        self.assertRegex(self.run_program(*command, "-o", "b.onnx", "--explain").stdout,
                         r"Mul +0 +2 +reads the constant 'first', \.\.\.\n")

    def test_a_bound_is_kept_or_nothing_is_written(self):
        images = ("--calib", "images", "--preprocess", "unit", "--method", "max", "--bias-correction", "off")
        free = self.run_json("lenet.onnx", *images, "--min-sqnr", "1", "-o", "free.onnx")
        self.assertEqual((free["put_back"], free["passed"], free["held_back"]), ([], True, 10))
        self.assertGreater(free["time_ratio"], 0)
        self.assertIsNone(self.run_json("lenet.onnx", *images, "-o", "unbound.onnx")["time_ratio"])
        wanted = free["held_back_quality"]["sqnr_db"] + 1
        kept = self.run_json("lenet.onnx", *images, "--min-sqnr", wanted, "-o", "kept.onnx")
        self.assertGreaterEqual(kept["held_back_quality"]["sqnr_db"], wanted)
        self.assertGreater(len(kept["put_back"]), 0)
        self.assertLess(kept["int8_macs"], free["int8_macs"])
        reasons = {node["name"]: node["reason"] for node in kept["float_nodes"]}
        for name in kept["put_back"]:
            self.assertIn("bound", reasons[name])
        broken = self.run_json("lenet.onnx", *images, "--min-sqnr", "500", "-o", "broken.onnx", code=1)
        self.assertEqual((broken["passed"], broken["output"], broken["bytes_after"]), (False, None, None))
        self.assertEqual(set(broken), set(free))
        self.assertFalse((self.folder / "broken.onnx").exists())

    def test_a_bound_says_what_came_of_it(self):
        names = sorted(path.name for path in (self.folder / "images").iterdir())
        self.write("labels.txt", "".join(f"{name} 3\n" for name in names))
        command = ("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--method", "max", "-o", "q.onnx")
        bounds = ("--min-agreement", "50", "--min-sqnr", "10", "--max-drop", "100", "--labels", "labels.txt")
        report = self.run_json(*command, *bounds)
        self.assertEqual([(check["name"], check["limit"], check["passed"]) for check in report["checks"]],
                         [("min-agreement", 50, True), ("min-sqnr", 10, True), ("max-drop", 100, True)])
        self.assertEqual(set(report["top1"]), {"reference", "candidate"})
        self.assertEqual(report["quality"]["sqnr_db"], report["checks"][1]["value"])
        text = self.run_program(*command, *bounds).stdout
        self.assertEqual(text.count("passed"), 3)
        self.assertRegex(text, r"top-1 [\d.]+ % -> [\d.]+ %")
        (self.folder / "q.onnx").unlink()
        for quiet in ((), ("--quiet",)):
            done = self.run_program(*command, "--min-sqnr", "900", *quiet, code=1)
            self.assertRegex(done.stderr, r"^error: --min-sqnr is not kept: .*SQNR.* dB, at least 900\.00 dB.*no model was written.*\n$")
            self.assertEqual(bool(done.stdout), not quiet)
        report = self.run_json(*command, "--min-sqnr", "900", code=1)
        self.assertEqual([(check["name"], check["limit"], check["passed"]) for check in report["checks"]], [("min-sqnr", 900, False)])
        self.assertLess(report["checks"][0]["value"], 900)
        self.assertFalse((self.folder / "q.onnx").exists())

    def test_a_bound_needs_what_it_is_measured_on(self):
        self.run_program("calibrate", "lenet.onnx", "--calib", "images", "--preprocess", "unit", "-o", "s.stats")
        self.fails("lenet.onnx", "--statistics", "s.stats", "--min-agreement", "99", "-o", "a.onnx", code=2,
                   says="give --calib")
        self.fails("lenet.onnx", "--calib", "images", "--max-drop", "1", "-o", "a.onnx", code=2, says="--labels")
        self.fails("lenet.onnx", "--calib", "images", "--min-sqnr", "9", "--validate", "0", "-o", "a.onnx", code=2,
                   says="--validate 0")
        self.write("labels.txt", "nobody.png 3\n")
        self.fails("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--max-drop", "1", "--labels",
                   "labels.txt", "-o", "a.onnx", code=2, says="no sample has a label")

    def test_sensitivity_says_which_options_it_does_not_use(self):
        command = ("sensitivity", "lenet.onnx", "--calib", "images", "--preprocess", "unit")
        self.assertEqual(self.run_json(*command)["warnings"], [])
        for option in (("--weight-rounding", "fitted"), ("--bias-correction", "on"), ("--equalize", "on")):
            self.assertIn(" ".join(option) + " has no effect", "".join(self.run_json(*command, *option)["warnings"]))

    def test_sensitivity(self):
        report = self.run_json("sensitivity", "lenet.onnx", "--calib", "images", "--preprocess", "unit")
        self.assertEqual((report["samples"], report["target"]), (20, "ort-x86"))
        self.assertGreater(len(report["layers"]), 1)
        for layer in report["layers"]:
            self.assertGreater(layer["macs"], 0)
            self.assertGreater(layer["alone"]["sqnr_db"], report["all"]["sqnr_db"] - 3, layer)
        text = self.run_program("sensitivity", "lenet.onnx", "--calib", "images", "--preprocess", "unit").stdout
        self.assertIn("most harmful first", text)
        self.assertIn(report["layers"][0]["name"], text)

    def test_holding_back_leaves_some(self):
        self.fails("lenet.onnx", "--calib", "images", "--preprocess", "unit", "--validate", "20", "-o", "a.onnx",
                   code=2, says="--validate 20 leaves none of 20 samples")

    def test_shards_merge_to_the_same_statistics(self):
        for part in ("0/3", "1/3", "2/3"):
            self.run_program("calibrate", "lenet.onnx", "--calib", "images", "--preprocess", "unit", "--shard", part,
                             "-o", f"{part[0]}.stats")
        self.run_program("calibrate", "lenet.onnx", "--calib", "images", "--preprocess", "unit", "-o", "all.stats")
        self.run_program("merge", "2.stats", "0.stats", "1.stats", "-o", "sum.stats")
        self.assertEqual((self.folder / "sum.stats").read_bytes(), (self.folder / "all.stats").read_bytes())

    def test_the_written_model_knows_its_preprocessing(self):
        self.write("p.json", '{"color": "gray", "scale": 0.00392156862745098}')
        self.run_program("lenet.onnx", "--calib", "images", "--preprocess", "p.json", "-o", "q.onnx")
        report = self.run_json("verify", "lenet.onnx", "q.onnx", "--images", "images")
        self.assertEqual(report["warnings"], [])
        self.assertEqual(report["preprocessing"]["settings"]["scale"], 0.00392156862745098)

    def test_symbolic_sizes_can_be_fixed(self):
        self.write("free.onnx", onnx.convolution(size="S"))
        self.assertIn("--input-shape", self.run_program("free.onnx", "--calib", "images").stderr)
        self.run_program("free.onnx", "--calib", "images", "--input-shape", "image=1x1x32x32", "-o", "q.onnx")
        self.assertEqual(self.run_json("inspect", "q.onnx")["inputs"]["image"]["shape"], [1, 1, 32, 32])

    def test_pixels_as_input(self):
        self.quantize("--input-type", "u8", "-o", "u8.onnx")
        self.quantize("-o", "f32.onnx")
        self.assertEqual(self.run_json("inspect", "u8.onnx")["inputs"]["input"]["dtype"], "u8")
        report = self.run_json("verify", "f32.onnx", "u8.onnx", "--images", "images")
        self.assertEqual(report["outputs"]["logits"]["max_abs_diff"], 0)
        self.run_program("run", "u8.onnx", "images", "-o", "out")

    def test_excluded_nodes_stay_float(self):
        report = self.run_json("lenet.onnx", "--calib", "images", "-o", "q.onnx", "--exclude", "^fc", "--preprocess",
                               "unit")
        reasons = {node["name"]: node["reason"] for node in report["float_nodes"]}
        self.assertIn("excluded", reasons["fc1"])
        self.assertEqual(report["nodes"]["Gemm"], {"int8": 0, "float": 2})
        report = self.run_json("lenet.onnx", "--calib", "images", "-o", "q.onnx", "--op-types", "Conv",
                               "--preprocess", "unit")
        self.assertEqual(report["nodes"]["Gemm"], {"int8": 0, "float": 2})

    def test_overrides_win(self):
        self.write("o.json", '{"input": {"min": -2, "max": 2}}')
        self.quantize("--overrides", "o.json", "--plan", "plan.json", "-o", "q.onnx")
        entry = next(value for value in self.read_json("plan.json")["values"] if value["name"] == "input")
        self.assertAlmostEqual(entry["scale"][0], 4 / 255, places=6)


class Verify(Case):
    def test_failed_checks_have_their_exit_code(self):
        self.images(20)
        self.run_program(MODEL, "--calib", "images", "--preprocess", "unit", "-o", "q.onnx")
        arguments = ("verify", MODEL, "q.onnx", "--images", "images")
        self.assertTrue(self.run_json(*arguments, "--min-sqnr", "10", "--min-agreement", "80")["passed"])
        report = self.run_json(*arguments, "--min-sqnr", "200", code=1)
        self.assertFalse(report["passed"])
        self.assertRegex(self.run_program(*arguments, "--min-sqnr", "200", code=1).stdout, "FAILED.*200.00")

    def test_a_drop_in_accuracy(self):
        images = self.images(10)
        names = sorted(p.name for p in images.iterdir())
        best = {p["sample"]: p["classes"][0]
                for p in self.run_json("run", MODEL, images, "--preprocess", "unit", "--top", "1")["predictions"]}
        self.write("labels.txt", "".join(f"{name}\t{best[name] - 1}\n" for name in names))
        report = self.run_json("verify", MODEL, MODEL, "--images", images, "--labels", "labels.txt", "--label-offset",
                               "1", "--max-drop", "0", "--preprocess", "unit")
        self.assertEqual(report["top1"], {"reference": 100, "candidate": 100})
        self.assertEqual(report["outputs"]["logits"], {"sqnr_db": 999, "median_sqnr_db": 999, "max_abs_diff": 0,
                                                       "not_finite": {"reference": 0, "candidate": 0}})

    def test_threads_do_not_change_the_figures(self):
        self.images(20)
        self.run_program(MODEL, "--calib", "images", "--preprocess", "unit", "-o", "q.onnx")
        one, two = (self.run_json("verify", MODEL, "q.onnx", "--images", "images", "--threads", n) for n in (1, 2))
        self.assertEqual(one["outputs"], two["outputs"])


if __name__ == "__main__":
    main()
