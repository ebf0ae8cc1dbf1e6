"""As much of C++ as the checks need: the functions of a file and what a header declares."""
import re
from dataclasses import dataclass


@dataclass
class Function:
    """A function with a body, at the scope of a namespace or class. Lines count from 1."""
    name: str
    line: int
    lines: int
    parameters: int


def without_comments(text):
    """The text with comments and the insides of literals blanked out; lines stay where they are."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(found):
        kept = found.group(0)
        inside = re.sub(r"[^\n]", " ", kept)
        return '"' + inside[2:] + '"' if kept[0] in "\"R" else inside

    text = pattern.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda found: re.sub(r"[^\n]", " ", found.group(0)), text, flags=re.M)


def closing(text, begin, pair="{}"):
    """Position of the bracket that closes the one at `begin`."""
    depth = 0
    for i in range(begin, len(text)):
        depth += (text[i] == pair[0]) - (text[i] == pair[1])
        if depth == 0:
            return i
    return len(text) - 1


_SCOPE = re.compile(r"(?:inline\s+)?namespace\b|extern\b|(?:template\s*<.*>\s*)?(?:struct|class|union)\b", re.S)
_NAME = re.compile(r"(operator\s*[^\s\w(]+|operator\s*\(\s*\)|[~\w]+)\s*$")


def parameter_list(head):
    """(name, text between the parentheses) of a function's head, or None."""
    depth = 0
    for i, c in enumerate(head):
        depth += (c == "<") - (c == ">" and head[i - 1] not in "-=")
        if c == "(" and depth <= 0:
            found = _NAME.search(head[:i])
            if found and head[i:].startswith("()") and found.group(1) == "operator":
                continue
            return (found.group(1), head[i + 1:closing(head, i, "()")]) if found else None
    return None


def count_parameters(text):
    """Parameters between the parentheses of a function's head."""
    depth, count = 0, 1
    for i, c in enumerate(text):
        depth += (c in "([{<") - (c in ")]}" or (c == ">" and text[i - 1] != "-"))
        count += c == "," and depth == 0
    return count if text.strip() not in ("", "void") else 0


def _is_member_initializer(head, after):
    """True for the braces of `member_{...}` in the list of a constructor: what follows them is not the next declaration."""
    return re.search(r"\)\s*(?:noexcept\s*)?:(?!:)", head) is not None and after.lstrip()[:1] in (",", "{")


def _opens_scope(head):
    """True for a namespace or a type, in whose braces functions stand."""
    ends_like_function = re.search(r"\)\s*(?:const|noexcept|override|\s)*$", head)
    return _SCOPE.match(head) is not None and not ends_like_function


def functions(source):
    """Every function with a body, in the order of the file."""
    text, found, i, begin = without_comments(source), [], 0, 0  # begin: of the declaration that i stands in
    while i < len(text):
        if text[i] in ";}":
            begin = i + 1
        elif text[i] == "{":
            head = re.sub(r"^\s*(?:(?:public|private|protected)\s*:\s*)*", "", text[begin:i])
            end = closing(text, i)
            if _is_member_initializer(head, text[end + 1:end + 100]):
                i = end
            elif _opens_scope(head):
                begin = i + 1
            else:
                is_value = head.rstrip().endswith("=") or head.startswith("enum")
                if not is_value and (named := parameter_list(head)):
                    line = text.count("\n", 0, i - len(head.lstrip())) + 1
                    lines = text.count("\n", 0, end) + 2 - line
                    found.append(Function(named[0], line, lines, count_parameters(named[1])))
                i, begin = end, end + 1
        i += 1
    return found


_DECLARES = re.compile(
    r"(?:template\b|struct\b|class\b|enum\b|union\b|using\s+\w+\s*=|(?:[\w:<>,*&\s\[\]]+[\s*&>])[\w:]+\s*\()")


def bare_declarations(source):
    """(line, text) of functions and types at the scope of a header's namespace that stand below no comment: neither their
    own nor that of the declaration above which they follow without an empty line."""
    text, lines = without_comments(source), source.split("\n")
    depth, covered = 0, False
    for number, line in enumerate(text.split("\n"), 1):
        original = lines[number - 1].strip()
        at_namespace = depth == 0
        for c in line:
            depth += (c in "{(") - (c in "})")
            if c == "{" and depth == 1 and re.match(r"\s*(?:inline\s+)?namespace\b", line):
                depth = 0  # a namespace counts for nothing
        depth = max(depth, 0)
        if original == "" or original.startswith("namespace"):
            covered = False
        elif "//" in original or original.startswith("/*"):
            covered = True
        if at_namespace and not covered and _DECLARES.match(line) and not original.startswith(("//", "#", "}")):
            known = re.fullmatch(r"(?:struct|class|enum class) \w+;|template <>", original)  # or said elsewhere
            if not known:
                yield number, original
                covered = True
