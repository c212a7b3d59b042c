"""Quantities, semantic versions and the formats of names. Pure.

Source: k8s.io/apiserver pkg/cel/library/{quantity,semverlib,format}.go
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from kubelite.api import quantity as amounts
from kubelite.api.cel.errors import CelError
from kubelite.api.cel.library_time import parse_timestamp
from kubelite.api.cel.values import NONE, Opaque, Optional, integer
from kubelite.api.custom_formats import is_format
from kubelite.api.validation_field import dns1035_label, dns_label, dns_subdomain, label_value, qualified_name

_NANOS = 10**9
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


class QuantityValue(Opaque, frozen=True):
    type_name: ClassVar[str] = "kubernetes.Quantity"
    amount: amounts.Amount


class Semver(Opaque, frozen=True):
    """`pre` sorts as its parts do; a release has none and comes after."""

    type_name: ClassVar[str] = "kubernetes.Semver"
    numbers: tuple[int, int, int]
    pre: tuple[tuple[int, int, str], ...] = ()

    @property
    def order(self) -> Any:
        return self.numbers, not self.pre, self.pre


class FormatValue(Opaque, frozen=True):
    type_name: ClassVar[str] = "kubernetes.NamedFormat"
    name: str


# -- quantities ------------------------------------------------------------------------------------------------------------


def _quantity(text: str) -> QuantityValue:
    """Raises: CelError."""
    try:
        return QuantityValue(amounts.parse(text))
    except ValueError as error:
        raise CelError(str(error)) from None


def _tried(parse: Callable[..., Any]) -> Callable[..., bool]:
    def check(*args: Any) -> bool:
        try:
            parse(*args)
        except CelError:
            return False
        return True

    return check


def _is_integer(value: QuantityValue) -> bool:
    nanos = value.amount.nanos
    return nanos % _NANOS == 0 and -(2**63) <= nanos // _NANOS < 2**63


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise CelError("cannot convert value to integer")
    return value.amount.nanos // _NANOS


def _added(value: QuantityValue, other: QuantityValue | int) -> QuantityValue:
    amount = amounts.Amount(other * _NANOS) if isinstance(other, int) else other.amount
    return QuantityValue(value.amount + amount)


def _subtracted(value: QuantityValue, other: QuantityValue | int) -> QuantityValue:
    amount = amounts.Amount(other * _NANOS) if isinstance(other, int) else other.amount
    return QuantityValue(value.amount - amount)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


QUANTITIES: dict[str, Callable[..., Any]] = {
    "quantity(string): kubernetes.Quantity": _quantity,
    "isQuantity(string): bool": _tried(_quantity),
    "kubernetes.Quantity.isInteger(): bool": _is_integer,
    "kubernetes.Quantity.asInteger(): int": _as_integer,
    "kubernetes.Quantity.asApproximateFloat(): double": lambda value: value.amount.nanos / _NANOS,
    "kubernetes.Quantity.sign(): int": lambda value: _sign(value.amount.nanos),
    "kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity": _added,
    "kubernetes.Quantity.add(int): kubernetes.Quantity": _added,
    "kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity": _subtracted,
    "kubernetes.Quantity.sub(int): kubernetes.Quantity": _subtracted,
    "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool": lambda a, b: a.amount < b.amount,
    "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool": lambda a, b: b.amount < a.amount,
    "kubernetes.Quantity.compareTo(kubernetes.Quantity): int": lambda a, b: _sign(a.amount.nanos - b.amount.nanos),
}


# -- versions --------------------------------------------------------------------------------------------------------------


def _semver(text: str, normalize: bool = False) -> Semver:
    """Raises: CelError."""
    wanted = _normalized(text) if normalize else text
    match = _SEMVER.fullmatch(wanted)
    if match is None:
        raise CelError(f'Semver "{text}" parse error during conversion from string')
    parts = match[4].split(".") if match[4] else []
    pre = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return Semver((integer(int(match[1])), integer(int(match[2])), integer(int(match[3]))), pre)


def _normalized(text: str) -> str:
    """Without a leading v and leading zeros, and with all three numbers."""
    head = re.match(r"v?([0-9.]*)", text)
    numbers = head[1] if head else ""
    rest = text[head.end() :] if head else text
    parts = [part.lstrip("0") or "0" if part else "" for part in numbers.split(".")]
    return ".".join(parts + ["0"] * (3 - len(parts))) + rest


def _version_order(a: Semver, b: Semver) -> int:
    return int(a.order > b.order) - int(a.order < b.order)


VERSIONS: dict[str, Callable[..., Any]] = {
    "semver(string): kubernetes.Semver": _semver,
    "semver(string, bool): kubernetes.Semver": _semver,
    "isSemver(string): bool": _tried(_semver),
    "isSemver(string, bool): bool": _tried(_semver),
    "kubernetes.Semver.major(): int": lambda version: version.numbers[0],
    "kubernetes.Semver.minor(): int": lambda version: version.numbers[1],
    "kubernetes.Semver.patch(): int": lambda version: version.numbers[2],
    "kubernetes.Semver.isLessThan(kubernetes.Semver): bool": lambda a, b: a.order < b.order,
    "kubernetes.Semver.isGreaterThan(kubernetes.Semver): bool": lambda a, b: a.order > b.order,
    "kubernetes.Semver.compareTo(kubernetes.Semver): int": _version_order,
}


# -- formats ---------------------------------------------------------------------------------------------------------------


def _checked(name: str, why: str) -> Callable[[str], list[str]]:
    return lambda text: [] if is_format(name, text) else [why]


def _is_time(text: str) -> list[str]:
    try:
        parse_timestamp(text)
    except CelError:
        return ["invalid datetime"]
    return []


def _prefixed(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A prefix of a name that is going to be generated may end in a dash."""
    return lambda text: check(text[:-1] + "a" if text.endswith("-") else text)


_FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": dns_label,
    "dns1123Subdomain": dns_subdomain,
    "dns1035Label": dns1035_label,
    "qualifiedName": qualified_name,
    "dns1123LabelPrefix": _prefixed(dns_label),
    "dns1123SubdomainPrefix": _prefixed(dns_subdomain),
    "dns1035LabelPrefix": _prefixed(dns1035_label),
    "labelValue": label_value,
    "uri": _checked("uri", "invalid URI"),
    "uuid": _checked("uuid", "does not match the UUID format"),
    "byte": _checked("byte", "invalid base64"),
    "date": _checked("date", "invalid date"),
    "datetime": _is_time,
}


def _named(name: str) -> Optional:
    return Optional(FormatValue(name), True) if name in _FORMATS else NONE


def _validated(value: FormatValue, text: str) -> Optional:
    problems = _FORMATS[value.name](text)
    return Optional(problems, True) if problems else NONE


def _constant(name: str) -> Callable[[], FormatValue]:
    return lambda: FormatValue(name)


FORMATS: dict[str, Callable[..., Any]] = {
    "format/named(string): optional<kubernetes.NamedFormat>": _named,
    "kubernetes.NamedFormat.validate(string): optional<list<string>>": _validated,
    **{f"format/{name}(): kubernetes.NamedFormat": _constant(name) for name in _FORMATS},
}
