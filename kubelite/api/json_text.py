"""JSON as Go reads it: what is wrong with a text in Go's words, and keys that are given twice. Pure.

Only for what the fast decoder refused, and for strict requests. Source: encoding/json of Go, sigs.k8s.io/json
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import json

_EARLY_END = "unexpected end of JSON input"


class Repeated(dict[str, Any]):
    """An object in which keys were repeated; the last value counts. `texts` are complete strict errors of the document."""

    __slots__ = ("keys_repeated", "texts")

    def __init__(self, values: dict[str, Any], keys: tuple[str, ...] = (), texts: tuple[str, ...] = ()) -> None:
        super().__init__(values)
        self.keys_repeated = keys
        self.texts = texts


def parse(body: bytes) -> Any:
    """The value; objects with repeated keys are `Repeated`. Raises: ValueError in Go's words."""
    import json

    text = body.decode(errors="replace")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(_in_go_words(text, error)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for key, _ in pairs:
        if key in seen:
            repeated[key] = None
        seen.add(key)
    return Repeated(values, tuple(repeated))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character {_quoted(name[0])} looking for beginning of value")


def _in_go_words(text: str, error: json.JSONDecodeError) -> str:
    at = error.pos
    while at < len(text) and text[at] in " \t\r\n" and not error.msg.startswith("Invalid"):
        at += 1
    if error.msg.startswith("Unterminated") or at >= len(text):
        return _EARLY_END
    if error.msg.startswith("Invalid \\"):
        at += 1
        if at >= len(text):
            return _EARLY_END
    return f"invalid character {_quoted(text[at])} {_expectation(text, at, error.msg)}"


def _expectation(text: str, at: int, message: str) -> str:
    if message.startswith(("Expecting property name", "Illegal trailing comma before end of object")):
        return "looking for beginning of object key string"
    if message.startswith("Expecting ':'"):
        return "after object key"
    if message.startswith("Expecting ','"):
        return "after object key:value pair" if _is_in_object(text[:at]) else "after array element"
    if message.startswith("Extra data"):
        return "after top-level value"
    if message.startswith("Invalid control character"):
        return "in string literal"
    if message.startswith("Invalid \\"):
        return "in string escape code"
    return "looking for beginning of value"


def _is_in_object(text: str) -> bool:
    stack: list[str] = []
    in_string = escaped = False
    for char in text:
        if in_string:
            in_string, escaped = escaped or char != '"', not escaped and char == "\\"
        elif char == '"':
            in_string = True
        elif char in "{[":
            stack.append(char)
        elif char in "}]" and stack:
            stack.pop()
    return bool(stack) and stack[-1] == "{"


def _quoted(char: str) -> str:
    import json

    if char == "'":
        return r"'\''"
    return "'\"'" if char == '"' else f"'{json.dumps(char, ensure_ascii=False)[1:-1]}'"
