"""Whether an expression fits what is declared, and of which type it is. Pure.

Unknown names, fields and signatures are found here; what is dynamic is left to evaluation.
Source: cel-spec doc/langdef.md (Gradual Type Checking), cel-go checker/{checker,errors}.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelite.api.cel.errors import CelError, Issue, NoProgram
from kubelite.api.cel.functions import Functions, Implementation
from kubelite.api.cel.tree import Call, Const, Ident, ListLiteral, Macro, MapLiteral, Node, Select, children
from kubelite.api.cel.types import (
    ANY,
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    ERROR,
    INT,
    NULL,
    STRING,
    UINT,
    Bindings,
    ObjectType,
    Type,
    applied,
    fits,
    holds_kind,
    is_dynamic,
    list_of,
    map_of,
    optional_of,
    parse_type,
)
from kubelite.api.cel.values import SECOND, UInt, timestamp

_CONSTS: dict[type[Any], Type] = {
    bool: BOOL,
    int: INT,
    UInt: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
}
#: Names that are types.
TYPE_NAMES = {
    **{name: parse_type(f"type<{name}>") for name in ("bool", "int", "uint", "double", "string", "bytes")},
    "null_type": parse_type("type<null>"),
    "list": parse_type("type<list<dyn>>"),
    "map": parse_type("type<map<dyn, dyn>>"),
    "type": parse_type("type<type>"),
    "optional_type": parse_type("type<optional<dyn>>"),
    "google.protobuf.Timestamp": parse_type("type<timestamp>"),
    "google.protobuf.Duration": parse_type("type<duration>"),
    **{
        name: parse_type(f"type<{name}>")
        for name in (
            "kubernetes.Quantity",
            "kubernetes.Semver",
            "kubernetes.URL",
            "kubernetes.NamedFormat",
            "net.IP",
            "net.CIDR",
        )
    },
}


class Checked:
    """What the checker found out, by the node's identity: properties behind fields, and full names behind dotted ones."""

    def __init__(self) -> None:
        self.type: Type = DYN
        self.issues: list[Issue] = []
        self.types: dict[int, Type] = {}
        self.properties: dict[int, str] = {}
        self.qualified: dict[int, str] = {}
        self.chosen: dict[
            int, Implementation
        ] = {}  # where Python's types alone would not tell: the sum of no durations


def check(root: Node, variables: Mapping[str, Type], functions: Functions) -> Checked:
    checker = _Checker(variables, functions)
    checker.found.type = checker.type_of(root)
    return checker.found


def check_literals(root: Node) -> list[Issue]:
    """Literals of which functions can make nothing. Raises: NoProgram."""
    from kubelite.api.cel.library_time import parse_duration, parse_timestamp
    from kubelite.api.cel.regex import compiled

    found: list[Issue] = []
    left = [root]
    while left:
        node = left.pop()
        left += children(node)
        if not isinstance(node, Call) or not node.args or not isinstance(node.args[-1], Const):
            continue
        arg, name = node.args[-1], node.function
        try:
            if name == "matches" and isinstance(arg.value, str):
                compiled(arg.value)
            elif name == "duration" and node.target is None and isinstance(arg.value, str):
                parse_duration(arg.value)
            elif name == "timestamp" and node.target is None and isinstance(arg.value, str):
                parse_timestamp(arg.value)
            elif name == "timestamp" and node.target is None and type(arg.value) is int:
                timestamp(arg.value * SECOND)
        except CelError:
            found.append(Issue(arg.at, f"invalid {name} argument"))
        first = node.args[0]
        if name in ("find", "findAll") and isinstance(first, Const) and isinstance(first.value, str):
            try:
                compiled(first.value)
            except CelError as error:
                raise NoProgram(str(error)) from error
    return found


def dotted_name(node: Node) -> str:
    match node:
        case Ident():
            return node.name
        case Select() if not node.is_test and not node.is_optional:
            before = dotted_name(node.operand)
            return f"{before}.{node.field}" if before else ""
    return ""


