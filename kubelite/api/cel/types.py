"""The types that the checker reasons with, and signatures written as text. Pure.

`dyn` fits everything: what is checked against it is left to evaluation.
Source: cel-spec doc/langdef.md (Gradual Type Checking), cel-go checker/types.go
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec


class Type(msgspec.Struct, frozen=True):
    kind: str
    params: tuple[Type, ...] = ()

    def __str__(self) -> str:
        shown = {"optional": "optional_type", "any": "dyn"}.get(self.kind, self.kind)
        return f"{shown}({', '.join(map(str, self.params))})" if self.params else shown


class ObjectType(Type, frozen=True, eq=False):
    """Declared fields: the name in expressions → the name in the object, and the type."""

    name: str = "object"
    fields: Mapping[str, tuple[str, Type]] = msgspec.field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


DYN, BOOL, INT, UINT, DOUBLE = Type("dyn"), Type("bool"), Type("int"), Type("uint"), Type("double")
STRING, BYTES, NULL = Type("string"), Type("bytes"), Type("null")
DURATION, TIMESTAMP, TYPE = Type("duration"), Type("timestamp"), Type("type")
#: What a failed part has, so that it is reported once.
ERROR = Type("error")
#: What the items of an empty literal are: of whatever type is asked for.
ANY = Type("any")


def object_type(name: str, fields: Mapping[str, tuple[str, Type]]) -> ObjectType:
    return ObjectType("object", name=name, fields=fields)


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional", (value,))


class Signature(msgspec.Struct, frozen=True):
    """`args` begin with the receiver where there is one. A type of one capital letter is the same type wherever it stands."""

    name: str
    args: tuple[Type, ...]
    result: Type
    is_member: bool = False


_SIGNATURE = re.compile(r"(?:(?P<receiver>[\w<>., ]+)\.(?=[\w@]+\())?(?P<name>[^(]+)\((?P<args>.*)\): (?P<result>.+)")
_TYPE = re.compile(r"([\w.]+)(?:<(.*)>)?")


@lru_cache(512)
def parse_signature(text: str) -> Signature:
    """
    >>> signature = parse_signature("list<A>.indexOf(A): int")
    >>> signature.name, [str(arg) for arg in signature.args], signature.is_member
    ('indexOf', ['list(A)', 'A'], True)

    Namespaced functions are no members: `ip.isCanonical` is written with a slash.
    """
    match = _SIGNATURE.fullmatch(text)
    assert match is not None, text
    args = [parse_type(part) for part in _split(match["args"])]
    if match["receiver"]:
        args.insert(0, parse_type(match["receiver"]))
    name = match["name"].replace("/", ".") if match["name"][0] not in "_-!@" else match["name"]
    return Signature(name, tuple(args), parse_type(match["result"]), bool(match["receiver"]))


def parse_type(text: str) -> Type:
    match = _TYPE.fullmatch(text.strip())
    assert match is not None, text
    return Type(match[1], tuple(parse_type(part) for part in _split(match[2] or "")))


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for char in text:
        depth += (char == "<") - (char == ">")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]


Bindings = dict[str, Type]


_NEVER_NULL = frozenset(("bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"))


def is_variable(type_: Type) -> bool:
    return len(type_.kind) == 1 and type_.kind.isupper()


def fits(wanted: Type, given: Type, bound: Bindings) -> bool:
    """Whether a value of type `given` may stand where `wanted` is, and what the variables in `wanted` must then be."""
    if is_variable(wanted):
        known = bound.get(wanted.kind)
        if known is None:
            bound[wanted.kind] = given
            return True
        if known.kind == "any":
            bound[wanted.kind] = given
            return True
        if is_dynamic(known) and not is_dynamic(given):
            bound[wanted.kind] = known
            return True
        if fits(known, given, bound):
            return True
        if fits(given, known, bound):  # list(dyn) and list(int): the wider one
            bound[wanted.kind] = given
            return True
        return False
    if is_dynamic(wanted) or is_dynamic(given) or wanted is given:
        return True
    if "null" in (wanted.kind, given.kind):
        return (given.kind if wanted.kind == "null" else wanted.kind) not in _NEVER_NULL
    if isinstance(wanted, ObjectType) or isinstance(given, ObjectType):
        return False
    if wanted.kind == given.kind == "type":
        return True
    if wanted.kind != given.kind or len(wanted.params) != len(given.params):
        return False
    return all(fits(a, b, bound) for a, b in zip(wanted.params, given.params, strict=True))


def is_dynamic(type_: Type) -> bool:
    """What is checked against anything without complaint."""
    return type_.kind in ("dyn", "error", "any")


def holds_kind(type_: Type, kind: str) -> bool:
    """Whether the type is of the kind, or has a part that is."""
    return type_.kind == kind or any(holds_kind(part, kind) for part in type_.params)


def applied(type_: Type, bound: Bindings) -> Type:
    """A result type with its variables filled in."""
    if is_variable(type_):
        return bound.get(type_.kind, DYN)
    if not type_.params:
        return type_
    return Type(type_.kind, tuple(applied(part, bound) for part in type_.params))
