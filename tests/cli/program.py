"""Running the program under test, in a folder of its own."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["QUANTIZE"]).resolve()
DATA = Path(__file__).resolve().parent.parent.parent / "data"
MODEL = DATA / "lenet_fashion.onnx"
COMMANDS = ("calibrate", "merge", "run", "verify", "inspect", "bench")


class Case(unittest.TestCase):
    """Every test runs in an empty folder, `self.folder`."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def run_program(self, *arguments, code=0, **options):
        """The finished process; its exit code is checked, and so is that stderr carries no more than it should."""
        done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              timeout=300, **options)
        self.assertEqual(done.returncode, code, f"{arguments}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def run_json(self, *arguments, code=0):
        """The one object that --json prints."""
        return json.loads(self.run_program(*arguments, "--json", code=code).stdout)

    def fails(self, *arguments, code, says):
        """One line on stderr that `says` (a regular expression), the exit code, no output, no new file."""
        before = self.files()
        done = self.run_program(*arguments, code=code)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertRegex(errors[0], re.compile(says))
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.files(), before)

    def files(self):
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*"))

    def read_json(self, name):
        return json.loads((self.folder / name).read_text())

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def images(self, count=20, name="images"):
        """A folder with the first calibration images of the project."""
        target = self.folder / name
        target.mkdir()
        for path in sorted((DATA / "calib").iterdir())[:count]:
            shutil.copy(path, target)
        return target


def main():
    unittest.main(verbosity=1)
