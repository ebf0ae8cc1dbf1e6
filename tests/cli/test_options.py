#!/usr/bin/env python3
"""Options are strict: numbers that mean something, names that name something, files of the right kind."""
import os
import socket
import subprocess
import threading

import onnx_bytes as onnx
import pictures
from program import MODEL, PROGRAM, Case, main

USAGE, IO = 2, 5
NO_NUMBERS = ("nan", "-nan", "NaN", "inf", "-inf", "1e400", "1e", "0x10", "", "ten")


class Numbers(Case):
    """The check comes before everything else: none of the files needs to exist."""

    def refuses(self, option, values, command=("m.onnx", "--calib", "i")):
        for value in values:
            with self.subTest(f"{command[0]} {option} {value}"):
                self.fails(*command, option, value, code=USAGE, says=option)

    def test_real_numbers(self):
        verify = ("verify", "m.onnx", "n.onnx", "--images", "i")
        for command in (("m.onnx", "--calib", "i"), verify):
            self.refuses("--min-agreement", (*NO_NUMBERS, "-1", "100.01"), command)
            self.refuses("--min-sqnr", (*NO_NUMBERS, "1e9"), command)
            self.refuses("--max-drop", (*NO_NUMBERS, "-0.1", "101"), command)
        self.refuses("--percentile", (*NO_NUMBERS, "0", "0.9999", "100.1"))

    def test_whole_numbers(self):
        for option in ("--threads", "--samples", "--max-bad-images", "--validate", "--weight-bits", "--label-offset"):
            self.refuses(option, (*NO_NUMBERS, "1.5", "99999999999999999999", "-9999999999"))
        self.refuses("--rounds", (*NO_NUMBERS, "0"), ("bench", "m.onnx"))
        self.refuses("--top", (*NO_NUMBERS, "0"), ("run", "m.onnx", "x.npy"))

    def test_a_share_for_a_percentage_is_warned_of(self):
        self.images(5)
        for command in ((MODEL, "--calib", "images", "-o", "q.onnx"), ("verify", MODEL, MODEL, "--images", "images")):
            for share, warned in (("0.99", True), ("99", False)):
                warnings = self.run_json(*command, "--preprocess", "unit", "--min-agreement", share)["warnings"]
                self.assertEqual("write 99 if a share was meant" in "\n".join(warnings), warned, warnings)

    def test_numbers_in_files(self):
        self.images(2)
        for text, says in (('{"input": {"max": 1e400}}', "o.json.*beyond"), ('{"input": {"max": 1e39}}', '"max" must be a number'),
                           ('{"input": {"max": NaN}}', "o.json.*byte"), ('{"input": {"amax": 0}}', '"amax"'),
                           ('{"input": {"axis": 18446744073709551606}}', '"axis"'),
                           ('{"input": {"min": -3e38, "max": 3e38}}', "'input'.*distance"),
                           ('{"input": {"max": 1, "max": 2}}', '"max" stands twice')):
            with self.subTest(text):
                self.write("o.json", text)
                self.fails(MODEL, "--calib", "images", "-o", "q.onnx", "--overrides", "o.json", code=USAGE, says=says)
        for text, says in (('{"color": "gray", "scale": 1e400}', "p.json.*beyond"), ('{"color": "gray", "mean": [1e39]}', "finite"),
                           ('{"color": "gray", "std": [0]}', "std"), ('{"color": "gray", "scale": -Infinity}', "p.json.*byte")):
            with self.subTest(text):
                self.write("p.json", text)
                self.fails(MODEL, "--calib", "images", "-o", "q.onnx", "--preprocess", "p.json", code=USAGE, says=says)


