"""C++ source as far as the rules need it: code without comments and literals, includes, scopes, statements."""

import re

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/"""
    r"""|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)\""""
    r"""|"(?:\\.|[^"\\\n])*\""""
    r"""|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'""",
    re.S,
)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(text: str) -> str:
    """Comments become blanks; every character keeps its place, so that line numbers stay true."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m[0].startswith("/") else m[0], text)


def code_only(text: str) -> str:
    """Comments and what is inside literals become blanks."""

    def replace(match):
        token = match[0]
        if token.startswith("/"):
            return _blank(token)
        first = token.index('"') if token[0] == "R" else 0
        return token[: first + 1] + _blank(token[first + 1 : -1]) + token[-1]

    return _TOKEN.sub(replace, text)


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def includes(text: str):
    """(line, what) of every #include "..."."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', without_comments(text), re.M):
        yield line_of(text, match.start(1)), match[1]


def matching(code: str, position: int) -> int:
    """The bracket that closes the one at `position`."""
    closing = {"(": ")", "{": "}", "[": "]"}
    waiting = []
    for at in range(position, len(code)):
        if code[at] in closing:
            waiting.append(closing[code[at]])
        elif waiting and code[at] == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at
    return len(code) - 1


def opening(code: str, position: int) -> int:
    """The bracket that encloses `position`, or -1."""
    depth = 0
    for at in range(position - 1, -1, -1):
        if code[at] in ")}]":
            depth += 1
        elif code[at] in "({[":
            if depth == 0:
                return at
            depth -= 1
    return -1


_CLASS = re.compile(r"\b(?:class|struct)\b(?P<head>[^;{}()]*(?:\([^()]*\)[^;{}()]*)*)$")


def enclosing_class(code: str, position: int):
    """(begin, end) of the body of the class whose member stands at `position`; None outside of classes."""
    brace = opening(code, position)
    if brace < 0 or code[brace] != "{":
        return None
    begin = max(code.rfind(mark, 0, brace) for mark in ";{}") + 1
    if not _CLASS.search(code[begin:brace]):
        return None
    return brace, matching(code, brace)


def string_arguments(row: str):
    """The arguments of a macro call, split at its commas; nested brackets and literals stay whole."""
    arguments, depth, current, at = [], 0, "", row.index("(") + 1
    while at < len(row):
        literal = re.compile(r'"(?:\\.|[^"\\])*"').match(row, at)
        if literal:
            current, at = current + literal[0], literal.end()
            continue
        letter = row[at]
        if letter in "({[":
            depth += 1
        if letter in ")}]":
            if depth == 0:
                break
            depth -= 1
        if letter == "," and depth == 0:
            arguments.append(current.strip())
            current = ""
        else:
            current += letter
        at += 1
    return arguments + [current.strip()]
