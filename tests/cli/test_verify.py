"""verify, run, bench and inspect: what their figures mean, and what they say where a figure means nothing."""
import math
import random

from onnx_bytes import model, node, tensor, value
from pictures import npy, read_npy
from program import DATA, MODEL, Case, main

CLASSES, SIZE = 5, 6


def numbers(count, seed=1, scale=1.0):
    generator = random.Random(seed)
    return [generator.uniform(-scale, scale) for _ in range(count)]


def classifier(weights=None, batch="N", ends=()):
    """Conv, GlobalAveragePool, Flatten: `CLASSES` scores; `ends` are nodes from 'scores' to 'result'."""
    weights = weights or numbers(CLASSES * 3)
    nodes = [node("Conv", ["image", "weight"], ["conv"], "conv1"), node("GlobalAveragePool", ["conv"], ["pool"], "pool"),
             node("Flatten", ["pool"], ["scores" if ends else "result"], "flat"), *ends]
    return model(nodes, [value("image", [batch, 3, SIZE, SIZE])], [value("result", [batch, CLASSES])],
                 [tensor("weight", [CLASSES, 3, 1, 1], weights)])


def maps(channels, seed=1, op="Relu"):
    """Conv to `channels` maps of the image's size, directly or behind another operator."""
    nodes = [node("Conv", ["image", "weight"], ["conv" if op else "result"], "conv1")]
    nodes += [node(op, ["conv"], ["result"], "last")] if op else []
    return model(nodes, [value("image", ["N", 3, SIZE, SIZE])], [value("result", ["N", channels, SIZE, SIZE])],
                 [tensor("weight", [channels, 3, 1, 1], numbers(channels * 3, seed))])


class VerifyCase(Case):
    def samples(self, count=20, name="samples", rows=1):
        for i in range(count):
            self.write(f"{name}/{i:02}.npy", npy([rows, 3, SIZE, SIZE], numbers(rows * 3 * SIZE * SIZE, i + 1)))
        return name

    def verify(self, reference, candidate, *options, code=0):
        self.write("a.onnx", reference)
        self.write("b.onnx", candidate)
        return self.run_json("verify", "a.onnx", "b.onnx", "--images", "samples", *options, code=code)

    def pictures(self, count, name="images"):
        for i in range(count):
            pixels = bytes((i * 31 + p * 7 * (i + 1)) % 256 for p in range(3 * SIZE * SIZE))
            self.write(f"{name}/{i:02}.ppm", b"P6 %d %d 255\n" % (SIZE, SIZE) + pixels)
        return name


class Outliers(VerifyCase):
    def test_a_sample_that_decides_the_figures_alone_is_named(self):
        self.samples(20)
        self.assertEqual(self.verify(classifier(), classifier(numbers(15, seed=9)))["warnings"], [])
        self.write("samples/07.npy", npy([1, 3, SIZE, SIZE], numbers(3 * SIZE * SIZE, 8, scale=40)))
        weights = numbers(15)
        report = self.verify(classifier(weights), classifier([w * 1.01 for w in weights]))
        self.assertRegex("\n".join(report["warnings"]), r"1 sample is far larger than most.*'07\.npy' \(.*the median is not")
        output = report["outputs"]["result"]
        self.assertGreater(output["median_sqnr_db"], 30)
        self.write("samples/08.npy", npy([1, 3, SIZE, SIZE], [math.nan] * (3 * SIZE * SIZE)))
        report = self.verify(classifier(weights), classifier(weights))
        self.assertRegex("\n".join(report["warnings"]), "08.npy.*holds NaN")
        self.assertEqual(report["samples"], 19)