class Names(Case):
    """A name that names nothing is refused before any image is read: there is none here that could be."""

    def setUp(self):
        super().setUp()
        self.write("images/0.png", "no image")

    def refuses(self, *arguments, says):
        with self.subTest(arguments):
            self.fails(MODEL, "--calib", "images", "-o", "q.onnx", *arguments, code=USAGE, says=says)

    def test_of_nodes(self):
        for option in ("--include", "--exclude"):
            self.refuses(option, "no_such_node", says=f"{option} 'no_such_node' names no node of the model; there are 'conv1'")
            self.refuses(option, "cnov1", says="did you mean 'conv1'")
            self.refuses(option, "^conv_1$", says="did you mean 'conv1'")
            self.refuses(option, "CONV2", says="did you mean 'conv2'")
            self.refuses(option, "conv1", option, "no_such_node", says="no_such_node")
            self.refuses(option, "", says=f"{option} is given an empty value")
            self.refuses(option, "conv(", says="regular expression")

    def test_of_operators(self):
        for option in ("--op-types", "--exclude-op-types"):
            self.refuses(option, "Conf", says=f"{option} 'Conf' names no operator of the model; did you mean 'Conv'")
            self.refuses(option, "Conv,LSTM", says="LSTM")

    def test_of_values_and_inputs(self):
        self.write("o.json", '{"inptu": {"max": 1}}')
        self.refuses("--overrides", "o.json", says="'inptu'.*did you mean 'input'")
        for text, says in (('{"input": {"axis": 1}}', "'input'.*'axis'"), ('{"conv1/weight": {"axis": 9}}', "axis 9.*axis 0"),
                           ('{"conv1/weight": {"axis": 1}}', "axis 1"), ('{"conv1/weight": {"unsigned": true}}', "s8.*'unsigned'"),
                           ('{"conv1/weight": {"method": "mse"}}', "'method'"), ('{"conv1/weight": {"max": 0, "min": 0}}', "range"),
                           ('{"conv1/bias": {"num_bits": 4}}', "no layer's weights"), ('{"input": {"method": "kl"}}', "entropy"),
                           ('{"input": {"amax": 3e38, "scale_amax": 9}}', "finite"), ('{"input": {"type": "s4"}}', '"type"')):
            self.write("o.json", text)
            self.refuses("--overrides", "o.json", says=says)
        self.refuses("--input-shape", "inptu=1x1x28x28", says="'inptu'.*'input'")

    def test_of_what_is_folded(self):
        constants = [onnx.tensor("weight", [2, 1, 3, 3], [0.1] * 18)] + [
            onnx.tensor(name, [2], [1.0, 2.0]) for name in ("scale", "shift", "mean", "var")]
        nodes = [onnx.node("Conv", ["x", "weight"], ["c"], "conv"),
                 onnx.node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["y"], "norm")]
        self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, 1, 8, 8])], [onnx.value("y", [1, 2, 6, 6])], constants))
        for option, name in (("--exclude", "norm"), ("--exclude-op-types", "BatchNormalization")):
            self.fails("m.onnx", "--calib", "images", "-o", "q.onnx", option, name, code=USAGE,
                       says=f"{option} '{name}' names only what is folded.*'norm'")

    def test_an_operator_is_that_of_the_file(self):
        """A convolution over its whole image is computed as a Gemm, and is a Conv all the same."""
        nodes = [onnx.node("Conv", ["x", "first"], ["c"], "body"), onnx.node("Conv", ["c", "last"], ["y"], name="")]
        constants = [onnx.tensor("first", [2, 1, 3, 3], [i / 18 for i in range(18)]),
                     onnx.tensor("last", [3, 2, 6, 6], [i / 216 for i in range(216)])]
        self.write("m.onnx", onnx.model(nodes, [onnx.value("x", [1, 1, 8, 8])], [onnx.value("y", [1, 3, 1, 1])], constants))
        self.write("x/0.npy", pictures.npy((1, 1, 8, 8), [i / 64 for i in range(64)]))
        listed = self.run_json("inspect", "m.onnx", "--names")
        self.assertIn({"name": "y", "op_type": "Conv"}, listed["nodes"])
        self.assertIn("last", " ".join(listed["values"]))
        for arguments, floats in ((("--exclude-op-types", "Conv"), {"body", "y"}), (("--op-types", "Conv"), set()),
                                  (("--exclude", "^y$"), {"y"})):
            with self.subTest(arguments):
                report = self.run_json("m.onnx", "--calib", "x", "-o", "q.onnx", "--method", "max", *arguments)
                excluded = {node["name"] for node in report["float_nodes"] if node["name"] in ("body", "y")}
                self.assertEqual(excluded, floats)
        self.fails("m.onnx", "--calib", "x", "-o", "r.onnx", "--op-types", "Gemm", code=USAGE, says="'Gemm' names no operator")

    def test_what_an_expression_took_is_said(self):
        (self.folder / "images" / "0.png").unlink()
        self.images(3, "good")
        done = self.run_program(MODEL, "--calib", "good", "--preprocess", "unit", "-o", "q.onnx", "--method", "max", "--exclude", "conv",
                                "--verbose")
        self.assertIn("--exclude 'conv' names 2 nodes: conv1, conv2", done.stderr)
        report = self.run_json(MODEL, "--calib", "good", "--preprocess", "unit", "-o", "q.onnx", "--method", "max", "--exclude", "conv")
        self.assertEqual(report["selectors"], [{"option": "--exclude", "text": "conv", "nodes": ["conv1", "conv2"]}])


