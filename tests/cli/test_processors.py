#!/usr/bin/env python3
"""The program on older processors than the one at hand: one without AVX, one with AVX2 alone. A compiler may put a newer instruction where
every processor passes, which only they notice. The emulator is qemu-x86_64 of the package qemu-user; exit code 77, skipped, without it
and with sanitizers, whose memory it has no room for."""
import json
import os
import platform
import shutil
import subprocess
import sys

from program import MODEL, PROGRAM, Case, main

EMULATOR = "qemu-x86_64"
SKIPPED = 77
FASTEST = {"Nehalem": "scalar", "Haswell": "avx2"}  # processor: its highest level


class Processors(Case):
    def emulated(self, processor, *arguments):
        return subprocess.run([EMULATOR, "-cpu", processor, PROGRAM, *arguments, "--json"], cwd=self.folder, capture_output=True, text=True, timeout=300)

    def test_each_takes_a_level_that_it_has(self):
        self.images(2)
        self.run_program(MODEL, "--calib", "images", "--preprocess", "unit", "--method", "max", "--format", "int8", "-o", "int8.onnx")
        work = ("run", "int8.onnx", "images", "--hash")
        expected = self.run_json(*work, "--isa", "scalar")["hashes"]
        for processor, level in FASTEST.items():
            with self.subTest(processor):
                done = self.emulated(processor, *work)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout)["hashes"], expected)
                self.assertIn(f"{level};", self.emulated(processor, *work, "--isa", "avx512").stdout)


if __name__ == "__main__":
    if platform.machine() != "x86_64" or shutil.which(EMULATOR) is None or os.environ["QUANTIZE_SANITIZE"]:
        sys.exit(SKIPPED)
    main()
