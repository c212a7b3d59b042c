"""CEL's own functions but for those of time. Pure.

Source: cel-spec doc/langdef.md (List of Standard Definitions), cel-go common/stdlib, common/types
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.regex import compiled
from kubelite.api.cel.values import (
    MAX_INT,
    MIN_INT,
    MIN_TIME,
    NONE,
    Duration,
    OpenList,
    Optional,
    Timestamp,
    TypeName,
    UInt,
    go_float,
    integer,
    type_name,
    unsigned,
)

_NUMBERS = ("int", "uint", "double")
_ORDERED = [(a, b) for a in _NUMBERS for b in _NUMBERS]
_ORDERED += [(name, name) for name in ("bool", "string", "bytes", "timestamp", "duration")]
_TRUTHS = {"1": True, "t": True, "T": True, "true": True, "TRUE": True, "True": True}
_TRUTHS |= {"0": False, "f": False, "F": False, "false": False, "FALSE": False, "False": False}


def _divided(a: int, b: int) -> int:
    if b == 0:
        raise CelError("division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise CelError("modulus by zero")
    return a - b * _divided(a, b)


def _float_divided(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or math.isnan(a) or math.isnan(b):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def _float_times(a: float, b: float) -> float:
    return a * b


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    return a.joined(b) if isinstance(a, OpenList) else a + b


def _to_int(value: float) -> int:
    if math.isnan(value) or not MIN_INT < value < MAX_INT:
        raise CelError("integer overflow")
    return int(value)


def _parsed_int(text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 40:
        raise CelError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not MIN_INT <= int(text) <= MAX_INT:
        raise CelError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def _parsed_uint(text: str) -> UInt:
    if not (text.isascii() and text.isdigit()) or len(text) > 40:
        raise CelError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return unsigned(int(text))


def _to_uint(value: float) -> UInt:
    if math.isnan(value) or not -1 < value < 2**64:
        raise CelError("unsigned integer overflow")
    return unsigned(int(value))


def _parsed_float(text: str) -> float:
    if not text.isascii() or text != text.strip() or "_" in text:
        raise CelError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    try:
        return float(text)
    except ValueError:
        raise CelError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


def _parsed_bool(text: str) -> bool:
    if text not in _TRUTHS:
        raise CelError(f"type conversion error from 'string' to 'bool': {text}")
    return _TRUTHS[text]


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CelError("invalid UTF-8 in bytes, cannot convert to string") from None


def _matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def _optional_value(value: Optional) -> Any:
    if not value.present:
        raise CelError("optional.none() dereference")
    return value.value


def _non_zero(value: Any) -> Optional:
    return Optional(value, True) if value not in (None, 0, "", b"", [], {}, Duration(0), Timestamp(MIN_TIME)) else NONE


def _compared(compare: Callable[[Any, Any], bool], name: str) -> dict[str, Callable[..., Any]]:
    """Where one is a double, both are compared as doubles."""

    def as_doubles(a: float, b: float) -> bool:
        return compare(float(a), float(b))

    return {
        f"_{name}_({a}, {b}): bool": compare if a == b or "double" not in (a, b) else as_doubles for a, b in _ORDERED
    }


def _wrapping(run: Callable[[Any, Any], int]) -> dict[str, Callable[..., Any]]:
    return {"int": lambda a, b: integer(run(a, b)), "uint": lambda a, b: unsigned(run(int(a), int(b)))}


def _arithmetic(name: str, run: Callable[[Any, Any], int], floats: Callable[[float, float], float] | None) -> Any:
    made = {f"_{name}_({kind}, {kind}): {kind}": each for kind, each in _wrapping(run).items()}
    return made if floats is None else {**made, f"_{name}_(double, double): double": floats}


def _type_of(value: Any) -> TypeName:
    return TypeName(type_name(value))


OPERATORS: dict[str, Callable[..., Any]] = {
    **_arithmetic("+", operator.add, operator.add),
    **_arithmetic("-", operator.sub, operator.sub),
    **_arithmetic("*", operator.mul, _float_times),
    **_arithmetic("/", _divided, _float_divided),
    **_arithmetic("%", _remainder, None),
    "_+_(string, string): string": operator.add,
    "_+_(bytes, bytes): bytes": operator.add,
    "_+_(list<A>, list<A>): list<A>": _joined,
    "-_(int): int": lambda a: integer(-a),
    "-_(double): double": operator.neg,
    "!_(bool): bool": operator.not_,
    **_compared(operator.lt, "<"),
    **_compared(operator.le, "<="),
    **_compared(operator.gt, ">"),
    **_compared(operator.ge, ">="),
    # Evaluated without the table; declared for the checker.
    "_==_(A, A): bool": operator.eq,
    "_!=_(A, A): bool": operator.ne,
    "@in(A, list<A>): bool": operator.contains,
    "@in(A, map<A, B>): bool": operator.contains,
}

CONVERSIONS: dict[str, Callable[..., Any]] = {
    "bool(bool): bool": lambda a: a,
    "bool(string): bool": _parsed_bool,
    "int(int): int": lambda a: a,
    "int(uint): int": lambda a: integer(int(a)),
    "int(double): int": _to_int,
    "int(string): int": _parsed_int,
    "uint(uint): uint": lambda a: a,
    "uint(int): uint": unsigned,
    "uint(double): uint": _to_uint,
    "uint(string): uint": _parsed_uint,
    "double(double): double": lambda a: a,
    "double(int): double": float,
    "double(uint): double": float,
    "double(string): double": _parsed_float,
    "string(string): string": lambda a: a,
    "string(bool): string": lambda a: "true" if a else "false",
    "string(int): string": str,
    "string(uint): string": lambda a: str(int(a)),
    "string(double): string": go_float,
    "string(bytes): string": _decoded,
    "bytes(bytes): bytes": lambda a: a,
    "bytes(string): bytes": str.encode,
    "dyn(A): dyn": lambda a: a,
    "type(A): type<A>": _type_of,
}

TEXTS: dict[str, Callable[..., Any]] = {
    **{f"size({kind}): int": len for kind in ("string", "bytes", "list<A>", "map<A, B>")},
    **{f"{kind}.size(): int": len for kind in ("string", "bytes", "list<A>", "map<A, B>")},
    "string.contains(string): bool": lambda text, part: part in text,
    "string.startsWith(string): bool": str.startswith,
    "string.endsWith(string): bool": str.endswith,
    "matches(string, string): bool": _matches,
    "string.matches(string): bool": _matches,
}

OPTIONALS: dict[str, Callable[..., Any]] = {
    "optional/of(A): optional<A>": lambda value: Optional(value, True),
    "optional/ofNonZeroValue(A): optional<A>": _non_zero,
    "optional/none(): optional<A>": lambda: NONE,
    "optional/unwrap(list<optional<A>>): list<A>": lambda items: [item.value for item in items if item.present],
    "list<optional<A>>.unwrapOpt(): list<A>": lambda items: [item.value for item in items if item.present],
    "list<A>.first(): optional<A>": lambda items: Optional(items[0], True) if items else NONE,
    "list<A>.last(): optional<A>": lambda items: Optional(items[-1], True) if items else NONE,
    "optional<A>.hasValue(): bool": lambda value: value.present,
    "optional<A>.value(): A": _optional_value,
    "optional<A>.orValue(A): A": lambda value, other: value.value if value.present else other,
    "optional<A>.or(optional<A>): optional<A>": lambda value, other: value if value.present else other,
}
