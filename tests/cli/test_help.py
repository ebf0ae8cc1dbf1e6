#!/usr/bin/env python3
"""Help teaches every command, fits on a screen, and names every option."""
import re

from program import COMMANDS, Case, main


class Help(Case):
    def test_fits_on_a_screen_and_shows_an_example(self):
        text = self.run_program("--help").stdout
        self.assertLessEqual(len(text.splitlines()), 24, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100, text)
        self.assertRegex(text, r"quantize \S+\.onnx --calib \S+")
        self.assertRegex(text, r"Usage: quantize MODEL\.onnx --calib PATH \[options")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")
            own = self.run_program(command, "--help").stdout
            self.assertRegex(own, rf"(?m)^  quantize {command} \S+")
            self.assertRegex(own, rf"Usage: quantize {command} ")

    def test_help_is_a_command_too(self):
        self.assertEqual(self.run_program("help").stdout, self.run_program("--help").stdout)
        for command in COMMANDS:
            self.assertEqual(self.run_program("help", command).stdout, self.run_program(command, "--help").stdout)

    def test_explains_every_option_of_its_example(self):
        for command in ((), *((command,) for command in COMMANDS)):
            text = self.run_program(*command, "--help").stdout
            example = text[:text.index("Usage: ")]
            for option in re.findall(r" (--[a-z-]+)", example):
                self.assertRegex(text, rf"(?m)^  (-\w, )?(--\w+, )?{option}\b.*\w", command)

    def test_lists_the_steps_of_the_search(self):
        steps = self.run_program("help", "search").stdout
        self.assertIn(steps, self.run_program("--help-all").stdout)
        self.assertNotIn(steps, self.run_program("calibrate", "--help-all").stdout)
        self.assertLessEqual(max(map(len, steps.splitlines())), 100, steps)
        for step in ("no bias correction", "ranges by max", "equalized channels", "fitted weights", "measured bias"):
            self.assertRegex(steps, rf"(?m)^  {step} +\w.*\w")
        wrong = self.run_program("model.onnx", "--calib", "x", "--without", "no such step", code=2)
        for name in re.findall(r"(?m)^  (\S.*?)  ", steps):
            self.assertIn(name, wrong.stderr)

    def test_all_of_it_has_groups_and_a_width(self):
        for command in ((), *((command,) for command in COMMANDS)):
            text = self.run_program(*command, "--help-all").stdout
            self.assertLessEqual(max(map(len, text.splitlines())), 100, text)
        self.assertRegex(self.run_program("--help-all").stdout, r"(?m)^Quantization:$")

    def test_names_every_option_of_the_contract(self):
        table = {
            (): "calib images preprocess samples shard input-shape threads isa json quiet verbose color max-bad-images "
                "output method percentile bias-correction format target statistics weights activations symmetric "
                "reduce-range include exclude op-types exclude-op-types overrides plan input-type version help",
            ("calibrate",): "calib images preprocess samples shard input-shape threads isa json output",
            ("run",): "output preprocess task top input-shape threads isa json quiet",
            ("verify",): "images task labels label-offset layers min-agreement min-sqnr max-drop preprocess json",
            ("inspect",): "json input-shape",
            ("bench",): "threads isa rounds layers json input-shape quiet",
            ("merge",): "output json",
        }
        for command, options in table.items():
            everything = self.run_program(*command, "--help-all").stdout
            first = self.run_program(*command, "--help").stdout
            for option in options.split():
                with self.subTest(f"{command} --{option}"):
                    self.assertRegex(everything, rf"--{option}\b")
                    self.assertRegex(first, rf"--{option}\b" if option != "images" else "--(calib|images)")

    def test_says_which_samples_are_taken(self):
        for command, says in (((), "spread evenly over the sorted list"), (("verify",), "spread evenly"), (("run",), "only the first N")):
            self.assertIn(says, " ".join(self.run_program(*command, "--help-all").stdout.split()))

    def test_lists_the_choices(self):
        text = self.run_program("--help-all").stdout
        for choices in ("max, mean, entropy, percentile, mse", "imagenet, tf, caffe, unit, raw, yolo", "ort-x86",
                        "scalar"):
            self.assertIn(choices, text)

    def test_the_usage_names_the_option_of_images_as_the_example_does(self):
        for command in ((), ("calibrate",), ("verify",), ("sensitivity",)):
            text = self.run_program(*command, "--help").stdout
            example, usage = (re.search(rf"{line}.* (--calib|--images) ", text)[1] for line in ("  quantize", "Usage: "))
            self.assertEqual(example, usage, text)

    def test_version(self):
        self.assertRegex(self.run_program("--version").stdout, r"^quantize \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    main()
