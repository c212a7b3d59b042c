"""Custom kinds in the OpenAPI documents. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/controller/openapi/{builder,v2}
"""

from __future__ import annotations

from typing import Any

from kubelite.api.custom import Definition

Schema = dict[str, Any]
_TYPE_META: Schema = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
#: What OpenAPI v2 cannot say, or kubectl's checks of it would misread.
_NOT_IN_V2 = frozenset({"anyOf", "oneOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations"})


def schema_name(definition: Definition) -> str:
    """`stable.example.com/v1, Kind=Crontab` is `com.example.stable.v1.Crontab`."""
    return ".".join([*reversed(definition.group.split(".")), definition.version, definition.kind])


def object_schema(definition: Definition, metadata: Schema, *, v2: bool) -> Schema:
    """The schema of the objects; `metadata` refers to that of ObjectMeta."""
    kind = {"group": definition.group, "version": definition.version, "kind": definition.kind}
    extra: Schema = {"x-kubernetes-group-version-kind": [kind]}
    root = definition.schema
    if v2 and (root.get("x-kubernetes-preserve-unknown-fields") or definition.preserve_unknown_fields):
        return {"type": "object", **extra}
    if definition.selectable_fields and not v2:
        paths = [{"fieldPath": path.removeprefix(".")} for path in definition.selectable_fields]
        extra["x-kubernetes-selectable-fields"] = paths
    made = _published(dict(root), metadata, v2=v2)
    properties = {**_TYPE_META, **made.get("properties", {}), "metadata": metadata}
    return {**made, "type": "object", "properties": properties, **extra}


def _published(schema: Schema, metadata: Schema, *, v2: bool) -> Schema:
    if v2:
        schema = {key: value for key, value in schema.items() if key not in _NOT_IN_V2}
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return {key: value for key, value in schema.items() if key == "description" or key.startswith("x-")}
        if schema.get("x-kubernetes-int-or-string"):
            schema.pop("type", None)
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {key: _published(part, metadata, v2=v2) for key, part in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(part := schema.get(name), dict):
            made[name] = _published(part, metadata, v2=v2)
    if v2 and not isinstance(made.get("additionalProperties", {}), dict):
        del made["additionalProperties"]
    if schema.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**_TYPE_META, **made.get("properties", {}), "metadata": metadata}
        made["required"] = [*dict.fromkeys([*schema.get("required", ()), "kind", "apiVersion"])]
    return made
