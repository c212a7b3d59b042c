"""What can go wrong with an expression: it is none, it does not fit what is declared, or its evaluation fails. Pure.

Source: cel-go common/errors.go (how problems are shown)
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class CelError(Exception):
    """An evaluation that has no value; other parts of the expression may make up for it."""


class CostExceeded(Exception):
    """An evaluation that was given up. Nothing makes up for it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


class Issue(msgspec.Struct, frozen=True):
    """`at`: the offset in the text to which it belongs."""

    at: int
    text: str


class CompileError(Exception):
    """Everything that is wrong with an expression, as upstream shows it."""

    def __init__(self, source: str, issues: Sequence[Issue]) -> None:
        ordered = sorted(issues, key=lambda issue: issue.at)
        super().__init__("\n".join(_shown(source, issue) for issue in ordered))

    @property
    def detail(self) -> str:
        return f"compilation failed: {self}"


class NoProgram(CompileError):
    """An expression that fits, of which no program can be made."""

    def __init__(self, text: str) -> None:
        super().__init__("", ())
        self.args = (text,)

    @property
    def detail(self) -> str:
        return f"program instantiation failed: {self}"


def _shown(source: str, issue: Issue) -> str:
    """
    >>> print(_shown("self.x == 1", Issue(4, "undefined field 'x'")))
    ERROR: <input>:1:5: undefined field 'x'
     | self.x == 1
     | ....^
    """
    before = source[: issue.at]
    line, column = before.count("\n"), issue.at - (before.rfind("\n") + 1)
    lines = source.split("\n")
    text = lines[line].replace("\t", " ") if line < len(lines) else ""
    return f"ERROR: <input>:{line + 1}:{column + 1}: {issue.text}\n | {text}\n | {'.' * column}^"
