"""The words of an expression. Pure.

Source: cel-spec doc/langdef.md (Syntax), cel-go parser/gen/CEL.g4, parser/unescape.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from kubelite.api.cel.errors import Issue
from kubelite.api.cel.values import UInt

Kind = Literal["name", "number", "string", "symbol", "end"]
#: What may not be a name, though it means nothing yet.
RESERVED = frozenset(
    re.findall(
        r"\w+", "as break const continue else for function if import let loop package namespace return var void while"
    )
)
_WORD = re.compile(
    r"""(?P<space>[ \t\r\n\f]+|//[^\n]*)
    | (?P<string>[rR]?[bB]?(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
        | [bB][rR](?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\r\n]*"|'[^'\r\n]*'))
    | (?P<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z0-9_./ -]+`)
    | (?P<symbol>==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_RAW = re.compile(r"""(?:[rR][bB]?|[bB][rR])(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\r\n]*"|'[^'\r\n]*')""", re.DOTALL)
_ESCAPE = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv"'`\\?])|x(?P<x>[0-9a-fA-F]{2})|X(?P<X>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"""
    r"""|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2})|(?P<bad>.|$))""",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Word(msgspec.Struct, frozen=True):
    kind: Kind
    text: str
    at: int
    value: Any = None


class Malformed(Exception):
    """The text cannot be read on from here."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.issue = Issue(at, text)


def read_words(source: str) -> list[Word]:
    """Raises: Malformed."""
    return list(_words(source))


def _words(source: str) -> Iterator[Word]:
    at = 0
    while at < len(source):
        match = _RAW.match(source, at) or _WORD.match(source, at)
        if match is None:
            raise Malformed(at, f"Syntax error: token recognition error at: '{source[at]}'")
        kind, text = match.lastgroup or "string", match.group()
        if kind == "string":
            yield Word("string", text, at, _string(text, at))
        elif kind == "number":
            yield Word("number", text, at, _number(text, at))
        elif kind == "name":
            yield Word("name", text, at)
        elif kind == "symbol":
            yield Word("symbol", text, at)
        at = match.end()
    yield Word("end", "<EOF>", at)


def _number(text: str, at: int) -> int | float:
    """Not bounded yet: the lowest int is a minus and a number that is none."""
    try:
        if text[-1] in "uU":
            value = int(text[:-1], 0 if text[:2] in ("0x", "0X") else 10)
            if value >= 2**64:
                raise Malformed(at, "invalid uint literal")
            return UInt(value)
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:  # more digits than Python reads
        raise Malformed(at, "invalid int literal") from error


def _string(text: str, at: int) -> str | bytes:
    prefix = re.match("[rRbB]*", text)
    flags = prefix.group().lower() if prefix else ""
    quoted = text[len(flags) :]
    quotes = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    body = quoted[quotes:-quotes]
    if "b" in flags:
        return body.encode() if "r" in flags else _unescaped_bytes(body, at)
    return body if "r" in flags or "\\" not in body else _ESCAPE.sub(lambda match: chr(_escaped(match, at)), body)


def _escaped(match: re.Match[str], at: int) -> int:
    """The code point, or the byte."""
    if (plain := match["plain"]) is not None:
        return ord(_PLAIN.get(plain, plain))
    if (octal := match["octal"]) is not None:
        return int(octal, 8)
    digits = match["x"] or match["X"] or match["u"] or match["U"]
    value = int(digits, 16) if digits else -1
    if value < 0 or value > 0x10FFFF or 0xD800 <= value < 0xE000:
        raise Malformed(at, "Syntax error: unable to unescape string")
    return value


def _unescaped_bytes(body: str, at: int) -> bytes:
    made, end = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        made += body[end : match.start()].encode()
        value = _escaped(match, at)
        if match["u"] or match["U"]:
            raise Malformed(at, "Syntax error: unable to unescape string")
        made.append(value)
        end = match.end()
    return bytes(made + body[end:].encode())
