"""Rules about Markdown files, and about paths that any text names."""
import re

MOST_COLUMNS, MOST_README_LINES = 120, 40


def _is_table(line):
    return line.lstrip().startswith("|")


def complaints(name, source):
    """Lines that are too long, but for those of tables, which cannot be broken; READMEs of folders that are too long."""
    lines = source.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_COLUMNS and not _is_table(line):
            yield f"{name}:{number}: {len(line)} columns, more than {MOST_COLUMNS}; break the line"
    if name.endswith("/README.md") and len(lines) - 1 > MOST_README_LINES:
        yield (f"{name}: {len(lines) - 1} lines, more than the {MOST_README_LINES} of a folder's README; "
               f"reasons with numbers go to DECISIONS.md")


_PATH = re.compile(r"(?<![\w/.<-])(?:kernels|core|calibration|onnx_io|cli|tests|scripts)/[\w/]+\.(?:h|cpp|py|md)\b")


def stale_paths(name, source, tree):
    """Mentions of files that are not there."""
    if name.startswith("tests/lint/"):  # which plants such
        return
    for number, line in enumerate(source.split("\n"), 1):
        for path in _PATH.findall(line):
            if path not in tree and not line.lstrip().startswith("#include"):  # the compiler sees to these
                yield f"{name}:{number}: names {path}, which is not there"