class Pipes(Case):
    def setUp(self):
        super().setUp()
        self.images(4)
        self.options = ("--calib", "images", "--preprocess", "unit", "--method", "max")
        self.run_program(MODEL, *self.options, "-o", "file.onnx")
        self.model = (self.folder / "file.onnx").read_bytes()

    def program(self, *arguments, code=0, **options):
        done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, capture_output=True, timeout=300, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_the_model_comes_from_one(self):
        source = MODEL.read_bytes()
        for name in ("/dev/stdin", "-"):
            done = self.program(name, *self.options, "-o", "q.onnx", "--json", input=source)
            self.assertIn(b'"bytes_before": null', done.stdout)
            self.assertEqual((self.folder / "q.onnx").read_bytes(), self.model)
        os.mkfifo(self.folder / "in.fifo")
        writer = threading.Thread(target=lambda: (self.folder / "in.fifo").write_bytes(source), daemon=True)
        writer.start()
        self.program("in.fifo", *self.options, "-o", "r.onnx")
        self.assertEqual((self.folder / "r.onnx").read_bytes(), self.model)
        self.program("inspect", "-", input=source)
        self.assertIn(b"give -o", self.program("-", *self.options, input=source, code=USAGE).stderr)

    def test_nothing_but_the_model_goes_into_one(self):
        for name in ("/dev/stdout", "/proc/self/fd/1", "-"):
            done = self.program(MODEL, *self.options, "-o", name)
            self.assertEqual(done.stdout, self.model)
            self.assertIn(b"lenet_fashion", done.stderr)            # the results
            self.assertEqual(self.program(MODEL, *self.options, "-o", name, "--quiet").stderr, b"")
            self.assertRegex(self.run_json(MODEL, *self.options, "-o", name, code=USAGE)["error"]["message"], "--json.*-o")
        os.mkfifo(self.folder / "out.fifo")
        read = []
        reader = threading.Thread(target=lambda: read.append((self.folder / "out.fifo").read_bytes()), daemon=True)
        reader.start()
        self.program(MODEL, *self.options, "-o", "out.fifo")
        reader.join(10)
        self.assertEqual(read, [self.model])

    def test_plan_and_statistics_go_into_one(self):
        self.program(MODEL, *self.options, "-o", "q.onnx", "--plan", "plan.json")
        done = self.program(MODEL, *self.options, "-o", "q.onnx", "--plan", "-")
        self.assertEqual(done.stdout, (self.folder / "plan.json").read_bytes())
        self.program("calibrate", MODEL, "--calib", "images", "--preprocess", "unit", "-o", "s.stats")
        done = self.program("calibrate", MODEL, "--calib", "images", "--preprocess", "unit", "-o", "-")
        self.assertEqual(done.stdout, (self.folder / "s.stats").read_bytes())

    def test_a_device_takes_it(self):
        report = self.run_json(MODEL, *self.options, "-o", "/dev/null")
        self.assertEqual(report["bytes_after"], len(self.model))
        self.run_json(MODEL, *self.options, "-o", "/dev/null", "--plan", "/dev/null", "--min-sqnr", "1")

    def test_a_reader_that_goes_away(self):
        os.mkfifo(self.folder / "out.fifo")
        reader = threading.Thread(target=lambda: os.close(os.open(self.folder / "out.fifo", os.O_RDONLY)), daemon=True)
        reader.start()
        done = subprocess.run([PROGRAM, MODEL, *self.options, "-o", "out.fifo"], cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertIn(done.returncode, (0, IO))                       # a pipe holds a model as small as this one
        self.assertLessEqual(len(done.stderr.splitlines()), 1)

    def test_what_is_no_file(self):
        self.write("empty/.keep", "")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "a.socket"))
            before = self.files()
            for arguments in (("empty", *self.options), ("a.socket", *self.options, "-o", "q.onnx"),
                              (MODEL, *self.options, "-o", "a.socket"), (MODEL, *self.options, "-o", "empty"),
                              (MODEL, *self.options, "--overrides", "empty", "-o", "q.onnx"),
                              (MODEL, *self.options, "--plan", "a.socket", "-o", "q.onnx")):
                with self.subTest(arguments):
                    self.fails(*arguments, code=IO, says="empty|a.socket")
            self.assertEqual(self.files(), before)

    def test_two_outputs_are_two_files(self):
        for arguments in (("-o", "q.onnx", "--plan", "./q.onnx"), ("-o", "q.onnx", "--statistics", "q.onnx")):
            self.fails(MODEL, *self.options, *arguments, code=USAGE, says="-o and --(plan|statistics) both name '.*q.onnx'")
        self.write("o.json", "{}")
        self.fails(MODEL, *self.options, "--overrides", "o.json", "--plan", "o.json", "-o", "q.onnx", code=USAGE, says="'o.json' is the input")


