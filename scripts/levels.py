"""The instruction sets of kernels/levels.def."""
import re
from pathlib import Path

_LINE = re.compile(r'^(X86|ARM)_LEVEL\(\w+, \w+, (\w+), \w+, ".*"\)$', re.MULTILINE)
_FOUND = _LINE.findall((Path(__file__).resolve().parent.parent / "kernels" / "levels.def").read_text(encoding="utf8"))

# Names in ascending order, scalar code first.
X86_LEVELS = ("scalar", *(name for family, name in _FOUND if family == "X86"))
ARM_LEVELS = ("scalar", *(name for family, name in _FOUND if family == "ARM"))

# The folders of all levels but scalar.
LEVEL_FOLDERS = tuple(f"kernels/{name}/" for _, name in _FOUND)