class NotFinite(VerifyCase):
    def check(self, reference, candidate, count, whose):
        for options in ([], ["--layers"]):
            report = self.verify(reference, candidate, *options)
            self.assertEqual(report["outputs"]["result"]["sqnr_db"], None)
            self.assertEqual(report["outputs"]["result"]["max_abs_diff"], None)
            self.assertEqual(report["outputs"]["result"]["not_finite"][whose], count)
            self.assertEqual(report["agreement"], 100 - 100 * count / 20)
            self.assertRegex("\n".join(report["warnings"]), f"'result' of the {whose} holds NaN or infinity in {count} of 20")
        for bound in (["--min-agreement", "99"], ["--min-sqnr", "-900"]):
            failed = self.verify(reference, candidate, *bound, code=1)
            self.assertFalse(failed["passed"])
            self.assertLessEqual(set(report) - {"layers", "layer_samples", "missing_layers"}, set(failed))

    def test_all_one_column_or_infinite(self):
        self.samples()
        good, weights = classifier(), numbers(CLASSES * 3)
        column = [math.nan if i == 7 else w for i, w in enumerate(weights)]
        for broken in (classifier([math.nan] * CLASSES * 3), classifier(column), classifier([math.inf] * CLASSES * 3)):
            self.check(broken, broken, 20, "reference")
            self.check(good, broken, 20, "candidate")

    def test_one_sample(self):
        self.samples(19)
        self.write("samples/99.npy", npy([1, 3, SIZE, SIZE], [3e38] * 3 * SIZE * SIZE))  # the sum of three is infinite
        network = classifier([(i + 1) / 5 for i in range(CLASSES * 3)])
        self.check(network, network, 1, "candidate")

    def test_run_warns_and_names_no_class(self):
        self.samples(2)
        self.write("a.onnx", classifier([math.nan] * CLASSES * 3))
        report = self.run_json("run", "a.onnx", "samples", "--top", "2")
        self.assertRegex("\n".join(report["warnings"]), "'result' holds NaN or infinity in 2 of 2 samples")
        self.assertEqual(report["predictions"][0]["classes"], [])


class Checks(VerifyCase):
    def test_quiet_says_why_and_only_that(self):
        self.samples()
        self.write("a.onnx", classifier())
        self.write("b.onnx", classifier(numbers(CLASSES * 3, 5)))
        self.write("labels.txt", "".join(f"{i:02}.npy 1\n" for i in range(20)))
        words = ("verify", "a.onnx", "b.onnx", "--images", "samples", "--quiet")
        self.fails(*words, "--min-sqnr", "60", code=1, says=r"--min-sqnr is not kept.*SQNR.* dB, at least 60.00 dB")
        self.fails(*words, "--min-agreement", "99", code=1, says=r"--min-agreement.*agreement is .* %, at least 99.00 %")
        done = self.run_program(*words, "--min-sqnr", "60", "--min-agreement", "99", code=1)
        self.assertEqual((len(done.stderr.splitlines()), done.stdout), (2, ""))
        kept = self.run_program("verify", "a.onnx", "a.onnx", "--images", "samples", "--quiet", "--min-sqnr", "60")
        self.assertEqual((kept.stderr, kept.stdout), ("", ""))

    def test_a_list_of_checks(self):
        self.samples()
        report = self.verify(classifier(), classifier(), "--min-sqnr", "60", "--min-agreement", "99")
        self.assertEqual(report["checks"], [
            {"name": "min-agreement", "value": 100, "limit": 99, "passed": True},
            {"name": "min-sqnr", "value": 999, "limit": 60, "passed": True}])
        self.assertEqual(self.verify(classifier(), classifier())["checks"], [])

    def test_the_default_command_says_that_nothing_was_written(self):
        self.samples()
        self.write("a.onnx", classifier())
        self.fails("a.onnx", "--calib", "samples", "--min-sqnr", "900", "--quiet", "-o", "q.onnx", code=1,
                   says="--min-sqnr is not kept.*no model was written")

    def test_shifted_labels(self):
        self.samples()
        self.write("a.onnx", classifier())
        best = {p["sample"]: p["classes"][0] for p in self.run_json("run", "a.onnx", "samples", "--top", "1")["predictions"]}
        self.write("labels.txt", "".join(f"{name} {label - 1}\n" for name, label in best.items()))
        words = ("verify", "a.onnx", "a.onnx", "--images", "samples", "--labels", "labels.txt")
        report = self.run_json(*words)
        self.assertEqual(report["top1"]["reference"], 0)
        self.assertRegex("\n".join(report["warnings"]), "give --label-offset 1")
        self.assertEqual(self.run_json(*words, "--label-offset", "1")["warnings"], [])
        self.write("labels.txt", f"00.npy {best['00.npy'] - 1}\n")
        self.assertNotRegex("\n".join(self.run_json(*words)["warnings"]), "--label-offset")  # one says nothing


