#!/usr/bin/env python3
"""quantize run: tensors and images in, outputs and hashes out."""
import onnx_bytes as onnx
import pictures
from program import DATA, MODEL, Case, main

MOBILENET = DATA / "mobilenet_fashion.onnx"


class Run(Case):
    def test_hash_is_of_the_samples_whatever_runs_them(self):
        self.images(2)
        hashes = []
        for isa in (("--isa", "scalar"), ("--threads", "2")):
            report = self.run_json("run", MODEL, "images", "--preprocess", "unit", "--hash", *isa)
            hashes.append([(entry["sample"], entry["hash"]) for entry in report["hashes"]])
        self.assertEqual(hashes[0], hashes[1])
        (_, first), (_, second) = hashes[0]
        self.assertRegex(first, "^[0-9a-f]{16}$")
        self.assertNotEqual(first, second)
        self.assertNotIn("hashes", self.run_json("run", MODEL, "images", "--preprocess", "unit"))
        text = self.run_program("run", MODEL, "images", "--preprocess", "unit", "--hash").stdout
        self.assertIn(first, text)

    def test_fp32_exact_is_near_and_the_same_everywhere(self):
        self.images(2)
        self.run_program("run", MOBILENET, "images", "--preprocess", "unit", "-o", "fast")
        for folder, isa in (("exact", ()), ("scalar", ("--isa", "scalar", "--threads", "2"))):
            self.run_program("run", MOBILENET, "images", "--preprocess", "unit", "-o", folder, "--fp32-exact", *isa)
        files = {f: sorted((self.folder / f).glob("*.npy")) for f in ("fast", "exact", "scalar")}
        self.assertTrue(files["fast"])
        for fast, exact, scalar in zip(*files.values()):
            self.assertEqual(exact.read_bytes(), scalar.read_bytes())
            for a, b in zip(pictures.read_npy(fast)[1], pictures.read_npy(exact)[1]):
                self.assertAlmostEqual(a, b, delta=1e-4)

    def test_a_tensor_by_its_input(self):
        self.write("x.npy", pictures.npy((2, 1, 28, 28), [i % 256 / 255 for i in range(2 * 784)]))
        self.run_program("run", MODEL, "input=x.npy", "-o", "named", "--threads", "1", "--quiet")
        self.run_program("run", MODEL, "x.npy", "-o", "listed")
        shape, named = pictures.read_npy(self.folder / "named" / "logits.npy")
        self.assertEqual(shape, (2, 10))
        self.assertEqual((shape, named), pictures.read_npy(self.folder / "listed" / "logits.npy"))

    def test_an_input_that_nobody_reads(self):
        self.write("m.onnx", onnx.model(
            [onnx.node("Relu", ["x"], ["y"], "relu"), onnx.node("Neg", ["size"], ["dead"], "dead")],
            [onnx.value("scale", ["N"]), onnx.value("x", [1, 4]), onnx.value("size", [2])], [onnx.value("y", [1, 4])]))
        self.write("x.npy", pictures.npy((1, 4), [-1, 0.5, 2, -3]))
        self.run_program("m.onnx", "--calib", "x.npy", "-o", "q.onnx")
        for model in ("m.onnx", "q.onnx"):
            found = self.run_json("inspect", model)
            self.assertEqual((list(found["inputs"]), found["unread_inputs"]), (["x"], ["scale", "size"]))
            report = self.run_json("run", model, "scale=x.npy", "x=x.npy")
            self.assertRegex("\n".join(report["warnings"]), "'scale' has no effect")
            self.assertEqual(report["outputs"]["y"]["shape"], [1, 4])
            self.fails("run", model, "size=x.npy", code=2, says="'x' is missing")
            self.fails("inspect", model, "--input-shape", "size=3", code=2, says="'size', on which no output depends")

    def test_an_image_is_the_tensor_it_becomes(self):
        self.write("image.png", pictures.png(28, 28))
        self.write("image.npy", pictures.npy((1, 1, 28, 28), [(x * 37 + y * 91) % 256 / 255
                                                              for y in range(28) for x in range(28)]))
        self.run_program("run", MODEL, "image.png", "--preprocess", "unit", "-o", "a")
        self.run_program("run", MODEL, "image.npy", "-o", "b")
        a, b = (pictures.read_npy(self.folder / name / "logits.npy")[1] for name in "ab")
        for x, y in zip(a, b):
            self.assertAlmostEqual(x, y, places=4)

    def test_without_o_nothing_is_written(self):
        self.write("image.png", pictures.png(28, 28))
        done = self.run_program("run", MODEL, "image.png", "--top", "3")
        self.assertRegex(done.stdout, r"image\.png +\d \(-?\d+\.\d+\)  \d")
        self.assertEqual(self.files(), ["image.png"])

    def test_quiet_says_nothing(self):
        self.write("image.png", pictures.png(28, 28))
        done = self.run_program("run", MODEL, "image.png", "--preprocess", "unit", "--quiet")
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_outputs_of_different_shapes_are_numbered(self):
        self.write("free.onnx", onnx.convolution(size="S"))
        for i, size in enumerate((8, 9)):
            self.write(f"x/{i}.npy", pictures.npy((1, 1, size, size), [0.5] * size * size))
        report = self.run_json("run", "free.onnx", "x", "-o", "out")
        self.assertEqual([path.split("/")[-1] for path in report["outputs"]["result"]["files"]],
                         ["result_0.npy", "result_1.npy"])
        self.assertEqual(pictures.read_npy(self.folder / "out" / "result_1.npy")[0], (1, 2, 9, 9))


if __name__ == "__main__":
    main()
