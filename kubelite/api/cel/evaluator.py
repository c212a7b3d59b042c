"""A checked tree as functions that call each other. Pure.

Each step costs one unit, what handles long strings or lists a tenth of their length more; an evaluation whose cost is spent
is given up, whatever it is in. Source: cel-spec doc/langdef.md (Evaluation), cel-go interpreter/runtimecost.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.api.cel.checker import TYPE_NAMES, Checked
from kubelite.api.cel.errors import CelError
from kubelite.api.cel.frame import OVERLOAD, Eval, Fields, Frame, weight
from kubelite.api.cel.functions import Function, Functions, Implementation
from kubelite.api.cel.macros import MACROS
from kubelite.api.cel.tree import Call, Const, Ident, ListLiteral, Macro, MapLiteral, Node, Select
from kubelite.api.cel.values import NONE, Optional, TypeName, UInt, equal, key_of

_LIST, _MAP = 10, 30


class Compiler:
    """Makes an `Eval` of each node."""

    def __init__(self, checked: Checked, functions: Functions) -> None:
        self._checked = checked
        self._functions = functions

    def make(self, node: Node) -> Eval:
        match node:
            case Const():
                value = node.value
                return lambda frame: value
            case Ident():
                return _ident(node.name)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral() if all(isinstance(item, Const) for item in node.items) and not node.optional:
                values = [item.value for item in node.items if isinstance(item, Const)]
                return lambda frame: values  # made once, as nothing changes a list
            case ListLiteral():
                return _list([self.make(item) for item in node.items], node.optional)
            case MapLiteral():
                return _map([(self.make(key), self.make(value), maybe) for key, value, maybe in node.entries])
            case Macro():
                args = [self.make(arg) for arg in node.args]
                return MACROS[node.name](self.make(node.range), node.variables, args)
        raise AssertionError(node)

    def _select(self, node: Select) -> Eval:
        if (name := self._checked.qualified.get(id(node))) is not None:
            return _ident(name)
        operand, field = self.make(node.operand), self._checked.properties.get(id(node), node.field)
        if node.is_test:
            return lambda frame: _has(operand(frame), field, frame)
        if node.is_optional:
            return lambda frame: _maybe(operand(frame), field)

        def run(frame: Frame) -> Any:
            frame.left -= 1
            value = operand(frame)
            if type(value) is dict:
                try:
                    return value[field]
                except KeyError:
                    raise CelError(f"no such key: {field}") from None
            if type(value) is Optional:
                return _maybe(value, field)
            if isinstance(value, Fields):
                return value.field(field, frame)
            raise CelError(OVERLOAD)

        return run

    def _call(self, node: Call) -> Eval:
        args = [self.make(arg) for arg in node.args]
        if node.target is None and (special := _SPECIAL.get(node.function)) is not None:
            return special(args)
        name = self._checked.qualified.get(id(node))
        is_member = node.target is not None and name is None
        if is_member and node.target is not None:
            args.insert(0, self.make(node.target))
        function = self._functions.find(name or node.function, is_member=is_member)
        assert function is not None  # the checker has found it
        chosen = self._checked.chosen.get(id(node))
        return _call(function, args, chosen, is_deep=(name or node.function) in _DEEP)


#: Functions that look at everything inside of their arguments.
_DEEP = frozenset(("sets.contains", "sets.equivalent", "sets.intersects", "indexOf", "lastIndexOf", "format", "join"))


def _call(function: Function, args: list[Eval], chosen: Implementation | None, *, is_deep: bool) -> Eval:
    def evaluate(frame: Frame) -> Any:
        values = [arg(frame) for arg in args]
        cost = 1
        for value in values:
            kind = type(value)
            if kind is str or kind is bytes or isinstance(value, list):
                cost += weight(value) if is_deep else len(value) // 10
        frame.charge(cost)
        try:
            run = chosen or function.choose(tuple(map(type, values)))
            result = run(*values)
        except (ValueError, ArithmeticError) as error:
            raise CelError(str(error)) from error
        if type(result) in (str, bytes, list):
            frame.charge(len(result) // 10)
        return result

    return evaluate


def _ident(name: str) -> Eval:
    def run(frame: Frame) -> Any:
        frame.left -= 1
        return frame.vars[name]

    if name in TYPE_NAMES:
        type_ = TypeName(name)
        return lambda frame: frame.vars.get(name, type_)
    return run


# -- fields and elements ---------------------------------------------------------------------------------------------------


def _has(value: Any, field: str, frame: Frame) -> bool:
    if type(value) is dict:
        return field in value
    if type(value) is Optional:
        return value.present and _has(value.value, field, frame)
    if isinstance(value, Fields):
        return value.field(field, frame) is not None
    raise CelError(OVERLOAD)


def _maybe(value: Any, field: Any) -> Optional:
    """The field or element as an optional."""
    if type(value) is Optional:
        if not value.present:
            return NONE
        value = value.value
    if type(value) is dict:
        key = key_of(field)
        return Optional(value[key], True) if key in value else NONE
    if isinstance(value, list) and type(field) in (int, UInt, float):
        return Optional(value[int(field)], True) if 0 <= field < len(value) and int(field) == field else NONE
    raise CelError(OVERLOAD)


def element(value: Any, index: Any) -> Any:
    """`value[index]`. Raises: CelError."""
    if type(value) is dict:
        key = key_of(index)
        if key in value:
            return value[key]
        raise CelError(f"no such key: {index}")
    if isinstance(value, list) and type(index) in (int, UInt, float):
        if 0 <= index < len(value) and int(index) == index:
            return value[int(index)]
        raise CelError(f"index out of bounds: {index}")
    if type(value) is Optional:
        return _maybe(value, index)
    raise CelError(OVERLOAD)


def _index(args: list[Eval]) -> Eval:
    operand, index = args

    def run(frame: Frame) -> Any:
        frame.left -= 1
        return element(operand(frame), index(frame))

    return run


def _optional_index(args: list[Eval]) -> Eval:
    operand, index = args

    def run(frame: Frame) -> Any:
        frame.left -= 1
        return _maybe(operand(frame), index(frame))

    return run


# -- logic -----------------------------------------------------------------------------------------------------------------


def _logic(decisive: bool) -> Callable[[list[Eval]], Eval]:
    """A value that decides the matter makes up for errors elsewhere."""

    def make(parts: list[Eval]) -> Eval:
        def run(frame: Frame) -> Any:
            error: CelError | None = None
            for part in parts:
                try:
                    value = part(frame)
                except CelError as failed:
                    error = error or failed
                    continue
                if value is decisive:
                    return decisive
                if type(value) is not bool:
                    error = error or CelError(OVERLOAD)
            if error is not None:
                raise error
            return not decisive

        return run

    return make


def _choice(args: list[Eval]) -> Eval:
    condition, yes, no = args

    def run(frame: Frame) -> Any:
        value = condition(frame)
        if value is True:
            return yes(frame)
        if value is False:
            return no(frame)
        raise CelError(OVERLOAD)

    return run


def _equality(wanted: bool) -> Callable[[list[Eval]], Eval]:
    def make(args: list[Eval]) -> Eval:
        left, right = args

        def run(frame: Frame) -> bool:
            a, b = left(frame), right(frame)
            frame.charge(1 + min(weight(a), weight(b)))
            return equal(a, b) is wanted

        return run

    return make


def _within(args: list[Eval]) -> Eval:
    left, right = args

    def run(frame: Frame) -> bool:
        item, where = left(frame), right(frame)
        if type(where) is dict:
            frame.charge(1)
            return key_of(item) in where
        if not isinstance(where, list):
            raise CelError(OVERLOAD)
        frame.charge(1 + weight(where))
        return any(equal(item, each) for each in where)

    return run


_SPECIAL: dict[str, Callable[[list[Eval]], Eval]] = {
    "_&&_": _logic(False),
    "_||_": _logic(True),
    "_?_:_": _choice,
    "_==_": _equality(True),
    "_!=_": _equality(False),
    "@in": _within,
    "_[_]": _index,
    "_[?_]": _optional_index,
}


# -- literals --------------------------------------------------------------------------------------------------------------


def _list(items: list[Eval], optional: frozenset[int]) -> Eval:
    def run(frame: Frame) -> list[Any]:
        frame.charge(_LIST)
        if not optional:
            return [item(frame) for item in items]
        made = []
        for index, item in enumerate(items):
            value = item(frame)
            if index not in optional:
                made.append(value)
            elif type(value) is not Optional:
                raise CelError(OVERLOAD)
            elif value.present:
                made.append(value.value)
        return made

    return run


def _map(entries: list[tuple[Eval, Eval, bool]]) -> Eval:
    def run(frame: Frame) -> dict[Any, Any]:
        frame.charge(_MAP)
        made: dict[Any, Any] = {}
        for make_key, make_value, is_optional in entries:
            key, value = make_key(frame), make_value(frame)
            if type(key) is float:
                raise CelError("unsupported key type: double")
            place = key_of(key)
            if place in made:
                raise CelError(f"Failed with repeated key: {key}")
            if is_optional:
                if type(value) is not Optional:
                    raise CelError(OVERLOAD)
                if not value.present:
                    continue
                value = value.value
            made[place] = value
        return made

    return run