class Tasks(VerifyCase):
    def test_what_an_output_means(self):
        self.samples()
        def task(a, b=None, *options):
            return self.verify(a, b or a, *options)["tasks"]["result"]
        self.assertEqual(task(classifier())["task"], "classification")
        segmentation = task(maps(4, op=None), maps(4, 2, op=None))
        self.assertEqual(segmentation["task"], "segmentation")
        self.assertLess(segmentation["agreement"], 100)
        self.assertLess(segmentation["mean_iou"], 1)
        image = task(maps(3))
        self.assertEqual((image["task"], image["agreement"], image["psnr_db"]), ("image", None, 999))
        features = task(maps(8))
        self.assertEqual((features["task"], features["agreement"]), (None, None))
        rectified = [node("Relu", ["scores"], ["result"], "last")]
        self.assertEqual(task(classifier(ends=rectified))["task"], "embedding")

    def test_no_agreement_where_it_means_nothing(self):
        self.samples()
        self.write("a.onnx", maps(3))
        words = ("verify", "a.onnx", "a.onnx", "--images", "samples")
        self.fails(*words, "--min-agreement", "99", code=2, says="agreement means nothing.*image")
        self.assertEqual(self.run_json(*words)["agreement"], None)
        self.assertNotRegex(self.run_program(*words).stdout, r"\d %.*class")
        self.write("labels.txt", "00.npy 1\n")
        self.fails(*words, "--labels", "labels.txt", code=2, says="no output holds the scores of classes.*image")
        self.fails("run", "a.onnx", "samples", "--top", "2", code=2, says="no output holds the scores of classes.*image")
        self.fails("a.onnx", "--calib", "samples", "--min-agreement", "99", "-o", "q.onnx", code=2, says="means nothing")

    def test_a_task_by_name(self):
        self.samples()
        rectified = classifier(ends=[node("Relu", ["scores"], ["result"], "last")])
        self.assertEqual(self.verify(rectified, rectified)["tasks"]["result"]["task"], "embedding")
        self.assertEqual(self.verify(rectified, rectified, "--task", "classification")["agreement"], 100)
        self.fails("verify", "a.onnx", "b.onnx", "--images", "samples", "--task", "detection", code=2, says="detection.*result")
        self.fails("verify", "a.onnx", "b.onnx", "--images", "samples", "--task", "poetry", code=2, says="task")


class Layers(VerifyCase):
    def test_headline_figures_stay_and_every_layer_is_accounted_for(self):
        self.images(20)
        for form in ("qdq", "int8"):
            self.run_program(MODEL, "--calib", "images", "--preprocess", "unit", "--method", "mse", "--format", form,
                             "-o", f"{form}.onnx")
            words = ("verify", MODEL, f"{form}.onnx", "--images", "images")
            plain, layered = self.run_json(*words), self.run_json(*words, "--layers")
            for key in ("samples", "agreement", "outputs", "tasks"):
                self.assertEqual(plain[key], layered[key])
            found = {layer["name"] for layer in layered["layers"]}
            missing = {layer["name"]: layer["reason"] for layer in layered["missing_layers"]}
            self.assertGreaterEqual(len(found), 4)
            self.assertTrue(all(missing.values()))
            self.assertLess(min(layer["sqnr_db"] for layer in layered["layers"]), 90)
            self.assertRegex(self.run_program(*words, "--layers").stdout, "layer, worst first")

    def test_values_that_follow_from_constants_alone(self):
        self.samples(3)
        folded = model(
            [node("Relu", ["bias"], ["known"], "constant1"), node("Conv", ["image", "weight", "known"], ["conv"], "conv1"),
             node("GlobalAveragePool", ["conv"], ["result"], "pool")],
            [value("image", ["N", 3, SIZE, SIZE])], [value("result", ["N", CLASSES, 1, 1])],
            [tensor("weight", [CLASSES, 3, 1, 1], numbers(CLASSES * 3)), tensor("bias", [CLASSES], numbers(CLASSES, 3))])
        report = self.verify(folded, folded, "--layers")
        self.assertEqual([layer["name"] for layer in report["layers"]], ["conv1", "pool"])


