"""What CEL's values are in Python, and how they compare. Pure.

| CEL | Python | | CEL | Python |
|---|---|---|---|---|
| int | int | | list | list (`OpenList` where a schema says how its items belong together) |
| uint | UInt | | map, object | dict |
| double | float | | duration, timestamp | Duration, Timestamp: nanoseconds |
| bool, string, bytes, null | bool, str, bytes, None | | optional | Optional |
| type | TypeName | | of Kubernetes' libraries | a class there |

A map's keys are what `key_of` makes of them, as True and 1 are one key to Python.
Source: cel-spec doc/langdef.md (Equality, Ordering), k8s.io/apiserver pkg/cel/value.go
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from kubelite.api.cel.errors import CelError

MIN_INT, MAX_INT, MAX_UINT = -(2**63), 2**63 - 1, 2**64 - 1
SECOND = 1_000_000_000
#: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z.
MIN_TIME, MAX_TIME = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1


class UInt(int):
    """An unsigned integer; results of arithmetic are to be wrapped again."""

    __slots__ = ()


class Duration(msgspec.Struct, frozen=True, order=True):
    nanos: int


class Timestamp(msgspec.Struct, frozen=True, eq=False):
    """`nanos` since 1970 in UTC; `offset_s` is that of the place where it was written, and only shown."""

    nanos: int
    offset_s: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __lt__(self, other: Timestamp) -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: Timestamp) -> bool:
        return self.nanos <= other.nanos

    def __gt__(self, other: Timestamp) -> bool:
        return self.nanos > other.nanos

    def __ge__(self, other: Timestamp) -> bool:
        return self.nanos >= other.nanos


class TypeName(msgspec.Struct, frozen=True):
    name: str


class Optional(msgspec.Struct, frozen=True):
    """`present`: whether there is a value."""

    value: Any = None
    present: bool = False


NONE = Optional()


class Opaque(msgspec.Struct, frozen=True):
    """A value of one of Kubernetes' own types."""

    type_name: ClassVar[str] = ""


class OpenList(list[Any]):
    """A list of which a schema says that it is a set, or a map by these keys: its order does not count."""

    __slots__ = ("keys",)

    def __init__(self, items: Iterable[Any], keys: tuple[str, ...] = ()) -> None:
        super().__init__(items)
        self.keys = keys

    def identity(self, item: Any) -> Any:
        if not self.keys:
            return frozen(item)
        return tuple(frozen(item.get(key)) if isinstance(item, dict) else None for key in self.keys)

    def joined(self, other: list[Any]) -> OpenList:
        """Items of `other` replace those that are the same, or stand at the end."""
        merged = {self.identity(item): item for item in self}
        merged.update((self.identity(item), item) for item in other)
        return OpenList(merged.values(), self.keys)


class _BoolKey(msgspec.Struct, frozen=True):
    value: bool


_TRUE, _FALSE = _BoolKey(True), _BoolKey(False)


def key_of(value: Any) -> Any:
    """What stands for the value in a Python dict. Raises: CelError for what cannot be a key."""
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    if isinstance(value, str | int):
        return value
    if isinstance(value, float):  # 1.0 finds the key 1, nothing finds that of another double
        return value
    raise CelError(f"unsupported key type: {type_name(value)}")


def value_of(key: Any) -> Any:
    return key.value if isinstance(key, _BoolKey) else key


def frozen(value: Any) -> Any:
    """Something hashable that is equal for equal values."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return tuple(frozen(item) for item in value)
    if isinstance(value, dict):
        return frozenset((key, frozen(item)) for key, item in value.items())
    return value


_NUMBERS = (int, UInt, float)


def equal(a: Any, b: Any) -> bool:
    """Numbers are equal across types; else values of different types are not."""
    kind = type(a)
    if kind is str:
        return bool(a == b)
    if kind in _NUMBERS:
        return type(b) in _NUMBERS and bool(a == b)
    if isinstance(a, list):
        if not isinstance(b, list) or len(a) != len(b):
            return False
        if isinstance(a, OpenList):
            return {a.identity(item): frozen(item) for item in a} == {a.identity(item): frozen(item) for item in b}
        return all(map(equal, a, b))
    if kind is dict:
        if type(b) is not dict or len(a) != len(b):
            return False
        return all(key in b and equal(value, b[key]) for key, value in a.items())
    if kind is Optional:
        return type(b) is Optional and a.present == b.present and (not a.present or equal(a.value, b.value))
    return kind is type(b) and bool(a == b)


def integer(value: int) -> int:
    """Raises: CelError when it does not fit in 64 bits."""
    if MIN_INT <= value <= MAX_INT:
        return value
    raise CelError("integer overflow")


def unsigned(value: int) -> UInt:
    """Raises: CelError."""
    if 0 <= value <= MAX_UINT:
        return UInt(value)
    raise CelError("unsigned integer overflow")


def duration(nanos: int) -> Duration:
    """Raises: CelError."""
    return Duration(integer(nanos))


def timestamp(nanos: int, offset_s: int = 0) -> Timestamp:
    """Raises: CelError."""
    if MIN_TIME <= nanos <= MAX_TIME:
        return Timestamp(nanos, offset_s)
    raise CelError("timestamp overflow")


_NAMES: dict[type[Any], str] = {
    int: "int",
    UInt: "uint",
    float: "double",
    bool: "bool",
    str: "string",
    bytes: "bytes",
    list: "list",
    OpenList: "list",
    dict: "map",
    type(None): "null_type",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    TypeName: "type",
    Optional: "optional_type",
}


def type_name(value: Any) -> str:
    return _NAMES.get(type(value)) or str(getattr(type(value), "type_name", "object"))


def go_float(number: float, style: str = "g") -> str:
    """As Go's shortest %g, or with "f" as its shortest %f.

    >>> [go_float(number) for number in (1.5, 1e21, 0.00001, 1234567.0, -0.0, float("inf"))]
    ['1.5', '1e+21', '1e-05', '1.234567e+06', '-0', '+Inf']
    """
    if math.isnan(number):
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "+Inf" if number > 0 else "-Inf"
    exact = Decimal(repr(number)).normalize()
    sign, digits, _ = exact.as_tuple()
    power = exact.adjusted() if number else 0
    if style == "f" or -4 <= power < 6:
        return f"{exact:f}"
    text = "".join(map(str, digits))
    tail = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
