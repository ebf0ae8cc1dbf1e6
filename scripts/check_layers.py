#!/usr/bin/env python3
"""Fails on what breaks the architecture or its rules, with one line for each place.

Checked are: includes against the walls between rooms (layers/rooms.py is the table), third-party headers and their owners,
sizes of files, functions and parameter lists, op_type compared with a text outside the rooms that may, declarations of
public headers without a comment, Markdown lines, names of files that are not there, and tests that mirror no folder. `--picture` prints which room includes which, and how often.
"""
import argparse
import sys
from pathlib import Path

from layers import code, includes, prose
from layers.rooms import room_of

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("kernels", "core", "calibration", "onnx_io", "cli", "tests", "scripts", "data")


def read_tree(root):
    """{path below the root: text} of the code and Markdown of all folders of the project."""
    paths = [path for folder in FOLDERS for path in (root / folder).rglob("*")] + list(root.glob("*.md"))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf8")
            for path in sorted(paths) if path.suffix in (".h", ".cpp", ".py", ".md") and path.is_file()}


def is_in_a_room(name):
    """True for C++ that stands in a room of the program or its tests."""
    return name.endswith((".h", ".cpp")) and room_of(name) is not None


def complaints(tree):
    """One text for each place that breaks a rule."""
    sources = {name: text.split("\n") for name, text in tree.items() if is_in_a_room(name)}
    folders = {str(Path(name).parent) for name in tree}
    for name, text in tree.items():
        yield from prose.stale_paths(name, text, tree)
        if name.endswith(".md"):
            yield from prose.complaints(name, text)
            continue
        if name.endswith((".h", ".cpp")) and room_of(name) is None:
            yield f"{name}: stands in no room of the table ROOMS"
            continue
        if name.startswith("tests/unit/") and str(Path(name).parent.relative_to("tests/unit")) not in folders:
            yield f"{name}: mirrors no folder of the program"
        yield from code.sizes(name, text)
        if name in sources:
            yield from includes.complaints(name, sources[name])
            yield from code.operator_names(name, text)
            yield from code.contracts(name, text)
    yield from includes.unused_exceptions(sources)
    yield from code.names_used_twice(tree)
    yield from code.unused_exceptions(tree)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--picture", action="store_true", help="print which room includes which, and how often")
    options.add_argument("--root", type=Path, default=ROOT, help="another working tree to check")
    chosen = options.parse_args()
    tree = read_tree(chosen.root)
    if chosen.picture:
        print(includes.picture({name: text.split("\n") for name, text in tree.items() if is_in_a_room(name)}))
        return 0
    wrong = list(complaints(tree))
    print("\n".join(wrong) if wrong else f"layers: {len(tree)} files, every include points downward, every rule holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
