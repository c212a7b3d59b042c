"""What a custom kind's schema means to the rules in it: types that rules are checked against, values as they see them. Pure.

Source: k8s.io/apiserver v0.33 pkg/cel/common/{schemas,values}.go, pkg/cel/escaping.go,
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.lexer import RESERVED
from kubelite.api.cel.library_time import parse_duration, parse_timestamp
from kubelite.api.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    object_type,
)
from kubelite.api.cel.values import OpenList

#: The largest request.
MOST_BYTES = 3 * 1024 * 1024

Schema = Mapping[str, Any]
Convert = Callable[[Any], Any]
_RESERVED = RESERVED | {"true", "false", "null", "in"}
_ESCAPED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.\-/]*", re.ASCII)
#: The most and the fewest bytes of times by format.
_TIMES = {"duration": (32, 3), "date": (12, 12), "date-time": (32, 21)}
_SCALARS = {"boolean": BOOL, "number": DOUBLE, "integer": INT}
_FORMATS = {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}
_META: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}


def escape(name: str) -> str | None:
    """A property's name as rules write it; None if they cannot.

    >>> [escape(name) for name in ("plain", "a-b", "x__y", "namespace", "1st")]
    ['plain', 'a__dash__b', 'x__underscores__y', '__namespace__', None]
    """
    if name in _RESERVED:
        return f"__{name}__"
    if _NAME.fullmatch(name) is None:
        return None
    return re.sub(r"__|[.\-/]", lambda match: _ESCAPED[match.group()], name)


def with_head(schema: Schema) -> Schema:
    """The schema of a whole object, with what every object has."""
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    metadata = schema.get("properties", {}).get("metadata", {})
    properties = {**schema.get("properties", {}), **own, "metadata": {**_META, **metadata, **_META}}
    return {**schema, "type": "object", "properties": properties}


def declare(schema: Schema, *, is_root: bool = False) -> Type | None:
    """The type of a value of the schema; None for what rules do not see."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    if is_root or schema.get("x-kubernetes-embedded-resource"):
        schema = with_head(schema)
    match schema.get("type", ""):
        case "array":
            item = declare(schema["items"]) if isinstance(schema.get("items"), dict) else None
            return list_of(item) if item is not None else None
        case "object":
            more = schema.get("additionalProperties")
            if isinstance(more, dict):
                value = declare(more)
                return map_of(STRING, value) if value is not None else None
            fields: dict[str, tuple[str, Type]] = {}
            for name, part in schema.get("properties", {}).items():
                escaped, type_ = escape(name), declare(part)
                if escaped is not None and type_ is not None:
                    fields[escaped] = (name, type_)
            return object_type("object", fields)
        case "string":
            return _FORMATS.get(schema.get("format", ""), STRING)
        case name:
            return _SCALARS.get(name)


class Sized(Struct, frozen=True):
    """How large a value can be: its most elements (or bytes of text), and the fewest bytes that it takes in a request."""

    most: int
    least_bytes: int
    fields: Mapping[str, Sized] = {}
    item: Sized | None = None  #: of a list or map
    is_map: bool = False

    def at(self, path: tuple[str, ...]) -> int | None:
        """The most elements of what is reached from a variable."""
        found: Sized | None = self
        for at, name in enumerate(path[1:], 1):
            if found is None:
                return None
            if name == "@keys":
                return 0 if found.is_map and at == len(path) - 1 else None
            found = found.item if name in ("@items", "@values") else found.fields.get(name)
        return found.most if found is not None else None


