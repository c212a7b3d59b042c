"""A custom kind's schema as the shapes that patches, field managers and server-side apply walk. Pure.

Where the schema lets anything in, managers own the parts of maps and whole lists, as of untyped data.
Source: k8s.io/apimachinery pkg/util/managedfields (typeconverter.go), k8s.io/kube-openapi pkg/schemaconv
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelite.api.meta import Merge, ObjectMeta
from kubelite.api.shapes import Field, Shape, shape_of

#: What nobody declared.
UNTYPED = Shape("untyped")
_PLAIN = Merge()
_SCALARS: dict[str, Shape] = {
    "string": Shape("string"),
    "integer": Shape("int"),
    "number": Shape("float"),
    "boolean": Shape("bool"),
}
_STRING = Field("", _SCALARS["string"], _PLAIN, is_pointer=True)


class Declared:
    """What stands for the class of a struct that only a schema declares."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.is_atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self._schema = schema
        self._fields: Mapping[str, Field] | None = None

    def declared_fields(self) -> Mapping[str, Field]:
        if self._fields is None:
            self._fields = fields_of_schema(self._schema)
        return self._fields


class _Open(dict[str, Field]):
    """Fields of a struct that may have others."""

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else Field(key, UNTYPED, _PLAIN, is_pointer=True)


def fields_of_schema(schema: Mapping[str, Any]) -> Mapping[str, Field]:
    """The fields of an object by name."""
    fields = {name: _field(name, part) for name, part in schema.get("properties", {}).items()}
    if schema.get("x-kubernetes-embedded-resource"):
        fields |= {"apiVersion": _STRING, "kind": _STRING}
        fields["metadata"] = Field("metadata", shape_of(ObjectMeta), _PLAIN, is_pointer=False)
    return _Open(fields) if schema.get("x-kubernetes-preserve-unknown-fields") or not schema else fields


def _field(name: str, schema: Mapping[str, Any]) -> Field:
    merge = Merge(
        list_type=schema.get("x-kubernetes-list-type", ""),
        keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        map_type=schema.get("x-kubernetes-map-type", ""),
    )
    return Field(name, _shape(schema), merge, is_pointer=True)


def _shape(schema: Mapping[str, Any]) -> Shape:
    if schema.get("x-kubernetes-int-or-string"):
        return Shape("int or string")
    match schema.get("type", ""):
        case "object" if schema.get("properties") or schema.get("x-kubernetes-embedded-resource"):
            return Shape("struct", type=Declared(schema))
        case "object":
            more = schema.get("additionalProperties")
            return Shape("map", item=_shape(more)) if isinstance(more, dict) else UNTYPED
        case "array":
            items = schema.get("items")
            return Shape("list", item=_shape(items) if isinstance(items, dict) else UNTYPED)
        case name:
            return _SCALARS.get(name, UNTYPED)
