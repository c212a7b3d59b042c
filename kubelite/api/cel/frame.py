"""One evaluation's variables and what is left to it. Pure.

Source: cel-go interpreter/runtimecost.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from kubelite.api.cel.errors import CostExceeded

#: What is said where no signature takes the values.
OVERLOAD = "no such overload"


class Frame:
    """The values of one evaluation's variables, and the cost that is left to it."""

    __slots__ = ("left", "vars")

    def __init__(self, variables: dict[str, Any], left: int) -> None:
        self.vars = variables
        self.left = left

    def charge(self, cost: int) -> None:
        """Raises: CostExceeded."""
        self.left -= cost
        if self.left < 0:
            raise CostExceeded


@runtime_checkable
class Fields(Protocol):
    """A value whose fields are computed when they are asked for."""

    def field(self, name: str, frame: Frame) -> Any:
        """Raises: CelError."""


#: A node of a tree as a function.
Eval = Callable[[Frame], Any]


def weight(value: Any) -> int:
    """What it costs to look at all of a value."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) // 10
    if isinstance(value, list):
        return len(value) + sum(map(weight, value))
    if kind is dict:
        return len(value) + sum(map(weight, value.values()))
    return 0
