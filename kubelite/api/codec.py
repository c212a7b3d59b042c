"""Objects to bytes and back, once per revision.

The stored form of an object is its JSON without kind, apiVersion and metadata.resourceVersion: these three are constant or
known from the store, and stand at the front, so an answer is made by splicing bytes:

>>> from kubelite.api.core_v1 import ConfigMap
>>> from kubelite.api.meta import ObjectMeta
>>> stored = encode_stored(ConfigMap(metadata=ObjectMeta(name="a")))
>>> stored
b'{"metadata":{"name":"a"}}'
>>> splice(stored, 7, ConfigMap)
b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"}}'

Items of a list carry no kind, as upstream's. Of custom kinds the content stands beside the metadata, its keys in order; where
such a kind has several versions, the one that was stored stands at the end.
What a client sends is decoded by `decode`, whose errors are BadRequests.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from kubelite.api.custom import CustomObject
from kubelite.api.custom_schema import well_formed
from kubelite.api.errors import BadRequest
from kubelite.api.meta import Object, ObjectMeta, TypedValue
from kubelite.api.versions import conversion_of

T = TypeVar("T")
O = TypeVar("O", bound=Object)  # noqa: E741

_ENCODER = msgspec.json.Encoder()
_CONTENT_ENCODER = msgspec.json.Encoder(order="deterministic")
_HEAD = b'{"metadata":{'


class _CustomDecoder:
    """Decodes objects of a custom kind, as they are."""

    def __init__(self, type_: type[CustomObject]) -> None:
        self._type = type_

    def decode(self, body: bytes) -> CustomObject:
        plain = msgspec.json.decode(body, type=dict[str, Any])
        metadata = msgspec.convert(plain.pop("metadata", {}), ObjectMeta)
        plain.pop("kind", None)
        plain.pop("apiVersion", None)
        return self._type(metadata=metadata, content=plain)


@lru_cache(maxsize=1024)
def _decoder(type_: Any) -> Any:
    if issubclass(type_, CustomObject):
        return _CustomDecoder(type_)
    return msgspec.json.Decoder(type_)


def decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """The compiled decoder of a type."""
    hashable: Any = type_
    found: msgspec.json.Decoder[T] = _decoder(hashable)
    return found


def _encoded(value: TypedValue) -> bytes:
    if not isinstance(value, CustomObject):
        return _ENCODER.encode(value)
    metadata = b'{"metadata":%b' % _ENCODER.encode(value.metadata)
    if not value.content:
        return metadata + b"}"
    return b"%b,%b" % (metadata, _CONTENT_ENCODER.encode(value.content)[1:])


@lru_cache(maxsize=1024)
def type_head(type_: type[TypedValue]) -> bytes:
    """`{"kind":"Pod","apiVersion":"v1"` : what every encoding of the type starts with."""
    return b'{"kind":"%b","apiVersion":"%b"' % (type_.kind.encode(), type_.api_version.encode())


def encode_stored(obj: Object) -> bytes:
    """The bytes that the store keeps. resourceVersion is left out."""
    if obj.metadata.resource_version:
        obj = msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, resource_version=""))
    return _encoded(obj)


def present_form(type_: type[Object], stored: bytes) -> bytes:
    """What was stored, as objects of the type are now: another version, or of a custom kind whose schema has changed."""
    if not issubclass(type_, CustomObject):
        conversion = conversion_of(type_)
        return stored if conversion is None else encode_stored(conversion.load(_plain(conversion.stored, stored)))
    obj = decoder(type_).decode(splice(stored, 0))
    try:
        return encode_stored(msgspec.structs.replace(obj, content=well_formed(type_, obj.content)))
    except BadRequest:  # written under another schema, and malformed under this one: shown as it is
        return stored


def _plain(type_: type[O], stored: bytes) -> O:
    return decoder(type_).decode(splice(stored, 0))


def stored_form(obj: Object, shown: bytes) -> bytes:
    """What the store keeps of `obj`, whose own encoding is `shown`: the same, but in the version that is stored."""
    if isinstance(obj, CustomObject):
        definition = type(obj).definition
        return shown[:-1] + _version_mark(type(obj), definition.stored_version) if definition.has_versions else shown
    conversion = conversion_of(type(obj))
    return shown if conversion is None else encode_stored(conversion.store(obj))


def _version_mark(type_: type[CustomObject], version: str) -> bytes:
    """What the stored form of a kind with several versions ends with."""
    return b',"apiVersion":"%b/%b"}' % (type_.definition.group.encode(), version.encode())


class _Marked(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""


def version_of(type_: type[CustomObject], stored: bytes) -> str:
    """The version in which an object of a custom kind was stored."""
    definition = type_.definition
    if not definition.has_versions or stored.endswith(_version_mark(type_, definition.stored_version)):
        return definition.stored_version
    return msgspec.json.decode(stored, type=_Marked).api_version.rpartition("/")[2] or definition.first_version


def splice(stored: bytes, revision: int, type_: type[TypedValue] | None = None) -> bytes:
    """The wire form of a stored object at `revision` (0: not stored yet); without `type_` that of a list's item."""
    head = b"%b,%b" % (type_head(type_), _HEAD[1:]) if type_ else _HEAD
    if not revision:
        return head + stored[len(_HEAD) :]
    return b'%b"resourceVersion":"%d",%b' % (head, revision, stored[len(_HEAD) :])


def decode_stored(type_: type[O], stored: bytes, revision: int) -> O:
    """The object that the store keeps at `revision`, resourceVersion included."""
    return decoder(type_).decode(splice(stored, revision))


def encode(value: TypedValue) -> bytes:
    """The wire form of any typed value.

    >>> from kubelite.api.core_v1 import ConfigMap
    >>> from kubelite.api.meta import ObjectMeta
    >>> encode(ConfigMap(metadata=ObjectMeta(name="a")))
    b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}'
    """
    body = _encoded(value)
    head = type_head(type(value))
    return b"%b}" % head if body == b"{}" else b"%b,%b" % (head, body[1:])


def to_builtins(value: TypedValue) -> dict[str, Any]:
    """The object as plain dicts and lists, kind and apiVersion first, as YAML and patches want it."""
    plain: dict[str, Any] = msgspec.json.decode(_encoded(value))  # lists, where `msgspec.to_builtins` has tuples
    return {"kind": type(value).kind, "apiVersion": type(value).api_version, **plain}
