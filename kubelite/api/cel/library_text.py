"""The extended functions of strings, format() among them. Pure.

Source: cel-go ext/{strings,formatting}.go (version 2, as Kubernetes has it)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.library_time import show_duration, show_timestamp
from kubelite.api.cel.values import Duration, Timestamp, TypeName, UInt, go_float, type_name, value_of

_CLAUSE = re.compile(r"%(?:%|(?:\.(?P<precision>\d*))?(?P<verb>[a-zA-Z])|(?P<bad>.?))", re.DOTALL)
_MOST_DIGITS = 1000
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_MOST_TEXT = 3 * 1024 * 1024
_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_TO_UPPER = {code + 32: code for code in range(ord("A"), ord("Z") + 1)}
_QUOTED = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
#: What Unicode calls white space; Python's own notion has some more.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise CelError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not part:
        return start
    if not 0 <= start < len(text):
        if start == 0:
            return -1
        raise CelError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not part:
        return start
    if not 0 <= start < len(text):
        raise CelError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if count < 0 else min(count, text.count(old))
    if len(text) + times * (len(new) - len(old)) > _MOST_TEXT:
        raise CelError("the resulting string is too long")
    return text.replace(old, new, max(count, -1))


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if not separator:
        parts = list(text)
        return parts if count < 0 or len(parts) <= count else [*parts[: count - 1], "".join(parts[count - 1 :])]
    return text.split(separator, count - 1 if count > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if not 0 <= last <= len(text):
        raise CelError(f"index out of range: {last}")
    if start > last:
        raise CelError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


def _join(items: list[Any], separator: str = "") -> str:
    if not all(type(item) is str for item in items):
        raise CelError("no such overload")
    if sum(map(len, items)) + len(items) * len(separator) > _MOST_TEXT:
        raise CelError("the resulting string is too long")
    return separator.join(items)


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'


# -- format ----------------------------------------------------------------------------------------------------------------


def _format(pattern: str, values: list[Any]) -> str:
    used = 0

    def clause(match: re.Match[str]) -> str:
        nonlocal used
        if match.group() == "%%":
            return "%"
        if match["verb"] is None:
            raise CelError("could not parse formatting clause: unrecognized formatting clause")
        if used >= len(values):
            raise CelError(f"index {used} out of range")
        used += 1
        precision = int(match["precision"]) if (match["precision"] or "").strip() else 6
        if len(match["precision"] or "") > 4 or precision > _MOST_DIGITS:
            raise CelError("precision is too large")
        return _formatted(match["verb"], values[used - 1], precision)

    return _CLAUSE.sub(clause, pattern)


def _formatted(verb: str, value: Any, precision: int) -> str:
    is_number = type(value) in (int, UInt)
    match verb:
        case "s":
            return _shown(value)
        case "d" if is_number:
            return str(int(value))
        case "f" if type(value) is float or is_number:
            return f"{value:.{precision}f}" if abs(value) < float("inf") else _shown(float(value))
        case "e" if type(value) is float or is_number:
            return _scientific(f"{value:.{precision}e}") if abs(value) < float("inf") else _shown(float(value))
        case "b" if is_number or type(value) is bool:
            return f"{int(value):b}"
        case "o" if is_number:
            return f"{int(value):o}"
        case "x" | "X" if is_number or type(value) in (str, bytes):
            text = f"{int(value):x}" if is_number else (value.encode() if type(value) is str else value).hex()
            return text.upper() if verb == "X" else text
    if verb not in "sdfebxXo":
        raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
    raise CelError(f"error during formatting: %{verb} cannot be used on {type_name(value)}")


def _scientific(text: str) -> str:
    """
    >>> _scientific("1.052e-03")
    '1.052×10⁻⁰³'
    """
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}×10{exponent.removeprefix('+').translate(_RAISED)}"


def _shown(value: Any) -> str:
    """As %s has it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int():
            return str(int(value))
        case float():
            return {"+Inf": "Infinity", "-Inf": "-Infinity"}.get(text := go_float(value, "f"), text)
        case bytes():
            return value.decode(errors="replace")
        case Duration():
            return show_duration(value)
        case Timestamp():
            return show_timestamp(value)
        case TypeName():
            return value.name
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case dict():
            return f"{{{', '.join(sorted(f'{_shown(value_of(key))}: {_shown(item)}' for key, item in value.items()))}}}"
    raise CelError(f"error during formatting: string clause can only be used on strings, not on {type_name(value)}")


STRINGS: dict[str, Callable[..., Any]] = {
    "string.charAt(int): string": _char_at,
    "string.indexOf(string): int": _index_of,
    "string.indexOf(string, int): int": _index_of,
    "string.lastIndexOf(string): int": _last_index_of,
    "string.lastIndexOf(string, int): int": _last_index_of,
    "list<string>.join(): string": _join,
    "list<string>.join(string): string": _join,
    "string.lowerAscii(): string": lambda text: text.translate(_TO_LOWER),
    "string.upperAscii(): string": lambda text: text.translate(_TO_UPPER),
    "string.replace(string, string): string": _replace,
    "string.replace(string, string, int): string": _replace,
    "string.split(string): list<string>": _split,
    "string.split(string, int): list<string>": _split,
    "string.substring(int): string": _substring,
    "string.substring(int, int): string": _substring,
    "string.trim(): string": lambda text: text.strip(_SPACE),
    "string.format(list<dyn>): string": _format,
    "strings/quote(string): string": _quote,
}