class _Checker:
    def __init__(self, variables: Mapping[str, Type], functions: Functions) -> None:
        self.found = Checked()
        self._variables = dict(variables)
        self._functions = functions
        self._allows_mixed = False  #: literals may hold values of several types, as in the arguments of format()

    def _problem(self, at: int, text: str) -> Type:
        self.found.issues.append(Issue(at, text))
        return ERROR

    def type_of(self, node: Node) -> Type:
        found = self.found.types[id(node)] = self._type_of(node)
        return found

    def _type_of(self, node: Node) -> Type:
        match node:
            case Const():
                return _CONSTS[type(node.value)]
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return list_of(self._items(node))
            case MapLiteral():
                return self._map(node)
            case Macro():
                return self._macro(node)
        raise AssertionError(node)

    def _ident(self, node: Ident) -> Type:
        if (found := self._variables.get(node.name)) is not None:
            return found
        if (type_ := TYPE_NAMES.get(node.name)) is not None:
            return type_
        return self._problem(node.at, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select) -> Type:
        if not node.is_test and (name := dotted_name(node)) in self._variables:
            self.found.qualified[id(node)] = name
            return self._variables[name]
        if not node.is_test and (name := self._qualified(node)) in TYPE_NAMES:
            self.found.qualified[id(node)] = name
            return TYPE_NAMES[name]
        operand = self.type_of(node.operand)
        is_optional = node.is_optional or operand.kind == "optional"
        inner: Type = operand.params[0] if operand.kind == "optional" else operand
        field: Type
        if isinstance(inner, ObjectType):
            known = inner.fields.get(node.field)
            if known is None:
                return self._problem(node.at, f"undefined field '{node.field}'")
            self.found.properties[id(node)], field = known
        elif inner.kind == "map":
            field = inner.params[1]
        elif is_dynamic(inner):
            field = DYN
        else:
            return self._problem(node.at, f"type '{inner}' does not support field selection")
        if node.is_test:
            return BOOL
        return optional_of(field) if is_optional else field

    def _qualified(self, node: Node) -> str:
        """The dotted name that a node spells, unless it begins with a variable."""
        name = dotted_name(node)
        return "" if name.partition(".")[0] in self._variables else name

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Type:
        special = _SPECIAL.get(node.function) if node.target is None else None
        if special is not None:
            return special(self, node)
        name, args = node.function, list(node.args)
        if node.target is not None:
            full = self._qualified(node.target)
            full = f"{full}.{name}" if full else ""
            if full and (function := self._functions.find(full, is_member=False)) is not None:
                self.found.qualified[id(node)] = name = full
            else:
                function = self._functions.find(name, is_member=True)
                args.insert(0, node.target)
        else:
            function = self._functions.find(name, is_member=False)
        is_member = len(args) > len(node.args)
        outside, self._allows_mixed = self._allows_mixed, self._allows_mixed or name == "format"
        types = [self.type_of(arg) for arg in args]
        self._allows_mixed = outside
        if function is None:
            return self._problem(node.at, f"undeclared reference to '{name}' (in container '')")
        return self._resolve(node, name, function.overloads, types, is_member=is_member)

    def _resolve(self, node: Call, name: str, overloads: Any, types: list[Type], *, is_member: bool) -> Type:
        results: list[Type] = []
        runs: list[Implementation] = []
        for overload in overloads:
            signature, bound = overload.signature, Bindings()
            if len(signature.args) != len(types):
                continue
            if all(fits(wanted, given, bound) for wanted, given in zip(signature.args, types, strict=True)):
                results.append(applied(signature.result, bound))
                runs.append(overload.run)
        if not results:
            shown = [str(type_) for type_ in types]
            text = f"{shown[0]}.({', '.join(shown[1:])})" if is_member else f"({', '.join(shown)})"
            if any(type_ is ERROR for type_ in types):
                return ERROR
            return self._problem(node.at, f"found no matching overload for '{name}' applied to '{text}'")
        if name == "sum" and len(runs) == 1:
            self.found.chosen[id(node)] = runs[0]
        return results[0] if all(str(result) == str(results[0]) for result in results) else DYN

    def _wants(self, node: Node, wanted: Type, function: str) -> None:
        given = self.type_of(node)
        if not fits(wanted, given, {}):
            self._problem(node.at, f"expected type '{wanted}' but found '{given}'")

    def _logic(self, node: Call) -> Type:
        types = [self.type_of(arg) for arg in node.args]
        if not all(fits(BOOL, type_, {}) for type_ in types):
            shown = ", ".join(str(type_) for type_ in types[-2:])
            return self._problem(node.at, f"found no matching overload for '{node.function}' applied to '({shown})'")
        return BOOL

    def _choice(self, node: Call) -> Type:
        condition, yes, no = (self.type_of(arg) for arg in node.args)
        joined = _joined(yes, no)
        if not fits(BOOL, condition, {}) or joined is None:
            text = f"({condition}, {yes}, {no})"
            return self._problem(node.at, f"found no matching overload for '_?_:_' applied to '{text}'")
        return joined

    def _index(self, node: Call) -> Type:
        operand, index = (self.type_of(arg) for arg in node.args)
        is_optional = node.function == "_[?_]" or operand.kind == "optional"
        inner: Type = operand.params[0] if operand.kind == "optional" else operand
        result: Type | None = None
        if inner.kind == "list" and (fits(INT, index, {}) or index.kind in ("uint", "double")):
            result = inner.params[0]
        elif inner.kind == "map" and fits(inner.params[0], index, {}):
            result = inner.params[1]
        elif is_dynamic(inner):
            result = DYN
        if result is None:
            text = f"({operand}, {index})"
            return self._problem(node.at, f"found no matching overload for '{node.function}' applied to '{text}'")
        return optional_of(result) if is_optional else result

    # -- literals and macros -------------------------------------------------------------------------------------------

    def _items(self, node: ListLiteral) -> Type:
        item: Type | None = None
        for index, part in enumerate(node.items):
            given = self.type_of(part)
            if index in node.optional:
                if given.kind != "optional" and not is_dynamic(given):
                    self._problem(part.at, f"expected type 'optional_type({given})' but found '{given}'")
                given = given.params[0] if given.kind == "optional" else DYN
            item = self._same(item, given, part.at)
        return item or ANY

    def _same(self, known: Type | None, given: Type, at: int) -> Type:
        """Literals hold values of one type."""
        if known is None:
            return given
        joined = _joined(known, given)
        if joined is None and self._allows_mixed:
            return DYN
        if joined is None:
            self._problem(at, f"expected type '{known}' but found '{given}'")
            return known
        return joined

    def _map(self, node: MapLiteral) -> Type:
        key: Type | None = None
        value: Type | None = None
        for each, item, is_optional in node.entries:
            key = self._same(key, self.type_of(each), each.at)
            given = self.type_of(item)
            if is_optional:
                if given.kind != "optional" and not is_dynamic(given):
                    self._problem(item.at, f"expected type 'optional_type({given})' but found '{given}'")
                given = given.params[0] if given.kind == "optional" else DYN
            value = self._same(value, given, item.at)
        return map_of(key or ANY, value or ANY)

    def _macro(self, node: Macro) -> Type:
        over = self.type_of(node.range)
        if node.name in ("optMap", "optFlatMap"):
            return self._optional_macro(node, over)
        bound = _item_types(over, len(node.variables))
        if bound is None:
            text = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
            return self._problem(node.range.at, text)
        outer = dict(self._variables)
        self._variables.update(zip(node.variables, bound, strict=True))
        types = [self.type_of(arg) for arg in node.args]
        self._variables = outer
        wants_bool = node.args[:1] if node.name in _PREDICATES or len(types) > 1 else ()
        for arg, type_ in zip(wants_bool, types, strict=False):
            if not fits(BOOL, type_, {}):
                return self._problem(arg.at, f"expected type 'bool' but found '{type_}'")
        match node.name:
            case "filter":
                return list_of(bound[0] if over.kind == "map" else over.params[0] if over.params else DYN)
            case "map" | "transformList":
                return list_of(types[-1])
            case "transformMap":
                return map_of(bound[0], types[-1])
            case "transformMapEntry":
                return types[-1]
        return BOOL

    def _optional_macro(self, node: Macro, over: Type) -> Type:
        if over.kind != "optional" and not is_dynamic(over):
            return self._problem(node.at, f"found no matching overload for '{node.name}' applied to '{over}'")
        outer = dict(self._variables)
        self._variables[node.variables[0]] = over.params[0] if over.params else DYN
        result = self.type_of(node.args[0])
        self._variables = outer
        if node.name == "optFlatMap":
            return result if result.kind == "optional" else DYN
        return optional_of(result)


_PREDICATES = ("all", "exists", "exists_one", "existsOne", "filter")
_SPECIAL = {
    "_&&_": _Checker._logic,
    "_||_": _Checker._logic,
    "_?_:_": _Checker._choice,
    "_[_]": _Checker._index,
    "_[?_]": _Checker._index,
}


def _item_types(over: Type, count: int) -> tuple[Type, ...] | None:
    if over.kind == "list":
        return (over.params[0],) if count == 1 else (INT, over.params[0])
    if over.kind == "map":
        return (over.params[0],) if count == 1 else over.params
    return (DYN,) * count if is_dynamic(over) else None


def _joined(a: Type, b: Type) -> Type | None:
    """The type of what is either."""
    if is_dynamic(a) or is_dynamic(b):
        return DYN
    if fits(a, b, {}):
        return b if holds_kind(a, "any") or (holds_kind(b, "dyn") and not holds_kind(a, "dyn")) else a
    return b if fits(b, a, {}) else None
