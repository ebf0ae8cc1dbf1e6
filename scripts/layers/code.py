"""Rules about single files of code: sizes, who may compare operators by name, contracts of public items."""
import re

from layers import cpp
from layers.exceptions import OPERATOR_NAMES, PARAMETERS
from layers.rooms import PUBLIC_KERNEL_HEADERS

MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 500, 60, 6

# Rooms that decide by the name of an operator: what it means, how graphs are read and rewritten, which form it has.
NAMING_ROOMS = ("core/ops/", "core/passes/", "core/fusion/", "core/integer/", "tests/")

_OF_NODE = r"[\w.>()\[\]-]*\bop_type\b"  # node.op_type, graph.node(n).op_type
COMPARES = re.compile(rf'{_OF_NODE}\s*[=!]=\s*"|"\s*[=!]=\s*{_OF_NODE}|\bop_type\.(?:starts_with|ends_with|find|compare)\('
                      rf"|\.(?:contains|count|find)\(\s*{_OF_NODE}")


def sizes(name, source):
    """Files, functions and lists of parameters that are too long."""
    lines = source.count("\n")
    if lines > MOST_LINES:
        yield f"{name}: {lines} lines, more than {MOST_LINES}; split the file by its readers"
    if not name.endswith((".h", ".cpp")):
        return
    for function in cpp.functions(source):
        if function.name.isupper():  # a macro of a test framework
            function.parameters = 0
        at = f"{name}:{function.line}: {function.name}"
        if function.lines > MOST_FUNCTION_LINES:
            yield f"{at} has {function.lines} lines, more than {MOST_FUNCTION_LINES}"
        if function.parameters > PARAMETERS.get((name, function.name), MOST_PARAMETERS):
            yield f"{at} takes {function.parameters} parameters, more than {MOST_PARAMETERS}; make a struct of them"


def compared_operators(source):
    """Line numbers at which the type of an operator is compared with a text."""
    text = re.sub(r"//[^\n]*", "", source)
    return [text.count("\n", 0, found.start()) + 1 for found in COMPARES.finditer(text)]


def operator_names(name, source):
    """Comparisons with the name of an operator where a table or a trait should be asked."""
    if name.startswith(NAMING_ROOMS):
        return
    found, allowed = compared_operators(source), OPERATOR_NAMES.get(name, 0)
    if len(found) > allowed:
        where = ", ".join(map(str, found))
        yield (f"{name}: compares op_type with a text {len(found)} times (lines {where}), {allowed} are excepted; "
               f"ask a trait of the operator or a pattern of core/fusion instead")
    elif len(found) < allowed:
        yield f"{name}: compares op_type {len(found)} times; lower its {allowed} in scripts/layers/exceptions.py"


def contracts(name, source):
    """Functions and types that a public header declares without a comment above them."""
    inside = name.startswith("tests/") or (name.startswith("kernels/") and name not in PUBLIC_KERNEL_HEADERS)
    if inside or not name.endswith(".h"):
        return
    for line, text in cpp.bare_declarations(source):
        yield f"{name}:{line}: '{text[:60]}' has no comment that says what it promises"


TYPE = re.compile(r"^(?:struct|class|enum class) (\w+)[^;]*\{", re.MULTILINE)


def names_used_twice(tree):
    """Types of one name in two headers: a program that links both mixes their functions up, and no compiler tells."""
    owners = {}
    for name, text in sorted(tree.items()):
        if not name.endswith(".h") or name.startswith(("kernels/", "tests/")):  # where types stand in anonymous namespaces
            continue
        for found in TYPE.finditer(text):
            first = owners.setdefault(found.group(1), name)
            if first != name:
                yield f"{name}: type {found.group(1)} has the name of another in {first}; rename one"


def unused_exceptions(tree):
    """Exceptions whose file is gone or whose function follows the rule by now."""
    for name in OPERATOR_NAMES:
        if name not in tree:
            yield f"{name}: is gone; remove it from scripts/layers/exceptions.py"
    for (name, function), allowed in PARAMETERS.items():
        found = [f.parameters for f in cpp.functions(tree.get(name, "")) if f.name == function]
        if max(found, default=0) != allowed:
            yield (f"{name}: {function} takes {max(found, default=0)} parameters, not {allowed}; "
                   f"mend scripts/layers/exceptions.py")
