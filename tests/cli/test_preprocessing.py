#!/usr/bin/env python3
"""--preprocess auto: the same guess everywhere, and called a guess everywhere."""
import shutil

from program import MODEL, Case, main


class Guess(Case):
    def setUp(self):
        super().setUp()
        self.images(20)
        shutil.copy(MODEL, self.folder / "lenet.onnx")

    def guessed(self, *arguments):
        return self.run_json("lenet.onnx", "--calib", "images", "--method", "max", *arguments)

    def test_a_guess_is_called_a_guess_wherever_it_is_used(self):
        report = self.guessed("-o", "q.onnx")
        guess = report["preprocessing"]
        self.assertFalse(guess["given"])
        self.assertFalse(guess["sure"])  # ten classes, and pictures of noise
        self.assertTrue(guess["evidence"])
        self.assertIn("a guess", self.run_program("lenet.onnx", "--calib", "images", "--method", "max", "-o", "r.onnx").stdout)
        for command in (("verify", "lenet.onnx", "q.onnx", "--images", "images"), ("run", "q.onnx", "images")):
            again = self.run_json(*command)
            self.assertTrue(any("is a guess" in warning for warning in again["warnings"]), command)
        again = self.run_json("verify", "lenet.onnx", "q.onnx", "--images", "images")["preprocessing"]
        self.assertEqual(again["settings"], guess["settings"])
        self.assertEqual((again["given"], again["sure"]), (False, False))

    def test_the_name_of_a_guess_can_be_given(self):
        guess = self.guessed("-o", "q.onnx")["preprocessing"]
        for name in filter(None, (guess["name"], guess["runner_up"])):
            given = self.guessed("--preprocess", name, "-o", "r.onnx")
            self.assertTrue(given["preprocessing"]["given"])
            self.assertFalse(any("guess" in warning for warning in given["warnings"]))
            if name == guess["name"]:
                self.assertEqual(given["preprocessing"]["settings"], guess["settings"])
        self.fails("lenet.onnx", "--calib", "images", "--preprocess", "unit,sideways", code=2, says="sideways")

    def test_a_guess_stays_one_in_statistics(self):
        self.guessed("--statistics", "s.stats", "-o", "q.onnx")
        report = self.run_json("lenet.onnx", "--statistics", "s.stats", "--method", "max", "-o", "r.onnx")
        self.assertFalse(report["preprocessing"]["given"])
        self.assertTrue(any("is a guess" in warning for warning in report["warnings"]))
        self.assertTrue(any("is a guess" in warning for warning in
                            self.run_json("verify", "lenet.onnx", "r.onnx", "--images", "images")["warnings"]))

    def test_all_shards_of_a_folder_guess_the_same(self):
        for part in range(3):
            self.run_program("calibrate", "lenet.onnx", "--calib", "images", "--shard", f"{part}/3", "-o", f"{part}.stats")
        self.run_program("calibrate", "lenet.onnx", "--calib", "images", "-o", "all.stats")
        self.run_program("merge", "0.stats", "1.stats", "2.stats", "-o", "sum.stats")
        guesses = [self.run_json("calibrate", "lenet.onnx", "--calib", "images", "-o", "x.stats", *arguments)["preprocessing"]
                   for arguments in ((), ("--shard", "1/3"), ("--samples", "5"), ("--threads", "1"))]
        for guess in guesses[1:]:
            self.assertEqual(guess, guesses[0])


if __name__ == "__main__":
    main()
