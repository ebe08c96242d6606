"""C++ source as text that can be searched: comments and literals blanked, functions found by their braces.

No parser: a lexer for comments, strings and braces is enough for tidy's rules, needs nothing but Python and takes
milliseconds. Positions survive: blanked text keeps every line and column.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
      (?P<line_comment>//(?:\\\n|[^\n])*)
    | (?P<block_comment>/\*.*?\*/)
    | (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")
    | (?P<string>"(?:\\.|[^"\\\n])*")
    | (?P<character>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """The text with comments turned into spaces; literals stay."""
    return TOKEN.sub(lambda m: _blank(m[0]) if m["line_comment"] or m["block_comment"] else m[0], text)


def code_only(text):
    """The text with comments and the insides of literals turned into spaces; #include lines keep their names."""

    def blank(match):
        found = match[0]
        if match["line_comment"] or match["block_comment"]:
            return _blank(found)
        line_begin = text.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#\s*include", text[line_begin : match.start()]):
            return found
        return found[0] + _blank(found[1:-1]) + found[-1]

    return TOKEN.sub(blank, text)


def comments_of(text):
    """{line number: its comment text}, lines counted from 1."""
    out = {}
    for match in TOKEN.finditer(text):
        if match["line_comment"] or match["block_comment"]:
            first = text.count("\n", 0, match.start()) + 1
            for i, line in enumerate(match[0].split("\n")):
                out[first + i] = out.get(first + i, "") + line
    return out


@dataclass
class Scope:
    """A pair of braces: what it belongs to, and the lines from the start of its head to the closing brace."""

    kind: str  # namespace, type, function or other
    name: str
    first_line: int
    last_line: int
    begin: int  # offset of the opening brace
    end: int
    head: int  # offset of its first character


TYPE_HEAD = re.compile(r"\b(?:class|struct|union|enum)\b[^()=]*$")
NAMESPACE_HEAD = re.compile(r'\b(?:namespace\b[^()=;]*|extern\s*"\s*C?\s*"\s*)$')
FUNCTION_NAME = re.compile(r"((?:[A-Za-z_~]\w*\s*::\s*)*(?:operator\s*\S{1,3}|~?[A-Za-z_]\w*))\s*\(")


def _function_name(head):
    """The name before the first parenthesis that is not part of an attribute, a template or a requires clause."""
    head = re.sub(r"\[\[.*?\]\]", "", head)
    head = re.sub(r"\b(?:requires|decltype|alignas|noexcept|explicit)\s*\([^()]*\)", "", head)
    if head.rstrip().endswith("=") or "(" not in head:
        return None
    match = FUNCTION_NAME.search(head)
    if not match or match[1] in ("if", "for", "while", "switch", "catch", "return", "static_assert"):
        return None
    name = re.sub(r"\s+", "", match[1])
    if name.startswith(("TEST", "BENCHMARK", "INSTANTIATE")):
        arguments = head[match.end() : head.find(")", match.end())]
        name += "(" + " ".join(arguments.split()) + ")"
    return name


def _without_directives(code):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: _blank(m[0]), code, flags=re.MULTILINE)


def scopes_of(code):
    """All pairs of braces in code_only() text, in order of their opening."""
    code = _without_directives(code)
    out, open_scopes = [], []
    head_begin = 0
    for match in re.finditer(r"[{};]", code):
        at = match.start()
        if match[0] == "{":
            head = code[head_begin:at]
            start = head_begin + len(head) - len(head.lstrip())
            kind, name = _kind_of(head, open_scopes)
            open_scopes.append(Scope(kind, name, code.count("\n", 0, start) + 1, 0, at, 0, start))
            out.append(open_scopes[-1])
            head_begin = at + 1
        elif match[0] == "}":
            head_begin = at + 1
            if not open_scopes:
                continue
            scope = open_scopes.pop()
            scope.end = at
            scope.last_line = code.count("\n", 0, at) + 1
            # "f() : x_{1}, y_{2} {" and "f(A a = {}) {": these braces still belong to the head of f.
            in_initialisers = scope.kind == "function" and re.match(r"\s*[,{]", code[at + 1 :])
            head = code[scope.head : scope.begin]
            if in_initialisers or (scope.kind == "other" and head.count("(") > head.count(")")):
                scope.kind, scope.name = "other", ""
                head_begin = scope.head
        else:
            head_begin = at + 1
    return out


def _kind_of(head, open_scopes):
    if NAMESPACE_HEAD.search(head):
        return "namespace", ""
    if TYPE_HEAD.search(head):
        return "type", ""
    inside = any(scope.kind in ("function", "other") for scope in open_scopes)
    if inside or head.count("(") != head.count(")"):
        return "other", ""
    name = _function_name(head)
    return ("function", name) if name else ("other", "")


def functions_of(code):
    return [scope for scope in scopes_of(code) if scope.kind == "function"]
