"""Whether plain values satisfy an OpenAPI schema; what does not, in upstream's words. Pure.

On an update, parts that were as wrong before are let pass (ratcheting). Source: k8s.io/kube-openapi pkg/validation/validate,
k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/validation/{validation,ratcheting}.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelite.api.custom import Schema
from kubelite.api.custom_formats import is_format
from kubelite.api.errors import FieldError
from kubelite.api.validation_field import Errors, invalid, required, show, too_long

#: No old value to compare with.
ABSENT: Any = object()


def check_values(value: Any, schema: Schema, *, old: Any = ABSENT, path: str = "") -> Errors:
    """What is wrong with `value`. Messages name fields from its root; the causes' fields start with `path`."""
    found = list(_check(value, schema, "", old))
    return [_below(path, error) for error in found] if path else found


def _below(path: str, error: FieldError) -> FieldError:
    field = path if error.field in ("<nil>", "") else f"{path}.{error.field.removeprefix('.')}"
    return FieldError(error.type, field, error.detail)


def kind_of(value: Any) -> str:
    """
    >>> [kind_of(value) for value in ({}, [], "a", True, 1, 1.5, 2.0, None)]
    ['object', 'array', 'string', 'boolean', 'integer', 'number', 'number', 'null']
    """
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return kinds.get(type(value), "null")


def _check(value: Any, schema: Schema, name: str, old: Any) -> Iterator[FieldError]:
    if name and old is not ABSENT and value == old and type(value) is type(old):
        return
    if value is None and schema.get("nullable"):
        return
    yield from _type(value, schema, name)
    yield from _combined(value, schema, name, old)
    if isinstance(value, str):
        yield from _string(value, schema, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, name)
    elif isinstance(value, list):
        yield from _list(value, schema, name, old)
    elif isinstance(value, dict):
        yield from _object(value, schema, name, old)
    enum = schema.get("enum")
    if enum and not any(value == item and kind_of(value) == kind_of(item) for item in enum):
        listed = ", ".join(show(item) if isinstance(item, str) else f'"{show(item)}"' for item in enum)
        yield FieldError(
            "FieldValueNotSupported", name, f"Unsupported value: {show(value)}: supported values: {listed}"
        )


def _type(value: Any, schema: Schema, name: str) -> Iterator[FieldError]:
    wanted = ("integer", "string") if schema.get("x-kubernetes-int-or-string") else (schema.get("type", ""),)
    kind = kind_of(value)
    if wanted == ("",) or kind in wanted or (kind == "integer" and "number" in wanted):
        return
    if kind == "number" and "integer" in wanted and float(value).is_integer():
        return
    text = f'{name} in body must be of type {",".join(wanted)}: "{kind}"'
    yield FieldError("FieldValueTypeInvalid", name, f'Invalid value: "{kind}": {text}')


def _combined(value: Any, schema: Schema, name: str, old: Any) -> Iterator[FieldError]:
    if any_of := schema.get("anyOf"):
        tried = [list(_check(value, part, name, old)) for part in any_of]
        if all(tried):
            yield _junction(f'"{name}" must validate at least one schema (anyOf)')
            yield from min(tried, key=len)
    if one_of := schema.get("oneOf"):
        tried = [list(_check(value, part, name, old)) for part in one_of]
        valid = tried.count([])
        if valid != 1:
            how = f"Found {valid} valid alternatives" if valid else "Found none valid"
            yield _junction(f'"{name}" must validate one and only one schema (oneOf). {how}')
            if not valid:
                yield from min(tried, key=len)
    if all_of := schema.get("allOf"):
        tried = [list(_check(value, part, name, old)) for part in all_of]
        yield from (error for found in tried for error in found)
        if any(tried):
            none = ". None validated" if all(tried) else ""
            yield _junction(f'"{name}" must validate all the schemas (allOf){none}')
    if (negated := schema.get("not")) is not None and not any(True for _ in _check(value, negated, name, ABSENT)):
        yield _junction(f'"{name}" must not validate the schema (not)')


def _junction(text: str) -> FieldError:
    return FieldError("FieldValueInvalid", "<nil>", f'Invalid value: "": {text}')


def _string(value: str, schema: Schema, name: str) -> Iterator[FieldError]:
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is not None and len(value) > longest:  # of the first three only one is told
        yield too_long(name, longest)
    elif shortest is not None and len(value) < shortest:
        yield invalid(name, value, f"{name} in body should be at least {shortest} chars long")
    elif pattern and not _compiled(pattern).search(value):
        yield invalid(name, value, f"{name} in body should match '{pattern}'")
    format_ = schema.get("format", "")
    if format_ and not is_format(format_, value):
        text = f"{name} in body must be of type {format_}: {show(value)}"
        yield FieldError("FieldValueTypeInvalid", name, f"Invalid value: {show(value)}: {text}")


def _compiled(pattern: str) -> Any:
    """Raises: CelError."""
    from kubelite.api.cel.regex import compiled  # loaded with the first pattern

    return compiled(pattern)


def is_pattern(pattern: str) -> bool:
    from kubelite.api.cel.errors import CelError

    try:
        _compiled(pattern)
    except CelError:
        return False
    return True


def _number(value: float, schema: Schema, name: str) -> Iterator[FieldError]:
    most, least, factor = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    if most is not None and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        how = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid(name, value, f"{name} in body should be {how} {_number_text(most)}")
    if least is not None and (value < least or (value == least and schema.get("exclusiveMinimum"))):
        how = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid(name, value, f"{name} in body should be {how} {_number_text(least)}")
    if factor and not float(value / factor).is_integer():
        yield invalid(name, value, f"{name} in body should be a multiple of {_number_text(factor)}")


def _number_text(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e21 else repr(float(number))


def _list(value: list[Any], schema: Schema, name: str, old: Any) -> Iterator[FieldError]:
    items = schema.get("items")
    if isinstance(items, dict):
        before = _correlated(schema, value, old)
        for index, item in enumerate(value):
            yield from _check(item, items, f"{name}[{index}]", before[index])
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        yield invalid(name, len(value), f"{name} in body should have at least {least} items")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        yield FieldError("FieldValueTooMany", name, text)


def _correlated(schema: Schema, value: list[Any], old: Any) -> list[Any]:
    """For each item the one that it replaces: by its keys, or the same one of a set."""
    if not isinstance(old, list):
        return [ABSENT] * len(value)
    match schema.get("x-kubernetes-list-type", "atomic"):
        case "map":
            keys = schema.get("x-kubernetes-list-map-keys", ())
            known = {repr([item.get(key) for key in keys]): item for item in old if isinstance(item, dict)}
            return [
                known.get(repr([item.get(key) for key in keys]), ABSENT) if isinstance(item, dict) else ABSENT
                for item in value
            ]
        case "set":
            return [item if item in old else ABSENT for item in value]
        case _:
            return [ABSENT] * len(value)


def _object(value: dict[str, Any], schema: Schema, name: str, old: Any) -> Iterator[FieldError]:
    prefix = f"{name}." if name else ""
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        yield invalid(name, least, f"{name} in body should have at least {least} properties")
    if most is not None and len(value) > most:
        yield FieldError("FieldValueTooMany", name, f"Too many: {len(value)}: must have at most {most} items")
    for key in schema.get("required", ()):
        if key not in value:
            yield required(f"{prefix}{key}")
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for key, item in value.items():
        part = properties.get(key, more)
        if isinstance(part, dict):
            yield from _check(item, part, f"{prefix}{key}", before.get(key, ABSENT))
