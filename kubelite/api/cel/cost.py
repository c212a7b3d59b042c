"""What an expression may cost at most, given how large the values can be that it is evaluated on. Pure.

Sizes of what is reached from a declared variable come from outside, by path: field names, and @items, @keys, @values.
Source: cel-go v0.23 checker/cost.go, k8s.io/apiserver pkg/cel/library/cost.go
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kubelite.api.cel.checker import Checked
from kubelite.api.cel.tree import Call, Const, Ident, ListLiteral, Macro, MapLiteral, Node, Select
from kubelite.api.cel.types import DYN, Type

Path = tuple[str, ...]
#: The most elements of what a path leads to; None if it leads nowhere.
Sizes = Callable[[Path], int | None]
UNBOUNDED = 2**64 - 1
_LIST, _MAP, _CHECK = 10, 30, 350_000
_SCALARS = frozenset(("bool", "int", "uint", "double", "duration", "timestamp"))
#: What one item costs beside the arguments, and the whole beside its range: (per item, once).
_MACROS = {
    "all": (3, 1),
    "exists": (4, 1),
    "exists_one": (2, 2),
    "existsOne": (2, 2),
    "map": (12, _LIST + 1),
    "filter": (13, _LIST + 1),
    "transformList": (12, _LIST + 1),
    "transformMap": (3, _MAP + 1),
    "transformMapEntry": (2, _MAP + 1),
}
_TRAVERSING = frozenset(("lowerAscii", "upperAscii", "substring", "trim"))
_PARSING = frozenset(("url", "isURL", "ip", "isIP", "cidr", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"))
_COMPARING = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))


def _times(a: int, b: int) -> int:
    return min(a * b, UNBOUNDED)


def _part(size: int, factor: float = 0.1) -> int:
    return UNBOUNDED if size >= UNBOUNDED else math.ceil(size * factor)


def estimate(root: Node, checked: Checked, sizes: Sizes) -> int:
    return min(_Estimator(checked, sizes).cost(root), UNBOUNDED)


class _Estimator:
    def __init__(self, checked: Checked, sizes: Sizes) -> None:
        self._types = checked.types
        self._sizes = sizes
        self._paths: dict[str, Path | None] = {}  # of the macros' variables
        self._items: dict[str, int] = {}  # sizes of those that have no path
        self._known: dict[int, int] = {}  # sizes of computed values

    def cost(self, node: Node) -> int:
        match node:
            case Ident():
                return 1
            case Select():
                held = self._type(node.operand).kind
                return self.cost(node.operand) + (0 if node.is_test or held not in ("map", "object", "optional") else 1)
            case Call():
                return self._call(node)
            case ListLiteral():
                return _LIST + sum(map(self.cost, node.items))
            case MapLiteral():
                return _MAP + sum(self.cost(key) + self.cost(value) for key, value, _ in node.entries)
            case Macro():
                return self._macro(node)
        return 0

    def _type(self, node: Node) -> Type:
        return self._types.get(id(node), DYN)

    def _path(self, node: Node) -> Path | None:
        match node:
            case Ident():
                return self._paths.get(node.name, (node.name,))
            case Select() if not node.is_optional and not node.is_test:
                operand = self._path(node.operand)
                return (*operand, node.field) if operand is not None else None
            case Call() if node.function == "_[_]":
                operand = self._path(node.args[0])
                part = "@values" if self._type(node.args[0]).kind == "map" else "@items"
                return (*operand, part) if operand is not None else None
        return None

    def _size(self, node: Node) -> int:
        if id(node) in self._known:
            return self._known[id(node)]
        match node:
            case Const():
                return len(node.value) if isinstance(node.value, str | bytes) else 1
            case ListLiteral():
                return len(node.items)
            case MapLiteral():
                return len(node.entries)
        path = self._path(node)
        if path is not None and (size := self._sizes(path)) is not None:
            return size
        if isinstance(node, Ident) and path is None and node.name in self._items:
            return self._items[node.name]
        return 1 if self._type(node).kind in _SCALARS else UNBOUNDED

    def _item_size(self, node: Node) -> int:
        """That of a list's items."""
        if isinstance(node, ListLiteral):
            return max(map(self._size, node.items), default=0)
        if isinstance(node, Call) and node.function in ("_?_:_", "_+_"):
            return max(map(self._item_size, node.args[-2:]))
        if isinstance(node, Macro) and node.name == "filter":
            return self._item_size(node.range)
        path = self._path(node)
        if path is not None and (size := self._sizes((*path, "@items"))) is not None:
            return size
        params = self._type(node).params
        return 1 if params and params[0].kind in _SCALARS else UNBOUNDED

    def _macro(self, node: Macro) -> int:
        spent = self.cost(node.range)  # first, as it finds out the size
        over, base = self._type(node.range), self._path(node.range)
        outer, outside = dict(self._paths), dict(self._items)
        if node.name in ("optMap", "optFlatMap"):
            self._paths[node.variables[0]] = None
            total = 2 * spent + 15 + self.cost(node.args[0])
            self._paths = outer
            return total
        value = "@items" if over.kind == "list" else "@keys" if len(node.variables) == 1 else "@values"
        if len(node.variables) == 2:
            self._paths[node.variables[0]] = (*base, "@keys") if base is not None and over.kind == "map" else None
        self._paths[node.variables[-1]] = (*base, value) if base is not None else None
        if base is None and over.kind == "list":
            self._items[node.variables[-1]] = self._item_size(node.range)
        each, once = _MACROS[node.name]
        inner = each + sum(map(self.cost, node.args))
        self._paths, self._items = outer, outside
        count = self._size(node.range)
        self._known[id(node)] = count if node.name not in ("all", "exists", "exists_one", "existsOne") else 1
        return min(spent + once + _times(count, inner), UNBOUNDED)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, node: Call) -> int:
        costs = [self.cost(arg) for arg in node.args]
        spent = sum(costs) + (self.cost(node.target) if node.target is not None else 0)
        if node.function in ("_&&_", "_||_"):
            return min(spent, UNBOUNDED)
        if node.function == "_?_:_":
            self._known[id(node)] = max(map(self._size, node.args[1:]))
            return min(costs[0] + max(costs[1:]), UNBOUNDED)
        return min(spent + self._own_cost(node, node.target), UNBOUNDED)

    def _own_cost(self, node: Call, target: Node | None) -> int:
        name, args = node.function, node.args
        if name in _COMPARING:
            return self._comparison(node)
        if name == "_+_":
            return self._addition(node)
        if name == "@in" and self._type(args[1]).kind != "map":
            return self._size(args[1])
        if name == "dyn":
            self._known[id(node)] = self._size(args[0])
            return 1
        if name == "check":
            return _CHECK
        if target is not None:
            return self._member_cost(node, target)
        if name in _PARSING:
            return _part(self._size(args[0])) if args else 1
        if name in ("string", "bytes") and self._type(args[0]).kind in ("string", "bytes"):
            self._known[id(node)] = _times(self._size(args[0]), 4)
            return _part(self._size(args[0]))
        if name == "string":
            self._known[id(node)] = UNBOUNDED
        if name == "matches":
            return self._regex_cost(args[0], args[1])
        return 1

    def _comparison(self, node: Call) -> int:
        left, right = node.args
        kinds = {self._type(left).kind, self._type(right).kind}
        if node.function not in ("_==_", "_!=_") and not kinds <= {"string", "bytes"}:
            return 1
        return _part(min(self._size(left), self._size(right)))

    def _addition(self, node: Call) -> int:
        kind = self._type(node).kind
        if kind not in ("string", "bytes", "list"):
            return 1
        size = self._known[id(node)] = min(self._size(node.args[0]) + self._size(node.args[1]), UNBOUNDED)
        return 1 if kind == "list" else _part(size)

    def _regex_cost(self, text: Node, pattern: Node) -> int:
        return _times(_part(min(self._size(text) + 1, UNBOUNDED)), _part(self._size(pattern), 0.25))

    def _member_cost(self, node: Call, target: Node) -> int:
        name, args = node.function, node.args
        size, is_list = self._size(target), self._type(target).kind == "list"
        first = self._size(args[0]) if args else 0
        known: Any = None
        cost = 1
        match name:
            case "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" if is_list:
                params = self._type(target).params
                is_text = bool(params) and params[0].kind in ("string", "bytes")
                cost = _times(size, 1 + (_part(self._item_size(target)) if is_text else 0))
            case "indexOf" | "lastIndexOf":
                cost = _part(size)
            case "contains":
                cost = _times(_part(size), _part(first))
            case "startsWith" | "endsWith":
                cost = _part(first)
            case "matches":
                cost = self._regex_cost(target, args[0])
            case "find" | "findAll":
                cost, known = self._regex_cost(target, args[0]), size
            case "replace":
                least = self._size(args[0]) if isinstance(args[0], Const) else 0
                new = self._size(args[1])
                count = min(size + 1, UNBOUNDED) if least == 0 else 0 if new <= least else math.ceil(size / least)
                kept = size if least == 0 or new <= least else 0
                cost, known = _part(size, 0.2), min(_times(count, new) + kept, UNBOUNDED)
            case "split":
                most = args[1].value if len(args) > 1 and isinstance(args[1], Const) else size
                cost, known = _part(size, 0.2), most if isinstance(most, int) and most >= 0 else size
            case "join":
                known = min(_times(size, self._item_size(target)) + _times(first, max(size - 1, 0)), UNBOUNDED)
                cost = _part(known)
            case "format":
                cost = _part(size)
            case "validate":
                cost = _part(_part(first), 128 * 0.25)
            case _ if name in _TRAVERSING:
                cost, known = _part(size), size
        if known is not None:
            self._known[id(node)] = known
        return cost
