"""Writes an OpenAPI v2 document in the protobuf form that kubectl up to 1.26 validates with. Pure.

Source: github.com/google/gnostic openapiv2/OpenAPIv2.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
#: Where a parameter stands, in the NonBodyParameter message.
_PLACES = {"query": 3, "path": 4}
#: The number of `type` in the message of each place.
_TYPES = {"query": 6, "path": 5}


def encode_document(document: Mapping[str, Any]) -> bytes:
    """`document` as its JSON form has it."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_message(2, _named(path, _item(item))) for path, item in document["paths"].items())
    definitions = b"".join(_message(1, _named(name, _schema(part))) for name, part in document["definitions"].items())
    return _text(1, document["swagger"]) + _message(2, info) + _message(8, paths) + _message(9, definitions)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _flag(number: int) -> bytes:
    return _varint(number << 3) + b"\1"


def _named(name: str, body: bytes) -> bytes:
    return _text(1, name) + _message(2, body)


def _extensions(number: int, part: Mapping[str, Any]) -> bytes:
    """Vendor extensions, each as its YAML text; JSON is YAML."""
    found = ((key, value) for key, value in part.items() if key.startswith("x-"))
    return b"".join(
        _message(number, _named(key, _text(2, msgspec.json.encode(value).decode()))) for key, value in found
    )


def _item(item: Mapping[str, Any]) -> bytes:
    operations = b"".join(_message(_METHODS[method], _operation(item[method])) for method in _METHODS if method in item)
    return operations + b"".join(_message(9, _parameter(entry)) for entry in item["parameters"])


def _operation(operation: Mapping[str, Any]) -> bytes:
    parameters = b"".join(_message(8, _parameter(entry)) for entry in operation["parameters"])
    answer = _text(1, "OK")  # Response.description
    named = _text(1, "200") + _message(2, _message(1, answer))  # NamedResponseValue
    return parameters + _message(9, _message(1, named)) + _extensions(13, operation)


def _parameter(entry: Mapping[str, Any]) -> bytes:
    """ParametersItem of a Parameter of a NonBodyParameter."""
    where = entry["in"]
    body = _flag(1) if entry.get("required") else b""
    body += _text(2, where) + _text(4, entry["name"]) + _text(_TYPES[where], entry["type"])
    return _message(1, _message(2, _message(_PLACES[where], body)))


def _schema(schema: Mapping[str, Any]) -> bytes:
    return b"".join(_schema_parts(schema)) + _extensions(31, schema)


def _schema_parts(schema: Mapping[str, Any]) -> Iterator[bytes]:
    if "$ref" in schema:
        yield _text(1, schema["$ref"])
    if "format" in schema:
        yield _text(2, schema["format"])
    if "description" in schema:
        yield _text(4, schema["description"])
    for name in schema.get("required", ()):
        yield _text(19, name)
    if "additionalProperties" in schema:
        yield _message(21, _message(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        yield _message(22, _text(1, schema["type"]))
    if "items" in schema:
        yield _message(23, _message(1, _schema(schema["items"])))
    if "properties" in schema:
        named = (_named(name, _schema(part)) for name, part in schema["properties"].items())
        yield _message(25, b"".join(_message(1, entry) for entry in named))
