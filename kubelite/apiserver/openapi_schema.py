"""The schemas of the API's types, derived from the typed objects: names, fields, and how lists and maps merge. Pure.

Source: k8s.io/kube-openapi; https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.api.shapes import Field, Shape, fields_of
from kubelite.apiserver import custom_openapi as custom
from kubelite.apiserver.descriptions import field_meaning, type_meaning

Version = Literal["v2", "v3"]
Schema = dict[str, Any]
_PACKAGES = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "apiextensions_v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration_v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_ROOTS: dict[Version, str] = {"v2": "#/definitions/", "v3": "#/components/schemas/"}


def schema_name(type_: Any) -> str:
    """
    >>> from kubelite.api.core_v1 import Pod
    >>> schema_name(Pod)
    'io.k8s.api.core.v1.Pod'
    """
    if issubclass(type_, CustomObject):
        return custom.schema_name(type_.definition)
    module = type_.__module__.rpartition(".")[2]
    package = _PACKAGES.get(module) or f"io.k8s.api.{module.replace('_v', '.v')}"
    return f"{package}.{type_.__name__}"


def group_version_kind(resource: Resource, kind: str = "") -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": kind or resource.kind}


class Schemas:
    """Collects the schemas that a set of resources needs."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._found: dict[str, Schema] = {}
        self._waiting: list[Any] = []

    def collect(self, resources: Iterable[Resource], more: Iterable[type[Object]] = ()) -> dict[str, Schema]:
        """Every schema by name."""
        for resource in resources:
            self._reference(resource.type)
            if "list" in resource.verbs:
                self._list(resource)
        for type_ in more:
            self._reference(type_)
        while self._waiting:
            type_ = self._waiting.pop()
            self._found[schema_name(type_)] = self._struct(type_)
        return dict(sorted(self._found.items()))

    def _reference(self, type_: Any) -> Schema:
        name = schema_name(type_)
        if name not in self._found:
            self._found[name] = {}
            self._waiting.append(type_)
        return {"$ref": _ROOTS[self._version] + name}

    def _struct(self, type_: Any) -> Schema:
        if issubclass(type_, CustomObject):
            from kubelite.api.meta import ObjectMeta

            return custom.object_schema(type_.definition, self._reference(ObjectMeta), v2=self._version == "v2")
        fields = fields_of(type_)
        properties = {
            name: self._described(self._property(field), field_meaning(type_, name)) for name, field in fields.items()
        }
        schema: Schema = {"type": "object"}
        if meaning := type_meaning(type_):
            schema["description"] = meaning
        if issubclass(type_, Object):
            group, _, version = type_.api_version.rpartition("/")
            kind = {"group": group, "version": version, "kind": type_.kind}
            heads = {
                name: {"description": field_meaning(type_, name), "type": "string"} for name in ("apiVersion", "kind")
            }
            properties = {**heads, **properties}
            schema["x-kubernetes-group-version-kind"] = [kind]
        if properties:
            schema["properties"] = properties
        if required := sorted(_required(type_)):
            schema["required"] = required
        return schema

    def _list(self, resource: Resource) -> None:
        from kubelite.api.meta import ListMeta

        shapes = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": self._reference(ListMeta),
            "items": {"type": "array", "items": self._reference(resource.type)},
        }
        self._found[schema_name(resource.type).removesuffix(resource.kind) + resource.list_kind] = {
            "description": f"A list of objects of kind {resource.kind}.",
            "type": "object",
            "required": ["items"],
            "properties": {
                name: self._described(shape, field_meaning(resource.type, name)) for name, shape in shapes.items()
            },
            "x-kubernetes-group-version-kind": [group_version_kind(resource, resource.list_kind)],
        }

    def _property(self, field: Field) -> Schema:
        schema, rules = self._of(field.shape), field.merge
        extra: Schema = {}
        if rules.list_type:
            extra["x-kubernetes-list-type"] = rules.list_type
        if rules.keys:
            extra["x-kubernetes-list-map-keys"] = list(rules.keys)
        if rules.map_type or field.shape.is_atomic:
            extra["x-kubernetes-map-type"] = rules.map_type or "atomic"
        if rules.patch:
            extra["x-kubernetes-patch-strategy"] = rules.patch
        if rules.merge_key:
            extra["x-kubernetes-patch-merge-key"] = rules.merge_key
        if extra and "$ref" in schema and self._version == "v3":
            return {"allOf": [schema], **extra}
        return {**schema, **extra}

    def _described(self, schema: Schema, meaning: str) -> Schema:
        """A reference cannot say anything beside itself in v3, and stands in an allOf."""
        if not meaning:
            return schema
        if "$ref" in schema and self._version == "v3":
            return {"description": meaning, "allOf": [schema]}
        return {"description": meaning, **schema}

    def _of(self, shape: Shape) -> Schema:
        match shape.kind:
            case "struct":
                return self._reference(shape.type)
            case "list":
                return {"type": "array", "items": self._of(shape.item)}
            case "map":
                return {"type": "object", "additionalProperties": self._of(shape.item)}
            case "int":
                return {"type": "integer", "format": "int64"}
            case "float":
                return {"type": "number", "format": "double"}
            case "bytes":
                return {"type": "string", "format": "byte"}
            case "string":
                return {"type": "string"}
            case "bool":
                return {"type": "boolean"}
            case "int or string":
                return self._either(_INT_OR_STRING, "int-or-string", "integer")
            case "quantity":
                return self._either(_QUANTITY, "", "number")
            case "any" | "untyped":
                return {"type": "object"} if self._version == "v3" else {}

    def _either(self, name: str, format_: str, other: str) -> Schema:
        if self._version == "v3":
            schema: Schema = {"oneOf": [{"type": "string"}, {"type": other}]}
        else:
            schema = {"type": "string"}
        self._found.setdefault(name, {**schema, "format": format_} if format_ else schema)
        return {"$ref": _ROOTS[self._version] + name}


def _required(type_: Any) -> Iterator[str]:
    """Fields that Go always writes, and that are no objects of their own: those must be given."""
    for field in msgspec.structs.fields(type_):
        if field.default_factory in (str, int, bool, float) and not issubclass(type_, Object):
            yield field.encode_name
