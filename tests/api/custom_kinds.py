"""A custom kind for the tests of this room."""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.api import codec, decode
from kubelite.api.apiextensions_v1 import CustomResourceDefinition as Crd
from kubelite.api.custom import CustomObject, definitions_of, make_type
from kubelite.api.defaults import apply_defaults

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "port": {"x-kubernetes-int-or-string": True},
        "maybe": {"type": "string", "nullable": True},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "x-kubernetes-list-type": "set"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "v": {"type": "integer"}},
            },
        },
        "nest": {"type": "object", "properties": {"a": {"type": "integer", "default": 7}}, "default": {}},
        "replicas": {"type": "integer"},
        "embed": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}
STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "phase": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}


def version(name: str = "v1", schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    wanted = SCHEMA if schema is None else schema
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": wanted}, **more}


def plain_definition(*versions: dict[str, Any], plural: str = "widgets", kind: str = "Widget") -> dict[str, Any]:
    """A CustomResourceDefinition as a client sends it."""
    listed = versions or (version(subresources={"status": {}, "scale": SCALE}),)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": list(listed),
        },
    }


def definition(*versions: dict[str, Any], **names: str) -> Crd:
    """One whose defaults are filled in."""
    crd: Crd = apply_defaults(decode.decode_object(Crd, plain_definition(*versions, **names)))
    return crd


def widgets(*versions: dict[str, Any]) -> list[type[CustomObject]]:
    """The classes of the versions."""
    crd = definition(*versions)
    status = msgspec.structs.replace(crd.status, accepted_names=crd.spec.names)
    return [make_type(item) for item in definitions_of(msgspec.structs.replace(crd, status=status))]


def widget(type_: type[CustomObject], **spec: Any) -> CustomObject:
    """An object as a client sends it."""
    plain = {"apiVersion": type_.api_version, "kind": type_.kind, "metadata": {"name": "w"}, "spec": spec}
    return decode.decode_object(type_, plain)


def stored(obj: CustomObject) -> CustomObject:
    """The object out of the store."""
    return codec.decode_stored(type(obj), codec.encode_stored(obj), 7)
