"""Kubernetes' functions of lists, sets and regular expressions. Pure.

Source: k8s.io/apiserver pkg/cel/library/{lists,regex}.go, cel-go ext/sets.go
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.regex import compiled
from kubelite.api.cel.values import Duration, Timestamp, UInt, duration, equal, integer, unsigned

_COMPARABLE = ("int", "uint", "double", "bool", "string", "bytes", "duration", "timestamp")
_ZEROS: dict[str, Any] = {"int": 0, "uint": UInt(0), "double": 0.0, "duration": Duration(0)}
_KINDS = (int, UInt, float, bool, str, bytes, Duration, Timestamp)


def _comparable(items: list[Any]) -> list[Any]:
    """Raises: CelError unless each can be compared with each."""
    kinds = {type(item) for item in items}
    if len(kinds) > 1 or not kinds <= set(_KINDS):
        raise CelError("no such overload")
    return items


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(_comparable(items)))


def _least(items: list[Any]) -> Any:
    if not items:
        raise CelError("min called on empty list")
    return min(_comparable(items))


def _most(items: list[Any]) -> Any:
    if not items:
        raise CelError("max called on empty list")
    return max(_comparable(items))


def _sum(zero: Any, items: list[Any]) -> Any:
    """`zero`: the sum of none."""
    if not items:
        return zero
    match _comparable(items)[:1]:
        case [Duration()]:
            return duration(sum(item.nanos for item in items))
        case [bool()] | [str()] | [bytes()] | [Timestamp()]:
            raise CelError("no such overload")
        case [UInt()]:
            return unsigned(sum(map(int, items)))
        case [float()]:
            return sum(items, 0.0)
    return integer(sum(items))


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in reversed(range(len(items))) if equal(items[index], wanted)), -1)


def _is_in(item: Any, items: list[Any]) -> bool:
    return any(equal(item, each) for each in items)


def _contains(items: list[Any], others: list[Any]) -> bool:
    _check_product(items, others)
    return all(_is_in(other, items) for other in others)


def _intersects(items: list[Any], others: list[Any]) -> bool:
    _check_product(items, others)
    return any(_is_in(other, items) for other in others)


def _check_product(items: list[Any], others: list[Any]) -> None:
    """What grows with the product of two sizes is bounded here. Raises: CelError."""
    if len(items) * len(others) > 1_000_000:
        raise CelError("operation cancelled: the lists are too long")


def _find(text: str, pattern: str) -> str:
    match = compiled(pattern).search(text)
    return str(match.group()) if match else ""


def _find_all(text: str, pattern: str, count: int = -1) -> list[str]:
    found = (match.group() for match in compiled(pattern).finditer(text))
    return list(found if count < 0 else itertools.islice(found, count))


LISTS: dict[str, Callable[..., Any]] = {
    **{f"list<{kind}>.isSorted(): bool": _is_sorted for kind in _COMPARABLE},
    **{f"list<{kind}>.min(): {kind}": _least for kind in _COMPARABLE},
    **{f"list<{kind}>.max(): {kind}": _most for kind in _COMPARABLE},
    **{f"list<{kind}>.sum(): {kind}": partial(_sum, zero) for kind, zero in _ZEROS.items()},
    "list<A>.indexOf(A): int": _index_of,
    "list<A>.lastIndexOf(A): int": _last_index_of,
}

SETS: dict[str, Callable[..., Any]] = {
    "sets/contains(list<A>, list<A>): bool": _contains,
    "sets/equivalent(list<A>, list<A>): bool": lambda a, b: _contains(a, b) and _contains(b, a),
    "sets/intersects(list<A>, list<A>): bool": _intersects,
}

REGEX: dict[str, Callable[..., Any]] = {
    "string.find(string): string": _find,
    "string.findAll(string): list<string>": _find_all,
    "string.findAll(string, int): list<string>": _find_all,
}
