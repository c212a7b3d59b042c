"""Decodes a body in Kubernetes' protobuf form into the dict that its JSON form would give. Pure.

Typed Go clients (client-go since 0.32, kubectl since 1.32, controller-runtime) send it for built-in kinds; answers stay JSON,
which all of them accept. A body is four magic bytes and an Unknown message that wraps the object; how each type's fields are
numbered is in `protobuf_fields`.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding, https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import base64
import inspect
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from kubelite.api.apiextensions_v1 import JSONSchemaProps
from kubelite.api.protobuf_fields import FIELD_NUMBERS

_SCHEMA_OR = frozenset({"items", "additionalProperties", "additionalItems", "dependencies"})
MAGIC = b"k8s\0"
_DEPTH = 64
Read = Callable[[Any, int], Any]


class Malformed(ValueError):
    """The bytes are not what the type's message looks like."""


class _Field(msgspec.Struct, frozen=True):
    """How one field is read; an inlined message has `inline` instead of a name."""

    name: str = ""
    read: Read | None = None
    repeated: bool = False
    entry: bool = False
    inline: Mapping[int, _Field] | None = None


def unwrap(body: bytes) -> tuple[str, str, bytes]:
    """(apiVersion, kind, message) of a wrapped object. Raises: Malformed."""
    if not body.startswith(MAGIC):
        raise Malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    version = kind = ""
    raw = b""
    for number, value in _fields(body[len(MAGIC) :]):
        if number == 1 and isinstance(value, bytes):
            for inner, text in _fields(value):
                if inner == 1:
                    version = _text(text, 0)
                elif inner == 2:
                    kind = _text(text, 0)
        elif number == 2 and isinstance(value, bytes):
            raw = value
    return version, kind, raw


def decode(type_: type[msgspec.Struct], message: bytes, depth: int = 0) -> dict[str, Any]:
    """The message as JSON-like data. Raises: Malformed.

    >>> from kubelite.api.core_v1 import ConfigMap
    >>> decode(ConfigMap, bytes([10, 3, 10, 1]) + b"a" + bytes([18, 6, 10, 1]) + b"k" + bytes([18, 1]) + b"v")
    {'metadata': {'name': 'a'}, 'data': {'k': 'v'}}
    """
    if depth > _DEPTH:
        raise Malformed("too deeply nested")
    found: dict[str, Any] = {}
    _decode_into(found, _plan(type_), message, depth)
    return found


def _decode_into(found: dict[str, Any], plan: Mapping[int, _Field], message: bytes, depth: int) -> None:
    for number, value in _fields(message):
        if (field := plan.get(number)) is None:
            continue
        if field.inline is not None:
            _decode_into(found, field.inline, _bytes(value), depth)
        elif field.read is None:
            continue
        elif field.entry:
            key, item = _entry(field.read, _bytes(value), depth)
            found.setdefault(field.name, {})[key] = item
        elif field.repeated:
            found.setdefault(field.name, []).append(field.read(value, depth))
        else:
            found[field.name] = field.read(value, depth)


def _entry(read: Read, message: bytes, depth: int) -> tuple[str, Any]:
    key, value = "", None
    for number, part in _fields(message):
        if number == 1:
            key = _text(part, depth)
        elif number == 2:
            value = read(part, depth)
    return key, value if value is not None else read(b"", depth)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: a number for varints and fixed sizes, else bytes."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
                yield tag >> 3, value
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                if at + size > end:
                    raise Malformed("unexpected EOF")
                yield tag >> 3, message[at : at + size]
                at += size
            case 2:
                size, at = _varint(message, at)
                if at + size > end:
                    raise Malformed("unexpected EOF")
                yield tag >> 3, message[at : at + size]
                at += size
            case wire:
                raise Malformed(f"proto: illegal wireType {wire}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise Malformed("unexpected EOF")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


# -- readers of one value, by the type's kind ------------------------------------------------------------------------


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("proto: wrong wireType")
    return value


def _text(value: Any, depth: int) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise Malformed(str(error)) from error


def _base64(value: Any, depth: int) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _integer(value: Any, depth: int) -> int:
    if not isinstance(value, int):
        raise Malformed("proto: wrong wireType")
    return value - (1 << 64) if value >> 63 else value


def _boolean(value: Any, depth: int) -> bool:
    return bool(value)


def _double(value: Any, depth: int) -> float:
    try:
        number: float = struct.unpack("<d", _bytes(value))[0]
    except struct.error as error:
        raise Malformed(str(error)) from error
    return number


def _quantity(value: Any, depth: int) -> str:
    return next((_text(text, depth) for number, text in _fields(_bytes(value)) if number == 1), "0")


def _int_or_string(value: Any, depth: int) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b""), depth) if parts.get(1) else _integer(parts.get(2, 0), depth)


