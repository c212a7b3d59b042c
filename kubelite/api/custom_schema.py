"""The form of a custom object: unknown fields pruned, nulls removed, defaults filled in, embedded metadata made proper. Pure.

Nothing given is changed. The schema is plain OpenAPI, structural. The order is upstream's: prune, remove nulls, defaults.
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/schema/{pruning,defaulting,objectmeta}/algorithm.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kubelite.api.custom import CustomObject, Schema
from kubelite.api.errors import BadRequest
from kubelite.api.meta import ObjectMeta

_META = frozenset({"apiVersion", "kind", "metadata"})
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"


def well_formed(type_: type[CustomObject], content: Mapping[str, Any]) -> dict[str, Any]:
    """Content of `type_` without what its schema does not know, and with the schema's defaults.

    Raises: BadRequest for an embedded object with malformed metadata.
    """
    definition = type_.definition
    kept: dict[str, Any] = dict(content)
    if not definition.preserve_unknown_fields:
        kept = without_nulls(prune(kept, definition.schema), definition.schema)
    filled: dict[str, Any] = with_defaults(_coerce(kept, definition.schema, ""), definition.schema)
    return filled


def unknown_fields(type_: type[CustomObject], content: Mapping[str, Any]) -> list[str]:
    """The paths of what `well_formed` prunes, in order."""
    found: list[str] = []
    if not type_.definition.preserve_unknown_fields:
        prune(dict(content), type_.definition.schema, "", found)
    return sorted(found)


def prune(value: Any, schema: Schema | None, path: str = "", unknown: list[str] | None = None) -> Any:
    """`value` without the fields that the schema does not specify; their paths are added to `unknown`."""
    keeps = schema is not None and bool(schema.get(_PRESERVE))
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for key, item in value.items():
            at = f"{path}.{key}" if path else key
            if schema is not None and schema.get(_EMBEDDED) and key in _META:
                kept[key] = item
            elif (found := _member(schema, key)) is not None:
                kept[key] = prune(item, found, at, unknown)
            elif keeps:
                kept[key] = item
            elif schema is not None and schema.get("additionalProperties") is True:
                kept[key] = prune(item, None, at, unknown)
            elif unknown is not None:
                unknown.append(at)
        return kept
    if isinstance(value, list):
        items = _items(schema)
        if keeps and items is None:
            return value
        return [prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _member(schema: Schema | None, key: str) -> Schema | None:
    if schema is None:
        return None
    found = schema.get("properties", {}).get(key)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


def _items(schema: Schema | None) -> Schema | None:
    found = schema.get("items") if schema is not None else None
    return found if isinstance(found, dict) else None


def _is_misplaced_null(value: Any, schema: Schema | None) -> bool:
    return value is None and schema is not None and not schema.get("nullable")


def without_nulls(value: Any, schema: Schema | None) -> Any:
    """`value` without nulls where the schema wants none and has no default."""
    if isinstance(value, dict):
        members = [(key, item, _member(schema, key)) for key, item in value.items()]
        return {
            key: without_nulls(item, found)
            for key, item, found in members
            if not (_is_misplaced_null(item, found) and (found or {}).get("default") is None)
        }
    if isinstance(value, list):
        items = _items(schema)
        return [without_nulls(item, items) for item in value]
    return value


def with_defaults(value: Any, schema: Schema | None) -> Any:
    """`value` with the schema's defaults, also inside of what a default brought."""
    if schema is None:
        return value
    if isinstance(value, dict):
        filled = dict(value)
        for key, part in schema.get("properties", {}).items():
            default = part.get("default")
            if default is not None and (key not in filled or _is_misplaced_null(filled[key], part)):
                filled[key] = default
        return {key: _defaulted(item, _member(schema, key)) for key, item in filled.items()}
    if isinstance(value, list):
        return [_defaulted(item, _items(schema)) for item in value]
    return value


def _defaulted(value: Any, schema: Schema | None) -> Any:
    if schema is not None and _is_misplaced_null(value, schema):
        value = schema.get("default")
    return with_defaults(value, schema)


def _coerce(value: Any, schema: Schema | None, path: str) -> Any:
    """Embedded objects with metadata of the right types and no other fields. Raises: BadRequest."""
    if schema is None or not _has_embedded(schema):
        return value
    if isinstance(value, dict):
        made = {key: _coerce(item, _member(schema, key), f"{path}.{key}") for key, item in value.items()}
        if schema.get(_EMBEDDED) and "metadata" in made:
            made["metadata"] = _proper_metadata(made["metadata"], f"{path}.metadata".removeprefix("."))
        return made
    if isinstance(value, list):
        return [_coerce(item, _items(schema), f"{path}[{index}]") for index, item in enumerate(value)]
    return value


def _has_embedded(schema: Schema) -> bool:
    if schema.get(_EMBEDDED):
        return True
    parts = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return any(isinstance(part, dict) and _has_embedded(part) for part in parts)


def _proper_metadata(metadata: Any, path: str) -> Any:
    try:
        return msgspec.json.decode(msgspec.json.encode(msgspec.convert(metadata, ObjectMeta)))
    except msgspec.ValidationError as error:
        raise BadRequest(f"{path}: Invalid value: {msgspec.json.encode(metadata).decode()}: {error}") from None
