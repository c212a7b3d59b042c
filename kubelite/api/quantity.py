"""Resource quantities: "100m", "1.5Gi", "12e6". Parsed, compared, added, and printed as Kubernetes prints them. Pure.

An amount is a whole number of nanos, which loses nothing: upstream rounds smaller fractions up to one nano as well.
Source: k8s.io/apimachinery v0.33 pkg/api/resource/quantity.go, suffix.go, amount.go
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from kubelite.api.meta import Quantity

_NANOS = 10**9
_MAX_BINARY = 2**63 - 1
_MAX_EXPONENT = 1000  # no amount needs more, and the number must be computed
_SHAPE = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()}

_BAD_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_BAD_SUFFIX = "unable to parse quantity's suffix"

Notation = Literal["decimal", "binary", "exponent"]


class Amount(Struct, frozen=True, gc=False):
    """A parsed quantity; `str()` is its canonical form.

    >>> str(parse("1.5Gi") + parse("512Mi"))
    '2Gi'
    """

    nanos: int
    notation: Notation = "decimal"
    text: str = ""  # as written, when that already counts as canonical

    def __add__(self, other: Amount) -> Amount:
        """The notation is that of the first amount, unless that is zero."""
        return Amount(self.nanos + other.nanos, self.notation if self.nanos else other.notation)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nanos - other.nanos, self.notation if self.nanos else other.notation)

    def __lt__(self, other: Amount) -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: Amount) -> bool:
        return self.nanos <= other.nanos

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)

    def __str__(self) -> str:
        return self.text or _printed(self.nanos, self.notation)


def parse(quantity: Quantity) -> Amount:
    """Raises: ValueError with upstream's text, when it is no quantity."""
    return _parse(quantity if isinstance(quantity, str) else repr(quantity))


def canonical(quantity: Quantity) -> str:
    """The quantity as Kubernetes stores and prints it. Raises: ValueError.

    >>> canonical("1000m"), canonical(0.5), canonical("1.5Gi"), canonical("100M"), canonical("1024")
    ('1', '500m', '1536Mi', '100M', '1024')
    """
    return str(parse(quantity))


def value(quantity: Quantity) -> int:
    """Whole units (bytes, cores), rounded away from zero.

    >>> value("1Ki"), value("100m")
    (1024, 1)
    """
    return _scaled(parse(quantity).nanos, _NANOS)


def milli_value(quantity: Quantity) -> int:
    """Thousandths, rounded away from zero: millicores."""
    return _scaled(parse(quantity).nanos, _NANOS // 1000)


def _scaled(nanos: int, unit: int) -> int:
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


@lru_cache(maxsize=4096)
def _parse(text: str) -> Amount:
    matched = _SHAPE.fullmatch(text)
    if not text or not matched:
        raise ValueError(_BAD_FORMAT)
    sign, whole, fraction, suffix = matched.groups(default="")
    notation, exponent = _interpret(suffix)
    whole = whole.lstrip("0") or "0"
    digits = int(whole + fraction)
    if notation == "binary":
        numerator, denominator = digits * 2**exponent * _NANOS, 10 ** len(fraction)
    else:
        power = exponent + 9 - len(fraction)
        numerator, denominator = (digits * 10**power, 1) if power >= 0 else (digits, 10**-power)
    nanos = -(-numerator // denominator)
    if notation == "binary":
        nanos = min(nanos, _MAX_BINARY * _NANOS)
        if 0 < nanos < _NANOS:
            notation = "decimal"
    kept = text if _counts_as_canonical(whole, fraction, notation, exponent) else ""
    return Amount(-nanos if sign == "-" else nanos, notation, kept)


def _interpret(suffix: str) -> tuple[Notation, int]:
    if (exponent := _DECIMAL.get(suffix)) is not None:
        return "decimal", exponent
    if (exponent := _BINARY.get(suffix)) is not None:
        return "binary", exponent
    if suffix[:1] in ("e", "E"):
        try:
            exponent = int(suffix[1:])
        except ValueError:
            raise ValueError(_BAD_SUFFIX) from None
        if abs(exponent) <= _MAX_EXPONENT:
            return "exponent", exponent
    raise ValueError(_BAD_SUFFIX)


def _counts_as_canonical(whole: str, fraction: str, notation: Notation, exponent: int) -> bool:
    """Whether upstream keeps the text as it was written, which it also does for some that are not canonical."""
    digits = whole + fraction
    if notation == "binary":
        fits = not fraction and 14 - len(whole) - exponent * 3 // 10 >= 0
        return fits and int(whole) & 7 != 0
    scale = exponent - len(fraction)
    return scale >= -9 and len(digits) <= 18 and scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _printed(nanos: int, notation: Notation) -> str:
    if nanos == 0:
        return "0"
    if notation == "binary" and abs(nanos) >= 1024 * _NANOS and nanos % _NANOS == 0:
        number, exponent = nanos // _NANOS, 0
        while number % 1024 == 0 and exponent < 60:
            number, exponent = number // 1024, exponent + 10
        return f"{number}{_BINARY_SUFFIX.get(exponent, '')}"
    number, exponent = nanos, -9
    while number % 1000 == 0 and (notation == "exponent" or exponent < 18):
        number, exponent = number // 1000, exponent + 3
    if notation == "exponent":
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_SUFFIX[exponent]}"
