"""An expression as a tree. `at` is the place in the text by which a problem with the node is shown. Pure data.

Macros stay nodes of their own: nothing is gained by unfolding them into general comprehensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True):
    at: int


class Const(Node, frozen=True, kw_only=True):
    value: Any


class Ident(Node, frozen=True, kw_only=True):
    name: str


class Select(Node, frozen=True, kw_only=True):
    """`operand.field`; with `is_test` the question whether it is there, with `is_optional` an optional value."""

    operand: Node
    field: str
    is_test: bool = False
    is_optional: bool = False


class Call(Node, frozen=True, kw_only=True):
    """Operators are functions named as cel-go names them. `_&&_` and `_||_` have any number of arguments."""

    function: str
    target: Node | None = None
    args: tuple[Node, ...] = ()


class ListLiteral(Node, frozen=True, kw_only=True):
    items: tuple[Node, ...]
    optional: frozenset[int] = frozenset()


class MapLiteral(Node, frozen=True, kw_only=True):
    """(key, value, whether the value is optional)."""

    entries: tuple[tuple[Node, Node, bool], ...]


class Macro(Node, frozen=True, kw_only=True):
    """`range.name(variables..., args...)`: evaluates `args` with the variables bound to one item after the other."""

    name: str
    range: Node
    variables: tuple[str, ...]
    args: tuple[Node, ...]


def children(node: Node) -> Iterator[Node]:
    match node:
        case Select():
            yield node.operand
        case Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case ListLiteral():
            yield from node.items
        case MapLiteral():
            for key, value, _ in node.entries:
                yield key
                yield value
        case Macro():
            yield node.range
            yield from node.args


def depth(root: Node) -> int:
    """How many nodes stand above the deepest, and itself; without recursion, as it guards against that."""
    deepest, left = 0, [(root, 1)]
    while left:
        node, level = left.pop()
        deepest = max(deepest, level)
        left += [(child, level + 1) for child in children(node)]
    return deepest


def names(root: Node) -> set[str]:
    """Every identifier in it, whether bound inside or not."""
    found: set[str] = set()
    left = [root]
    while left:
        node = left.pop()
        if isinstance(node, Ident):
            found.add(node.name)
        left += children(node)
    return found