def _time(value: Any, depth: int) -> str | None:
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None
    seconds, nanos = _integer(parts.get(1, 0), depth), _integer(parts.get(2, 0), depth)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed(str(error)) from error
    fraction = f".{nanos // 1000:06d}" if nanos else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _raw_json(value: Any, depth: int) -> Any:
    raw = next((part for number, part in _fields(_bytes(value)) if number == 1), b"")
    try:
        return msgspec.json.decode(_bytes(raw)) if raw else None
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error


def _strings(value: Any, depth: int) -> list[str]:
    """A map's value that is a list of strings, in a message of its own."""
    return [_text(text, depth) for number, text in _fields(_bytes(value)) if number == 1]


def _schema_or(value: Any, depth: int) -> Any:
    """JSONSchemaPropsOrBool, OrArray and OrStringArray: a schema, or what stands for one."""
    found: Any = None
    for number, part in _fields(_bytes(value)):
        if number == 1 and isinstance(part, int):
            found = bool(part)
        elif number == 1:
            found = decode(JSONSchemaProps, _bytes(part), depth + 1)
        else:
            text = _bytes(part)
            schema = text.decode() if not text.startswith(b"\x0a") else decode(JSONSchemaProps, text, depth + 1)
            found = [*(found if isinstance(found, list) else []), schema]
    return found


# -- plans -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _plan(type_: Any) -> Mapping[int, _Field]:
    """How each numbered field of a type's message is read."""
    hints = get_type_hints(type_)
    fields = msgspec.structs.fields(type_)
    module = type_.__module__.rpartition(".")[2]
    listed = FIELD_NUMBERS.get(f"{module}.{type_.__name__}")
    paths = _paths(listed) if listed else [(number,) for number in range(1, len(fields) + 1)]
    plan: dict[int, Any] = {}
    for field, path in zip(fields, paths, strict=True):
        at = plan
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = _field(type_, field.name, field.encode_name, hints[field.name])
    return _frozen(plan)


def _frozen(plan: dict[int, Any]) -> Mapping[int, _Field]:
    return {
        number: _Field(inline=_frozen(entry)) if isinstance(entry, dict) else entry for number, entry in plan.items()
    }


def _paths(text: str) -> list[tuple[int, ...]]:
    """
    >>> _paths("1-2 2.5-6 9")
    [(1,), (2,), (2, 5), (2, 6), (9,)]
    """
    paths: list[tuple[int, ...]] = []
    for word in text.split():
        head, _, run = word.rpartition(".")
        prefix = tuple(int(step) for step in head.split(".")) if head else ()
        first, _, last = run.partition("-")
        paths += [(*prefix, number) for number in range(int(first), int(last or first) + 1)]
    return paths


def _field(type_: Any, attribute: str, name: str, hint: Any) -> _Field:
    hint = _bare(hint)
    origin, args = get_origin(hint), get_args(hint)
    written = next((text for c in type_.__mro__ if (text := inspect.get_annotations(c).get(attribute))), "")
    is_time = "Time" in str(written)
    if type_ is JSONSchemaProps and name in _SCHEMA_OR:
        return _Field(name, _schema_or, entry=name == "dependencies")
    if origin is tuple:
        return _Field(name, _reader(_bare(args[0]), is_time=is_time), repeated=True)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = _bare(args[1])
        return _Field(name, _strings if get_origin(value) is tuple else _reader(value), entry=True)
    return _Field(name, _reader(hint, is_time=is_time))


def _bare(hint: Any) -> Any:
    """Without annotations and None."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        kept = tuple(arg for arg in get_args(hint) if arg is not NoneType)
        return _bare(kept[0]) if len(kept) == 1 else Union[kept]  # noqa: UP007  # made at run time
    return hint


_READERS: dict[Any, Read] = {
    str: _text,
    int: _integer,
    bool: _boolean,
    float: _double,
    bytes: _base64,
    Any: _raw_json,
    Union[str, int, float]: _quantity,  # noqa: UP007  # compared, not annotated
    Union[int, str]: _int_or_string,  # noqa: UP007
    Union[int, float]: _double,  # noqa: UP007
}


def _reader(hint: Any, *, is_time: bool = False) -> Read:
    if is_time:
        return _time
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return lambda value, depth: decode(hint, _bytes(value), depth + 1)
    return _READERS[hint]
