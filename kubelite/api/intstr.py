"""Numbers that may be percentages: maxSurge: 25%. Pure.

Source: k8s.io/apimachinery v0.33 pkg/util/intstr/intstr.go
"""

from __future__ import annotations

import re

from kubelite.api.meta import IntOrString

_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def scaled_value(value: IntOrString, total: int, *, round_up: bool) -> int:
    """The number itself, or so many percent of `total`. Raises: ValueError when a text is no percentage.

    >>> scaled_value("25%", 10, round_up=True), scaled_value("25%", 10, round_up=False), scaled_value(3, 10, round_up=True)
    (3, 2, 3)
    """
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    if not _NUMBER.fullmatch(value[:-1]):
        why = f'strconv.Atoi: parsing "{value[:-1]}": invalid syntax'
        raise ValueError(f'invalid value for IntOrString: invalid value "{value}": {why}')
    product = int(value[:-1]) * total
    return -(-product // 100) if round_up else product // 100


def int_value(value: IntOrString) -> int:
    """The number, also when written as text; 0 when it is none."""
    if isinstance(value, int):
        return value
    return int(value) if _NUMBER.fullmatch(value) else 0
