"""Whether a custom kind's schema is one that the API can prune, default and validate by: structural schemas. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/schema/validation.go, pkg/apiserver/schema/defaulting/validation.go,
pkg/apis/apiextensions/validation/validation.go (ValidateCustomResourceDefinitionOpenAPISchema)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from kubelite.api.custom import Schema, has_rules
from kubelite.api.custom_schema import prune
from kubelite.api.custom_validation import check_embedded
from kubelite.api.custom_values import check_values, is_pattern
from kubelite.api.validation_field import Errors, forbidden, invalid, not_supported, required

Level = Literal["root", "item", "field"]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = frozenset({"apiVersion", "kind", "metadata"})
_JUNCTIONS = ("anyOf", "allOf", "oneOf")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_EMPTY_TYPE = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
#: What has no place in a schema at all.
_FORBIDDEN = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
#: What belongs to the form of a value and so may not stand under anyOf, allOf, oneOf or not.
_FORM = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
#: What a root may hold beside its status, whose schema is taken out by itself.
_NOT_AT_ROOT = (
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "enum",
    "default",
    "additionalProperties",
    "maxProperties",
    "minProperties",
)


def check_schema(schema: Schema, path: str, *, has_status: bool = False) -> Errors:
    """Everything that is wrong with the schema of a version."""
    found: Errors = []
    if has_status and schema.get("type", "object") != "object":
        why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        found.append(invalid(f"{path}.type", schema["type"], why))
    elif has_status and any(name in schema for name in _NOT_AT_ROOT):
        why = "fields of this name are not allowed at the root of the schema if the status subresource is enabled"
        found.append(invalid(path, dict(schema), why))
    if schema.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    structural = _form(schema, "root", path) + _completeness(schema, schema, path)
    structural.sort(key=str)
    found += structural or _defaults(schema, path)
    found += _standard(schema, path, is_root=True)
    return found if found or not has_rules(schema) else _rules(schema, path)


def _rules(schema: Schema, path: str) -> Errors:
    """Rules are looked at where everything else is sound."""
    from kubelite.api.custom_rules_check import check_rule_texts, check_rules_compile

    found = check_rule_texts(schema, path)
    return found or check_rules_compile(schema, path)


def has_defaults(schema: Any) -> bool:
    return "default" in schema or any(has_defaults(part) for _, part in _parts(schema))


def at_field(schema: Schema, path: str) -> Schema | None:
    """The schema of the field at a simple JSON path."""
    found: Any = schema
    for key in path.removeprefix(".").split("."):
        found = found.get("properties", {}).get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _parts(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """(path, schema) of what a value of the schema consists of."""
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict):
            yield f"properties[{name}]", part
    for name in ("items", "additionalProperties"):
        if isinstance(part := schema.get(name), dict):
            yield name, part


# -- form ----------------------------------------------------------------------------------------------------------------


def _form(schema: Schema, level: Level, path: str) -> Errors:
    """The invariants of structural schemas."""
    found: Errors = []
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        found.append(required(f"{path}.items", "must be specified"))
    for name, part in _parts(schema):
        found += _form(part, "item" if name == "items" else "field", f"{path}.{name}")
    if level == "root" and schema.get("additionalProperties") is not None:
        found.append(forbidden(f"{path}.additionalProperties", "must not be used at the root"))
    found += _extensions(schema, path) + _own_type(schema, level, path)
    skip = 0
    if schema.get("anyOf") == _INT_OR_STRING:
        skip = 1
    elif (schema.get("allOf") or [{}])[0].get("anyOf") == _INT_OR_STRING:
        skip = 2
    found += _junctions(schema, path, skip)
    if level == "root" or schema.get("x-kubernetes-embedded-resource"):
        for name in ("kind", "apiVersion"):
            part = schema.get("properties", {}).get(name)
            if part is not None and part.get("type", "") != "string":
                found.append(invalid(f"{path}.properties[{name}].type", part.get("type", ""), "must be string"))
        found += _metadata(schema, level, f"{path}.properties[metadata]")
    return found


def _metadata(schema: Schema, level: Level, path: str) -> Errors:
    part = schema.get("properties", {}).get("metadata")
    if part is None:
        return []
    found = [] if part.get("type") == "object" else [invalid(f"{path}.type", part.get("type", ""), "must be object")]
    names = set(part.get("properties", {}))
    others = set(part) - {"type", "properties", "default"} - {"required", "description", "pattern", "maxLength"}
    if level == "root" and (names - {"name", "generateName"} or others):
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        found.append(forbidden(path, why))
    return found


def _extensions(schema: Schema, path: str) -> Errors:
    found: Errors = []
    if schema.get("x-kubernetes-int-or-string"):
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(name):
                found.append(invalid(f"{path}.{name}", True, "must be false if x-kubernetes-int-or-string is true"))
    if schema.get("x-kubernetes-embedded-resource"):
        if schema.get("additionalProperties") is not None:
            why = "must not be used if x-kubernetes-embedded-resource is set"
            found.append(forbidden(f"{path}.additionalProperties", why))
        if not schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("properties"):
            why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            found.append(required(f"{path}.properties", why))
    return found


def _own_type(schema: Schema, level: Level, path: str) -> Errors:
    type_ = schema.get("type", "")
    if schema.get("x-kubernetes-embedded-resource") and type_ != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        return [invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why)]
    loose = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not type_ and not loose:
        return [required(f"{path}.type", _EMPTY_TYPE[level])]
    if level == "root" and type_ not in ("", "object"):
        return [invalid(f"{path}.type", type_, "must be object at the root")]
    return []


def _junctions(schema: Schema, path: str, skip: int = 0) -> Errors:
    """`skip`: 1 lets the types of anyOf be, 2 those of anyOf in the first of allOf, for integers or strings."""
    found: Errors = []
    for name in _JUNCTIONS:
        if name == "anyOf" and skip == 1:
            continue
        for index, part in enumerate(schema.get(name, ())):
            found += _nested(part, f"{path}.{name}[{index}]", 1 if skip == 2 and name == "allOf" and not index else 0)
    if (part := schema.get("not")) is not None:
        found += _nested(part, f"{path}.not")
    if (pattern := schema.get("pattern")) and not is_pattern(pattern):
        found.append(invalid(f"{path}.pattern", pattern, "must be a valid regular expression, but isn't"))
    return found


def _nested(schema: Schema, path: str, skip: int = 0) -> Errors:
    found = _junctions(schema, path, skip)
    found += [forbidden(f"{path}.{name}", why) for name, why in _FORM.items() if schema.get(name)]
    for name, part in _parts(schema):
        if name != "additionalProperties":
            found += _nested(part, f"{path}.{name}")
    if "metadata" in schema.get("properties", {}):
        found.append(forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context"))
    return found


def _completeness(schema: Schema, whole: Schema, path: str) -> Errors:
    """What a junction says of a field is said outside of junctions, too."""
    found: Errors = []
    for name in (*_JUNCTIONS, "not"):
        parts = schema.get(name) or ()
        for index, part in enumerate(parts if isinstance(parts, list | tuple) else (parts,)):
            found += _covered(part, schema, path, f"{path}.{name}" + (f"[{index}]" if name != "not" else ""))
    for name, part in _parts(schema):
        found += _completeness(part, part, f"{path}.{name}")
    return found


def _covered(value: Schema, structure: Schema | None, path: str, via: str) -> Errors:
    found: Errors = []
    for key, part in value.get("properties", {}).items():
        known = (structure or {}).get("properties", {}).get(key)
        at = f"{path}.properties[{key}]"
        if known is None:
            found.append(required(at, f"because it is defined in {via}.properties[{key}]"))
        else:
            found += _covered(part, known, at, f"{via}.properties[{key}]")
    if isinstance(items := value.get("items"), dict):
        known = (structure or {}).get("items")
        if known is None:
            found.append(required(f"{path}.items", f"because it is defined in {via}.items"))
        else:
            found += _covered(items, known, f"{path}.items", f"{via}.items")
    for name in (*_JUNCTIONS, "not"):
        parts = value.get(name) or ()
        for index, part in enumerate(parts if isinstance(parts, list | tuple) else (parts,)):
            found += _covered(part, structure, path, f"{via}.{name}" + (f"[{index}]" if name != "not" else ""))
    return found


# -- defaults and the rest -------------------------------------------------------------------------------------------------


def _defaults(schema: Schema, path: str) -> Errors:
    """Defaults are what the schema itself allows."""
    found: Errors = []
    default = schema.get("default")
    if default is not None:
        at = f"{path}.default"
        if prune(default, schema) != default:
            found.append(invalid(at, default, "must not have unknown fields"))
        found += check_embedded(default, schema, at) or check_values(default, schema, path=at)
    for name, part in _parts(schema):
        if name != "additionalProperties":
            found += _defaults(part, f"{path}.{name}")
    return found


def _standard(schema: Schema, path: str, *, is_root: bool = False, in_meta: bool = False, why_none: str = "") -> Errors:
    """What OpenAPI allows and the API does not."""
    found: Errors = []
    type_ = schema.get("type", "")
    if type_ and type_ not in _TYPES:
        found.append(not_supported(f"{path}.type", type_, _TYPES))
    if "default" in schema and why_none:
        found.append(forbidden(f"{path}.default", f"must not be set {why_none}"))
    found += [forbidden(f"{path}.{name}", f"{name} is not supported") for name in _FORBIDDEN if schema.get(name)]
    if isinstance(schema.get("items"), list):
        found.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if in_meta and schema.get("x-kubernetes-embedded-resource"):
        found.append(forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"))
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.append(forbidden(f"{path}.uniqueItems", why))
    if schema.get("properties") and schema.get("additionalProperties") not in (None, True):
        why = "additionalProperties and properties are mutual exclusive"
        found.append(forbidden(f"{path}.additionalProperties", why))
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        found.append(invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    found += _list_and_map_types(schema, path)
    for name, part in _parts(schema):
        meta = name.removeprefix("properties[").removesuffix("]")
        inside = (is_root or bool(schema.get("x-kubernetes-embedded-resource"))) and meta in _META and name != meta
        none = f"in top-level {meta}" if inside and is_root else why_none
        found += _standard(part, f"{path}.{name}", in_meta=in_meta or inside, why_none=none)
    return found


def _list_and_map_types(schema: Schema, path: str) -> Errors:
    found: Errors = []
    type_, map_type, list_type = (
        schema.get(name, "") for name in ("type", "x-kubernetes-map-type", "x-kubernetes-list-type")
    )
    for given, name, wanted, known in (
        (map_type, "map", "object", ("atomic", "granular")),
        (list_type, "list", "array", ("atomic", "set", "map")),
    ):
        if given and type_ != wanted:
            why = f"must be {wanted} if x-kubernetes-{name}-type is specified"
            found.append(invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why))
        if given and given not in known:
            found.append(not_supported(f"{path}.x-kubernetes-{name}-type", given, known))
    keys = schema.get("x-kubernetes-list-map-keys", ())
    at = f"{path}.x-kubernetes-list-map-keys"
    if keys and list_type != "map":
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        where = f"{path}.x-kubernetes-list-type"
        found.append(invalid(where, list_type, why) if list_type else required(where, why))
    if list_type == "map" and not keys:
        found.append(required(at, "must not be empty if x-kubernetes-list-type is map"))
    items = schema.get("items")
    if isinstance(items, dict) and list_type in ("set", "map"):
        found += _items(items, list_type, keys, path)
    return found


def _items(items: Schema, list_type: str, keys: Any, path: str) -> Errors:
    found: Errors = []
    if items.get("nullable"):
        found.append(
            forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}")
        )
    if list_type == "set":
        if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
            why = "must be atomic as item of a list with x-kubernetes-list-type=set"
            found.append(invalid(f"{path}.items.x-kubernetes-map-type", None, why))
        return found
    if items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        found.append(invalid(f"{path}.items.type", items.get("type", ""), why))
    for index, key in enumerate(keys):
        part = items.get("properties", {}).get(key)
        if part is None:
            at = f"{path}.x-kubernetes-list-map-keys[{index}]"
            found.append(invalid(at, key, "entries must all be names of item properties"))
        elif key not in items.get("required", ()) and part.get("default") is None:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            found.append(required(f"{path}.items.properties[{key}].default", why))
        elif part.get("type") in ("array", "object"):
            at = f"{path}.items.properties[{key}].type"
            found.append(
                invalid(at, part["type"], "must be a scalar type if parent array's x-kubernetes-list-type is map")
            )
    return found