class FixedBatch(VerifyCase):
    """A model that takes 4 samples at once, given 10 of them, is the same model as with its batch left open."""

    def test_run_and_verify(self):
        self.pictures(10)
        self.write("open.onnx", classifier())
        self.run_program("run", "open.onnx", "images", "--preprocess", "unit", "-o", "open")
        expected = read_npy(self.folder / "open/result.npy")
        for batch in (1, 4):
            self.write("fixed.onnx", classifier(batch=batch))
            self.run_program("run", "fixed.onnx", "images", "--preprocess", "unit", "-o", "fixed")
            self.assertEqual(read_npy(self.folder / "fixed/result.npy"), expected)
            for form in ("qdq", "int8"):
                for inputs in ("f32", "u8"):
                    self.run_program("fixed.onnx", "--calib", "images", "--preprocess", "unit", "--method", "max", "--format",
                                     form, "--input-type", inputs, "-o", "q.onnx")
                    report = self.run_json("verify", "fixed.onnx", "q.onnx", "--images", "images", "--layers")
                    self.assertEqual(report["samples"], 10)
                    self.assertGreater(report["outputs"]["result"]["sqnr_db"], 25)
                    shape = self.run_json("run", "q.onnx", "images", "images/00.ppm")["outputs"]["result"]["shape"]
                    self.assertEqual(shape, [11, CLASSES])

    def test_search_bounds_and_sensitivity(self):
        self.pictures(21)
        self.write("fixed.onnx", classifier(batch=4))
        report = self.run_json("fixed.onnx", "--calib", "images", "--preprocess", "unit", "--min-sqnr", "15", "-o", "q.onnx")
        self.assertEqual((report["passed"], report["samples"]), (True, 21))
        self.assertEqual(self.run_json("sensitivity", "fixed.onnx", "--calib", "images", "--preprocess", "unit")["layers"][0]["name"],
                         "conv1")

    def test_tensors_of_any_number_of_rows(self):
        self.samples(3, rows=2)
        self.write("fixed.onnx", classifier(batch=4))
        report = self.run_json("run", "fixed.onnx", "samples", "--top", "1")
        self.assertEqual(report["outputs"]["result"]["shape"], [6, CLASSES])
        self.assertEqual(len(report["predictions"]), 6)


class BenchAndInspect(VerifyCase):
    def test_rounds_are_as_many_as_asked_for(self):
        report = self.run_json("bench", MODEL, "--rounds", "2", "--threads", "1")
        self.assertEqual(report["rounds"], 2)
        self.assertLessEqual(report["noisy_rounds"], 2)
        first = report["models"][0]
        self.assertAlmostEqual(first["frames_per_second"], 1000 * first["batch"] / first["median_ms"], delta=1)

    def test_a_suggested_shape_is_one_that_is_taken(self):
        self.write("open.onnx", model([node("Relu", ["x"], ["y"], "relu1")], [value("x", ["N", 3, 48, "W"])],
                                      [value("y", ["N", 3, 48, "W"])]))
        suggestion = "x=1x3x48x224"
        self.fails("bench", "open.onnx", code=2, says=f"--input-shape {suggestion}")
        self.run_program("bench", "open.onnx", "--rounds", "1", "--input-shape", suggestion)
        facts = self.run_json("inspect", "open.onnx")
        self.assertEqual((facts["model"], facts["macs"]), ("open.onnx", None))
        self.assertRegex(facts["warnings"][0], suggestion)
        self.assertEqual(facts["inputs"]["x"]["shape"], ["N", 3, 48, "W"])

    def test_constants_that_cannot_be_right_are_named(self):
        for wrong, says in ((math.nan, "holds NaN"), (math.inf, "holds infinite"), (0, "holds 0"), (-1, "negative")):
            self.write("q.onnx", model([node("QuantizeLinear", ["x", "step"], ["q"], "quantize"),
                                        node("DequantizeLinear", ["q", "step"], ["y"], "dequantize")],
                                       [value("x", ["N", 4])], [value("y", ["N", 4])], [tensor("step", [], [wrong])]))
            self.assertRegex("\n".join(self.run_json("inspect", "q.onnx")["warnings"]), f"scale 'step' of node 'quantize'.*{says}")
        self.write("a.onnx", classifier(weights=[math.nan] * 15))
        self.assertRegex(self.run_program("inspect", "a.onnx").stderr, "constant 'weight' holds NaN")
        self.write("a.onnx", classifier())
        self.assertEqual(self.run_json("inspect", "a.onnx")["warnings"], [])

    def test_verbose_says_something_in_every_command(self):
        self.samples(4)
        self.write("a.onnx", classifier())
        for words in (("verify", "a.onnx", "a.onnx", "--images", "samples"), ("run", "a.onnx", "samples"),
                      ("inspect", "a.onnx"), ("bench", "a.onnx", "--rounds", "1"), ("sensitivity", "a.onnx", "--calib", "samples")):
            self.assertRegex(self.run_program(*words, "--verbose").stderr, "debug: .*a.onnx")


if __name__ == "__main__":
    main()
