#!/usr/bin/env python3
"""Terminals: progress, colours, and Ctrl-C in the middle of the work."""
import json
import os
import pty
import select
import signal
import subprocess
import time

import pictures
from program import MODEL, PROGRAM, Case, main

ESCAPE = b"\x1b"


class Terminal:
    """A process whose stderr, and on wish stdout, is a terminal."""

    def __init__(self, arguments, folder, stdout_too=False, **variables):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=folder, stderr=slave,
                                        stdout=slave if stdout_too else subprocess.PIPE,
                                        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"} | variables)
        os.close(slave)
        self.seen = b""

    def read(self, seconds=0.1):
        """True while the process may still write."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:                                                 # the other side is closed
            return False
        self.seen += chunk
        return bool(chunk)

    def read_until(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if not self.read():
                break
        assert text in self.seen, self.seen

    def finish(self):
        """(exit code, what the terminal got, what a piped stdout got)"""
        output = b""
        while self.read():
            if self.process.poll() is not None and not self.read(0):
                break
        if self.process.stdout:
            output = self.process.stdout.read()
            self.process.stdout.close()
        code = self.process.wait(60)
        os.close(self.master)
        return code, self.seen, output


class Streams(Case):
    def arguments(self):
        self.images(20)
        return [MODEL, "--calib", "images", "--preprocess", "unit", "-o", "q.onnx"]

    def test_progress_only_on_a_terminal(self):
        arguments = self.arguments()
        code, terminal, output = Terminal(arguments, self.folder).finish()
        self.assertEqual(code, 0)
        self.assertIn(b"calibrating  ", terminal)
        self.assertTrue(terminal.endswith(b"\r\x1b[K"), terminal)       # the line is gone in the end
        self.assertIn(b"q.onnx", output)
        self.assertEqual(self.run_program(*arguments).stderr, "")
        self.assertEqual(Terminal([*arguments, "--quiet"], self.folder).finish(), (0, b"", b""))

    def test_json_is_alone_on_stdout(self):
        code, terminal, output = Terminal([*self.arguments(), "--json"], self.folder).finish()
        self.assertEqual(code, 0)
        self.assertIn(b"calibrating  ", terminal)
        self.assertEqual(json.loads(output)["samples"], 20)

    def test_colours_only_on_a_terminal_or_on_wish(self):
        for arguments, stdout_too, variables, colored in (
                ([], True, {}, True), ([], False, {}, False), (["--color"], False, {}, True),
                (["--no-color"], True, {}, False), ([], True, {"NO_COLOR": "1"}, False)):
            with self.subTest((arguments, stdout_too, variables)):
                code, terminal, output = Terminal(["inspect", MODEL, *arguments], self.folder, stdout_too,
                                                  **variables).finish()
                self.assertEqual(code, 0)
                self.assertEqual(ESCAPE in (terminal if stdout_too else output), colored)

    def test_errors_are_coloured_on_a_terminal(self):
        code, terminal, _ = Terminal(["inspect", "absent.onnx"], self.folder).finish()
        self.assertEqual(code, 5)
        self.assertIn(ESCAPE, terminal)
        self.assertIn(b"absent.onnx", terminal)

    def test_verbose_explains(self):
        done = self.run_program(*self.arguments(), "--verbose")
        self.assertRegex(done.stderr, r"(?m)^debug: .*lenet_fashion.onnx")


class Interruption(Case):
    def endless(self):
        """A file of a million samples, nearly all of it a hole."""
        path = self.write("many.npy", pictures.npy((1_000_000, 1, 28, 28), []))
        os.truncate(path, path.stat().st_size + 1_000_000 * 784 * 4)

    def test_ends_at_once_and_leaves_nothing(self):
        self.endless()
        before = self.files()
        for number in (signal.SIGINT, signal.SIGTERM):
            for arguments, label in (([MODEL, "--calib", "many.npy", "-o", "q.onnx", "--plan", "p.json"], b"calibrating"),
                                     (["calibrate", MODEL, "--calib", "many.npy", "-o", "s.stats"], b"calibrating"),
                                     (["run", MODEL, "many.npy", "-o", "out"], b"running"),
                                     (["sensitivity", MODEL, "--calib", "many.npy"], b"calibrating"),
                                     (["bench", MODEL, "--rounds", "100000"], b"measuring"),
                                     (["verify", MODEL, MODEL, "--images", "many.npy"], b"verifying")):
                with self.subTest((number.name, arguments[0])):
                    terminal = Terminal(arguments, self.folder)
                    terminal.read_until(label)
                    terminal.process.send_signal(number)
                    start = time.monotonic()
                    code, text, output = terminal.finish()
                    self.assertEqual(code, 130)
                    self.assertLess(time.monotonic() - start, 20)
                    self.assertEqual(text.count(b"interrupted"), 1, text)
                    self.assertRegex(text, rb"error(\x1b\[\d*m)?: interrupted; unfinished files were removed")
                    self.assertEqual(output, b"")
                    self.assertEqual(self.files(), before)

    def test_is_json_too(self):
        self.endless()
        for signals in (1, 2):  # the second ends the program at once
            with self.subTest(signals):
                terminal = Terminal([MODEL, "--calib", "many.npy", "-o", "q.onnx", "--json"], self.folder)
                terminal.read_until(b"calibrating")
                for _ in range(signals):
                    terminal.process.send_signal(signal.SIGINT)
                code, _, output = terminal.finish()
                answer = json.loads(output)
                self.assertEqual((code, answer["command"], answer["error"]),
                                 (130, "quantize", {"kind": "interrupted", "message": "interrupted; unfinished files were removed",
                                                    "context": []}))

    def test_a_mapped_file_that_was_cut_off_ends_it(self):
        self.endless()
        before = self.files()
        terminal = Terminal([MODEL, "--calib", "many.npy", "-o", "q.onnx", "--json"], self.folder)
        terminal.read_until(b"calibrating")
        terminal.process.send_signal(signal.SIGBUS)  # the system's, where a page of a file is gone
        code, text, output = terminal.finish()
        self.assertIn(b"error: a file of weights beside the model was cut off", text)
        self.assertEqual((code, json.loads(output)["error"]["kind"]), (5, "io"))
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    main()
