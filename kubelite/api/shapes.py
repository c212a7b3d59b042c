"""The typed objects' structure, as decoding, patches and server-side apply walk it beside plain data. Pure.

Derived from the annotations of the types, once per type. What merges how is in the annotations; only which Go types are atomic
as a whole stands here. Source: the structType=atomic markers of k8s.io/api v0.33
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Struct

from kubelite.api.meta import Merge

Kind = Literal[
    "struct", "list", "map", "string", "int", "float", "bool", "bytes", "int or string", "quantity", "any", "untyped"
]

_ATOMIC = frozenset(
    (
        "ConfigMapKeySelector",
        "CrossVersionObjectReference",
        "EndpointAddress",
        "EndpointPort",
        "LabelSelector",
        "LocalObjectReference",
        "MatchResources",
        "NamedRuleWithOperations",
        "NodeSelector",
        "NodeSelectorTerm",
        "ObjectFieldSelector",
        "ObjectReference",
        "OwnerReference",
        "ParamKind",
        "ParamRef",
        "ResourceFieldSelector",
        "RoleRef",
        "ScopeSelector",
        "SecretKeySelector",
        "SecretReference",
        "ServiceBackendPort",
        "Subject",
        "TopologySelectorTerm",
        "TypedLocalObjectReference",
        "Variable",
    )
)
#: Numbers of this name are int64 in Go, all others int32.
_INT64 = frozenset(
    (
        "activeDeadlineSeconds",
        "deletionGracePeriodSeconds",
        "expirationSeconds",
        "fsGroup",
        "generation",
        "gracePeriodSeconds",
        "observedGeneration",
        "revision",
        "runAsGroup",
        "runAsUser",
        "seconds",
        "startingDeadlineSeconds",
        "supplementalGroups",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
    )
)
_NO_MERGE = Merge()


class Shape(Struct, frozen=True):
    """`type` is the class of a struct, `item` the shape of a list's items or a map's values.

    What the schema of a custom kind declares has a `type` with `declared_fields` and `is_atomic`; "untyped" is what it leaves
    open: of maps the values are managed one by one, of everything else the whole.
    """

    kind: Kind
    type: Any = None
    item: Any = None

    @property
    def is_atomic(self) -> bool:
        """Whether managers can only own a struct as a whole."""
        if self.kind != "struct":
            return False
        return self.type.__name__ in _ATOMIC if isinstance(self.type, type) else bool(self.type.is_atomic)


class Field(Struct, frozen=True):
    """A field of a struct under its JSON name. `is_pointer`: null and absent differ from the zero value."""

    name: str
    shape: Shape
    merge: Merge
    is_pointer: bool
    attribute: str = ""  #: its name in Python


STRING, ANY = Shape("string"), Shape("any")
_SCALARS: dict[Any, Shape] = {
    str: STRING,
    int: Shape("int"),
    float: Shape("float"),
    bool: Shape("bool"),
    bytes: Shape("bytes"),
    Any: ANY,
}
_UNIONS: dict[frozenset[Any], Shape] = {
    frozenset((int, str)): Shape("int or string"),
    frozenset((int, float, str)): Shape("quantity"),
    frozenset((int, float)): Shape("float"),
}


def _shape(annotation: Any) -> Shape:
    if (scalar := _SCALARS.get(annotation)) is not None:
        return scalar
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return shape_of(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0])
    if origin in (types.UnionType, Union):
        members = frozenset(arguments) - {types.NoneType}
        return _UNIONS[members] if members in _UNIONS else _shape(next(iter(members)))
    if origin is tuple:
        return Shape("list", item=_shape(arguments[0]))
    return Shape("map", item=_shape(arguments[1]))


@lru_cache(maxsize=4096)
def shape_of(type_: Any) -> Shape:
    """The shape of a struct's class."""
    return Shape("struct", type=type_)


def fields_of(type_: Any) -> Mapping[str, Field]:
    """The fields of a struct's class by JSON name."""
    declared = getattr(type_, "declared_fields", None)
    fields: Mapping[str, Field] = _fields_of(type_) if declared is None else declared()
    return fields


@lru_cache(maxsize=4096)
def _fields_of(type_: Any) -> Mapping[str, Field]:
    found: dict[str, Field] = {}
    for field in msgspec.structs.fields(type_):
        merge = _NO_MERGE
        if typing.get_origin(field.type) is Annotated:
            for meta in typing.get_args(field.type)[1:]:
                if isinstance(meta, msgspec.Meta) and meta.extra:
                    merge = meta.extra.get("merge", merge)
        annotation = typing.get_args(field.type)[0] if typing.get_origin(field.type) is Annotated else field.type
        is_pointer = types.NoneType in typing.get_args(annotation)
        found[field.encode_name] = Field(field.encode_name, _shape(field.type), merge, is_pointer, field.name)
    return found


def go_type(shape: Shape, name: str = "") -> str:
    """How Go prints the type of the field `name`.

    >>> go_type(Shape("list", item=STRING)), go_type(Shape("int"), "replicas")
    ('[]string', 'int32')
    """
    match shape.kind:
        case "struct":
            _, _, version = shape.type.__module__.rpartition("_")
            return f"{version if version[:1] == 'v' else 'v1'}.{shape.type.__name__}"
        case "list":
            return f"[]{go_type(shape.item, name)}"
        case "map":
            return f"map[string]{go_type(shape.item, name)}"
        case "int":
            return "int64" if name in _INT64 else "int32"
        case "float":
            return "float64"
        case "bytes":
            return "[]uint8"
        case "string" | "bool":
            return shape.kind
        case "int or string":
            return "intstr.IntOrString"
        case "quantity":
            return "resource.Quantity"
        case "any" | "untyped":
            return "interface {}"
