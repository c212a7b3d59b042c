"""Whether an object of a custom kind may be stored, beside what its metadata must be. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/registry/customresource/validator.go,
pkg/apiserver/schema/{listtype,objectmeta}
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.api.custom import CustomObject, Schema, at_path
from kubelite.api.custom_values import ABSENT, check_values
from kubelite.api.errors import FieldError
from kubelite.api.meta import ObjectMeta
from kubelite.api.validation_field import Errors, dns1035_label, invalid, path_segment, required, show
from kubelite.api.validation_meta import validate_metadata

_MAX_INT32 = 2**31 - 1
#: What keeps an object's rules from being looked at.
_BLOCKING = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def validate_custom(obj: CustomObject, old: CustomObject | None = None, *, subresource: str = "") -> Errors:
    """The content of an object about to be created, or to replace `old`; with subresource "status" only that counts."""
    definition = type(obj).definition
    schema, content = definition.schema, _whole(obj)
    found: Errors = []
    if subresource == "status":
        if "status" in obj.content:
            part = schema.get("properties", {}).get("status", {})
            before = old.content.get("status", ABSENT) if old is not None else ABSENT
            found += check_values(obj.content["status"], part, old=before, path="status")
    else:
        found += check_values(content, schema, old=ABSENT if old is None else _whole(old))
        found += _scale_spec(obj)
    found += _scale_status(obj)
    if subresource != "status":
        found += check_embedded(obj.content, schema, "")
    if old is None or not check_lists(old.content, schema, ""):
        found += check_lists(obj.content, schema, "")
    return found + _rules(obj, old, found)


def _rules(obj: CustomObject, old: CustomObject | None, found: Errors) -> Errors:
    """What the rules of the schema say; they are not asked about an object whose form is wrong."""
    definition = type(obj).definition
    if not definition.has_rules:
        return []
    if any(error.type in _BLOCKING for error in found):
        return [FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "null": {_NOT_CHECKED}')]
    from kubelite.api.custom_rules import check_rules, rules_of

    rules = rules_of(definition)
    return check_rules(rules, _whole(obj), _whole(old) if old is not None else None) if rules else []


def _whole(obj: CustomObject) -> dict[str, Any]:
    """The object as its schema sees it."""
    metadata = {"name": obj.metadata.name, "generateName": obj.metadata.generate_name}
    named = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": obj.api_version, "kind": obj.kind, "metadata": named, **obj.content}


def _scale_spec(obj: CustomObject) -> Errors:
    scale = type(obj).definition.scale
    return _replicas(obj, scale.spec_replicas_path) if scale else []


def _scale_status(obj: CustomObject) -> Errors:
    scale = type(obj).definition.scale
    if scale is None:
        return []
    found = _replicas(obj, scale.status_replicas_path)
    selector = at_path(obj.content, scale.label_selector_path) if scale.label_selector_path else None
    if selector is not None and not isinstance(selector, str):
        found.append(
            invalid(str(scale.label_selector_path), "", _accessor(scale.label_selector_path, selector, "string"))
        )
    return found


def _replicas(obj: CustomObject, path: str) -> Errors:
    value = at_path(obj.content, path)
    if value is None:
        return []
    if not isinstance(value, int) or isinstance(value, bool):
        return [invalid(path, 0, _accessor(path, value, "int64"))]
    if value < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    return [] if value <= _MAX_INT32 else [invalid(path, value, f"should be less than or equal to {_MAX_INT32}")]


def _accessor(path: str | None, value: Any, wanted: str) -> str:
    names = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
    kind = names.get(type(value), "map[string]interface {}")
    return f"{path} accessor error: {show(value)} is of the type {kind}, expected {wanted}"


def check_embedded(value: Any, schema: Schema | None, path: str) -> Errors:
    """Embedded objects say what they are, and have valid metadata."""
    found: Errors = []
    if schema is None:
        return found
    prefix = f"{path}." if path else ""
    if isinstance(value, dict):
        if schema.get("x-kubernetes-embedded-resource"):
            found += _embedded(value, prefix)
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            if isinstance(part := properties.get(key), dict):
                found += check_embedded(item, part, prefix + key)
            elif isinstance(more, dict):
                found += check_embedded(item, more, f"{path}[{key}]")
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        for index, item in enumerate(value):
            found += check_embedded(item, items, f"{path}[{index}]")
    return found


def _embedded(value: dict[str, Any], prefix: str) -> Errors:
    found = [required(prefix + key, "must not be empty") for key in ("apiVersion", "kind") if key not in value]
    for key in ("apiVersion", "kind"):
        text = value.get(key, "x")
        if not isinstance(text, str):
            found.append(invalid(prefix + key, text, "must be a string"))
        elif not text:
            found.append(invalid(prefix + key, text, "must not be empty"))
        elif key == "apiVersion" and text.count("/") > 1:
            found.append(invalid(prefix + key, text, f"unexpected GroupVersion string: {text}"))
        elif key == "kind" and (problems := dns1035_label(text.lower())):
            why = "may have mixed case, but should otherwise match: "
            found.append(invalid(prefix + key, text, why + ",".join(problems)))
    if "metadata" in value:
        meta = msgspec.convert(value["metadata"] or {}, ObjectMeta)  # made proper when the object was decoded
        named = meta if meta.name else msgspec.structs.replace(meta, name="fakename")
        found += validate_metadata(
            named, namespaced=bool(meta.namespace), name_format=path_segment, path=f"{prefix}metadata"
        )
    return found


def check_lists(value: Any, schema: Schema | None, path: str) -> Errors:
    """Sets hold nothing twice, keyed lists no key twice."""
    found: Errors = []
    if not isinstance(schema, dict):
        return found
    prefix = f"{path}." if path else ""
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            if key in properties:
                found += check_lists(item, properties[key], prefix + key)
            elif isinstance(more, dict):
                found += check_lists(item, more, f"{path}[{key}]")
    elif isinstance(value, list):
        match schema.get("x-kubernetes-list-type"):
            case "set":
                found += _repeated(value, path)
            case "map":
                found += _keyed(value, schema, path)
        for index, item in enumerate(value):
            found += check_lists(item, schema.get("items"), f"{path}[{index}]")
    return found


def _keyed(value: list[Any], schema: Schema, path: str) -> Errors:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            return [invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    names = schema.get("x-kubernetes-list-map-keys", ())
    keys = [{name: item[name] for name in names if name in item} for item in (item or {} for item in value)]
    return _repeated(keys, path)


def _repeated(values: list[Any], path: str) -> Errors:
    """Each value that is there again is named once, where it is for the second time."""
    seen: dict[bytes, int] = {}
    found: Errors = []
    for index, value in enumerate(values):
        text = msgspec.json.encode(value, order="deterministic")
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            found.append(FieldError("FieldValueDuplicate", f"{path}[{index}]", f"Duplicate value: {show(value)}"))
    return found
