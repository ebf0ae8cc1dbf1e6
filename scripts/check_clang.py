#!/usr/bin/env python3
"""Fails if Clang warns about a file that GCC has built: the second compiler's opinion without a second build.

    scripts/check_clang.py [BUILD_DIR [CLANG_BUILD_DIR]]

BUILD_DIR is the folder with GCC's compile_commands.json; build/dev if left out. Files that Clang has compiled in
CLANG_BUILD_DIR, where warnings are errors, are not read again.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXTRA = ["-fsyntax-only", "-Wno-unknown-warning-option", "-Wno-unused-command-line-argument"]


def entries_of(build):
    return json.loads((build / "compile_commands.json").read_text())


def compiled_in(build):
    """The source files whose objects exist and are no older than they are."""
    found = set()
    for entry in entries_of(build):
        words = shlex.split(entry["command"])
        made = pathlib.Path(entry["directory"], words[words.index("-o") + 1])
        if made.exists() and made.stat().st_mtime >= os.path.getmtime(entry["file"]):
            found.add(entry["file"])
    return found


def complaint(entry):
    """Clang's complaint about a file; nothing if it is content."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if pathlib.Path(word).name in ("c++", "g++"))
    output = words.index("-o")
    command = ["clang++", *words[compiler + 1:output], *words[output + 2:], *EXTRA]
    done = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr


def main():
    build = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "dev"
    known = compiled_in(pathlib.Path(sys.argv[2])) if len(sys.argv) > 2 else set()
    entries = [entry for entry in entries_of(build) if entry["file"] not in known]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(complaint, entries) if text]
    for text in complaints:
        print(text, file=sys.stderr)
    print(f"clang: {len(entries)} files checked, {len(known)} compiled before")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