def measure(schema: Schema, *, is_root: bool = False) -> Sized | None:
    """Beside `declare`: how large values of the schema can be."""
    if schema.get("x-kubernetes-int-or-string"):
        return Sized(MOST_BYTES - 2, 1)
    if is_root or schema.get("x-kubernetes-embedded-resource"):
        schema = with_head(schema)
    match schema.get("type", ""):
        case "array":
            item = measure(schema["items"]) if isinstance(schema.get("items"), dict) else None
            if item is None:
                return None
            most = schema.get("maxItems", (MOST_BYTES - 2) // (item.least_bytes + 1))
            return Sized(max(most, 0), 2, item=item)
        case "object":
            return _measure_object(schema)
        case "string":
            return _measure_text(schema)
        case "boolean":
            return Sized(0, 4)
        case "number" | "integer":
            return Sized(0, 1)
    return None


def _measure_object(schema: Schema) -> Sized | None:
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        item = measure(more)
        if item is None:
            return None
        most = schema.get("maxProperties", (MOST_BYTES - 2) // (item.least_bytes + 6))
        return Sized(max(most, 0), 2, item=item, is_map=True)
    fields: dict[str, Sized] = {}
    least_bytes = 2
    for name, part in schema.get("properties", {}).items():
        size, escaped = measure(part), escape(name)
        if size is None:
            continue
        if escaped is not None:
            fields[escaped] = size
        if name in schema.get("required", ()) and part.get("default") is None:
            least_bytes += len(name) + size.least_bytes + 4
    return Sized(0, least_bytes, fields)


def _measure_text(schema: Schema) -> Sized:
    format_ = schema.get("format", "")
    if format_ in _TIMES:
        return Sized(*_TIMES[format_])
    longest = schema.get("maxLength")
    if longest is not None:
        return Sized(max(longest, 0) * (1 if format_ == "byte" else 4), 2)
    if schema.get("enum") and format_ != "byte":
        return Sized(max(len(item.encode()) for item in schema["enum"] if isinstance(item, str)), 2)
    return Sized(MOST_BYTES - 2, 2)


def converter(schema: Schema) -> Convert | None:
    """What makes of plain data the values that rules see; None where they are the same."""
    if schema.get("x-kubernetes-int-or-string"):
        return None
    match schema.get("type", ""):
        case "array":
            return _list_converter(schema)
        case "object":
            return _object_converter(schema)
        case "number":
            return lambda value: float(value) if type(value) is int else value
        case "string":
            return _text_converter(schema.get("format", ""))
    return None


def _list_converter(schema: Schema) -> Convert | None:
    items = schema.get("items")
    convert = converter(items) if isinstance(items, dict) else None
    kind = schema.get("x-kubernetes-list-type", "atomic")
    keys = tuple(schema.get("x-kubernetes-list-map-keys", ())) if kind == "map" else ()
    if convert is None and kind == "atomic":
        return None

    def run(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        made = [convert(item) for item in value] if convert is not None else value
        return made if kind == "atomic" else OpenList(made, keys)

    return run


def _object_converter(schema: Schema) -> Convert | None:
    more = schema.get("additionalProperties")
    every = converter(more) if isinstance(more, dict) else None
    parts = {
        name: found for name, part in schema.get("properties", {}).items() if (found := converter(part)) is not None
    }
    names = schema.get("properties", {})
    has_nullable = any(part.get("nullable") for part in names.values())
    if every is None and not parts and not has_nullable:
        return None

    def run(value: Any) -> Any:
        """Fields that are null are not there, other than items and values."""
        if not isinstance(value, dict):
            return value
        made = {key: item for key, item in value.items() if item is not None or key not in names}
        for key, item in made.items():
            convert = parts.get(key, every)
            if convert is not None:
                made[key] = convert(item)
        return made

    return run


def _text_converter(format_: str) -> Convert | None:
    parse: dict[str, Convert] = {
        "byte": lambda text: b64decode(text, validate=True),
        "duration": parse_duration,
        "date": lambda text: parse_timestamp(f"{text}T00:00:00Z"),
        "date-time": parse_timestamp,
    }
    if format_ not in parse:
        return None

    def run(value: Any) -> Any:
        try:
            return parse[format_](value) if isinstance(value, str) else value
        except (CelError, binascii.Error):  # the schema's own check tells of that
            return value

    return run