class Colours(Case):
    def test_when(self):
        for options, colored in ((("--color",), True), (("--color=always",), True), (("--color=never",), False),
                                 (("--color=auto",), False), (("--no-color",), False)):
            with self.subTest(options):
                self.assertEqual("\x1b" in self.run_program("inspect", *options, MODEL).stdout, colored)
        self.fails("inspect", MODEL, "--color=sometimes", code=USAGE, says="--color")


class KeepUnknown(Case):
    def setUp(self):
        super().setUp()
        self.images(4)
        weight = onnx.tensor("weight", [2, 1, 3, 3], [(i % 7 - 3) / 8 for i in range(18)])
        second = onnx.tensor("second", [2, 2, 1, 1], [0.5, 1.0, -1.0, 0.25])
        nodes = [onnx.node("Conv", ["image", "weight"], ["conv"], "first", kernel_shape=[3, 3]),
                 onnx.node("MagicNorm", ["conv"], ["magic"], "norm", alpha=3) + onnx.data(7, "acme.ai"),
                 onnx.node("Conv", ["magic", "second"], ["result"], "behind", kernel_shape=[1, 1])]
        model = onnx.model(nodes, [onnx.value("image", [1, 1, 28, 28])],
                                 [onnx.value("result", [1, 2, 26, 26])], [weight, second])
        opset = onnx.data(1, "acme.ai") + onnx.integer(2, 1)
        self.write("m.onnx", model + onnx.data(8, opset))

    def test_the_part_in_front_is_quantized(self):
        report = self.run_json("m.onnx", "--calib", "images", "--preprocess", "unit", "--keep-unknown", "-o", "q.onnx",
                               "--plan", "p.json")
        reasons = {node["name"]: node["reason"] for node in report["float_nodes"]}
        self.assertNotIn("first", reasons)
        self.assertRegex(reasons["norm"], "MagicNorm of domain 'acme.ai'.* not known")
        self.assertRegex(reasons["behind"], "depends on .*'norm'")
        self.assertEqual(report["nodes"]["Conv"], {"int8": 1, "float": 1})
        self.assertEqual(len([w for w in report["warnings"] if "'norm'" in w]), 1)
        self.assertIn("behind", [node["name"] for node in self.read_json("p.json")["float_nodes"]])
        written = (self.folder / "q.onnx").read_bytes()
        for text in (b"MagicNorm", b"acme.ai", b"QuantizeLinear", b"alpha"):
            self.assertIn(text, written)
        self.run_json("calibrate", "m.onnx", "--calib", "images", "--keep-unknown", "-o", "s.stats")
        self.run_json("sensitivity", "m.onnx", "--calib", "images", "--preprocess", "unit", "--keep-unknown")

    def test_the_part_behind_is_quantized_with_samples_of_what_it_reads(self):
        numbers = [((i * 7919) % 1000 - 500) / 250 for i in range(4 * 2 * 26 * 26)]
        self.write("magic.npy", pictures.npy((4, 2, 26, 26), numbers))
        calib = ("--calib", "image=images", "--calib", "magic=magic.npy", "--preprocess", "unit", "--keep-unknown")
        report = self.run_json("m.onnx", *calib, "-o", "q.onnx")
        self.assertEqual(report["nodes"]["Conv"]["int8"], 2)
        written = (self.folder / "q.onnx").read_bytes()
        self.assertIn(b"MagicNorm", written)
        self.assertIn(b"magic_quantized", written)
        facts = self.run_json("inspect", "q.onnx")
        self.assertEqual({name: value["shape"] for part in ("inputs", "outputs") for name, value in facts[part].items()},
                         {"image": [1, 1, 28, 28], "result": [1, 2, 26, 26]})
        self.run_json("calibrate", "m.onnx", *calib[:4], "--keep-unknown", "-o", "s.stats")
        self.fails("m.onnx", *calib, "--input-type", "u8", "-o", "q.onnx", code=USAGE, says="'magic'.*no input of the model")
        self.fails("m.onnx", "--calib", "image=images", "--calib", "magic=images", *calib[4:], "-o", "q.onnx", code=4,
                   says="does not say the type and shape of 'magic'")

    def test_without_the_option_it_is_one_sentence(self):
        self.fails("m.onnx", "--calib", "images", "-o", "q.onnx", code=4,
                   says="node 'norm' .MagicNorm of domain 'acme.ai'. .*--keep-unknown")
        self.fails("run", "m.onnx", "images", "--preprocess", "unit", code=4, says="norm.*acme.ai.MagicNorm is not supported")
        self.write("plain.onnx", onnx.convolution(size=28))
        warnings = self.run_json("plain.onnx", "--calib", "images", "--keep-unknown", "-o", "q.onnx", "--preprocess",
                                 "unit")["warnings"]
        self.assertTrue(any("--keep-unknown has no effect" in w for w in warnings), warnings)


if __name__ == "__main__":
    main()
