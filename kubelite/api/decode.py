"""What a client sent as a typed object, or upstream's words for what is wrong with it. Pure.

The fast decoder reads the body first. Only what it refuses is walked beside the type: null counts as absent everywhere, and
the first value of a wrong type is named as Go names it. Unknown and repeated fields are ignored here and listed by
`strict_errors`. Source: k8s.io/apiserver pkg/endpoints/handlers/{create,rest}.go; k8s.io/apimachinery
pkg/runtime/serializer/json; sigs.k8s.io/json
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from kubelite.api import codec, json_text, quantity
from kubelite.api.custom import CustomObject, check_head
from kubelite.api.custom_schema import unknown_fields, well_formed
from kubelite.api.errors import BadRequest
from kubelite.api.meta import ObjectMeta, TypedValue
from kubelite.api.shapes import ANY, Shape, fields_of, go_type, shape_of

V = TypeVar("V", bound=TypedValue)

_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_MISSING: Any = object()


class _Head(msgspec.Struct, rename="camel", gc=False):
    kind: str | None = None
    api_version: str | None = None


_GO_HEAD = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
_HEAD_DECODER = msgspec.json.Decoder(_Head)


def parse_body(type_: type[TypedValue], body: bytes, content_type: str = "application/json") -> dict[str, Any]:
    """The body as plain data in which repeated keys are remembered for `strict_errors`. Raises: BadRequest."""
    try:
        plain = _yaml(body) if "yaml" in content_type else json_text.parse(body)
    except ValueError as error:
        why = str(error) if "yaml" in content_type else f"couldn't get version/kind; json parse error: {error}"
        raise _unrecognized(type_, why, body) from None
    if plain is None:
        plain = {}
    if not isinstance(plain, dict):
        why = f"couldn't get version/kind; json parse error: json: cannot unmarshal {_kind_of(plain)} into Go value of type "
        raise _unrecognized(type_, why + _GO_HEAD, body)
    return plain


def _yaml(body: bytes) -> Any:
    from kubelite.api import yaml_text

    return yaml_text.load(body)


def decode_object(type_: type[V], body: bytes | dict[str, Any], content_type: str = "application/json") -> V:
    """The object of `type_` in a body, or in what `parse_body` made of it. An absent kind or apiVersion is that of the type.

    Raises: BadRequest.
    """
    if isinstance(body, bytes) and "yaml" not in content_type and not issubclass(type_, CustomObject):
        try:
            head = _HEAD_DECODER.decode(body)
            found = codec.decoder(type_).decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            _check_kind(type_, head.kind, head.api_version, body)
            _check_quantities(type_, found)
            return found
    plain = body if isinstance(body, dict) else parse_body(type_, body, content_type)
    source = body if isinstance(body, bytes) else None
    return _from_plain(type_, plain, source)


def _from_plain(type_: type[V], plain: dict[str, Any], source: bytes | None) -> V:
    for key in ("kind", "apiVersion"):
        value = plain.get(key)
        if value is not None and not isinstance(value, str):
            why = "couldn't get version/kind; json parse error: json: cannot unmarshal "
            field = "APIVersion" if key == "apiVersion" else "Kind"
            why += f"{_kind_of(value)} into Go struct field .{key} of type string"
            raise _unrecognized(type_, why, source or msgspec.json.encode({key: value, field: None}))
    if issubclass(type_, CustomObject):
        custom: V = _custom(type_, plain)
        return custom
    _check_kind(type_, plain.get("kind"), plain.get("apiVersion"), source or b"{}")
    try:
        found = msgspec.convert(plain, type_)
    except (msgspec.ValidationError, RecursionError) as refused:
        try:
            found = msgspec.convert(_Cleaner(type_).clean(plain, shape_of(type_), (), ""), type_)
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else str(refused)
            raise _cannot_handle(type_, type_.kind, type_.api_version, why) from None
    _check_quantities(type_, found)
    return found


def _custom(type_: Any, plain: dict[str, Any]) -> Any:
    """An object of a custom kind: typed metadata; of the content what its schema knows, and the schema's defaults."""
    check_head(type_, plain)
    sent = {"metadata": plain.get("metadata") or {}}
    try:
        metadata = msgspec.convert(sent["metadata"], ObjectMeta)
    except msgspec.ValidationError:
        try:
            cleaned = _Cleaner(type_).clean(sent, shape_of(type_), (), "")
            metadata = msgspec.convert(cleaned["metadata"], ObjectMeta)
        except (msgspec.ValidationError, ValueError) as error:
            raise _cannot_handle(type_, type_.kind, type_.api_version, str(error)) from None
    return type_(metadata=metadata, content=well_formed(type_, _content(plain)))


def _content(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key not in ("kind", "apiVersion", "metadata")}


def strict_errors(type_: type[TypedValue], body: bytes | dict[str, Any]) -> list[str]:
    """Every unknown or repeated field of a body that decodes: `unknown field "spec.foo"`. Each is also a warning's text."""
    plain = json_text.parse(body) if isinstance(body, bytes) else body
    found = list(plain.texts) if isinstance(plain, json_text.Repeated) else []
    if issubclass(type_, CustomObject):
        _collect(plain, ANY, "", found)
        _collect(plain.get("metadata"), shape_of(ObjectMeta), "metadata", found)
        found += [f'unknown field "{path}"' for path in unknown_fields(type_, _content(plain))]
    else:
        _collect(plain, shape_of(type_), "", found, is_root=True)
    return list(dict.fromkeys(found))


def strict_error(type_: type[TypedValue], errors: Sequence[str]) -> BadRequest:
    """The answer when fields are validated strictly and `strict_errors` found any."""
    return _cannot_handle(type_, type_.kind, type_.api_version, "strict decoding error: " + ", ".join(errors))


def _collect(value: Any, shape: Shape, path: str, found: list[str], *, is_root: bool = False) -> None:
    kind = shape.kind
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        if type(value) is json_text.Repeated:
            found.extend(f'duplicate field "{prefix}{key}"' for key in value.keys_repeated)
        if kind == "struct":
            fields = fields_of(shape.type)
            for key, item in value.items():
                if (field := fields.get(key)) is not None:
                    if isinstance(item, _CONTAINERS) and field.shape.kind in _DEEP:
                        _collect(item, field.shape, prefix + key, found)
                elif not is_root or key not in ("kind", "apiVersion"):
                    found.append(f'unknown field "{prefix}{key}"')
        elif kind in ("map", "any") and (kind == "any" or shape.item.kind in _DEEP):
            for key, item in value.items():
                _collect(item, shape.item or shape, prefix + key, found)
    elif isinstance(value, list) and (kind == "any" or (kind == "list" and shape.item.kind in _DEEP)):
        for index, item in enumerate(value):
            _collect(item, shape.item or shape, f"{path}[{index}]", found)


_DEEP = frozenset(("struct", "list", "map", "any"))
_CONTAINERS = (dict, list)


class _Cleaner:
    """Removes nulls as Go does, and raises ValueError in Go's words for the first value of a wrong type."""

    def __init__(self, type_: type[TypedValue]) -> None:
        self._root = type_

    def clean(self, value: Any, shape: Shape, path: tuple[str, ...], owner: str) -> Any:
        match shape.kind:
            case "any" | "untyped":
                return value
            case "struct":
                return self._struct(self._expect(value, dict, shape, path, owner), shape, path)
            case "list":
                items = self._expect(value, list, shape, path, owner)
                cleaned = (_zero(shape.item) if item is None else item for item in items)
                return [self.clean(item, shape.item, path, owner) for item in cleaned if item is not _MISSING]
            case "map":
                values = self._expect(value, dict, shape, path, owner)
                filled = ((key, _zero(shape.item) if item is None else item) for key, item in values.items())
                return {key: self.clean(item, shape.item, path, owner) for key, item in filled}
            case "quantity":
                return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
            case "int or string":
                if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
                    return value
                raise ValueError(f"json: cannot unmarshal {_kind_of(value, exact=True)} into Go value of type int32")
            case "bytes":
                _check_base64(self._expect(value, str, shape, path, owner))
                return value
            case "string":
                return self._expect(value, str, shape, path, owner)
            case "bool":
                return self._expect(value, bool, shape, path, owner)
            case "float":
                return self._expect(value, (int, float), shape, path, owner)
            case "int":
                return self._expect(value, int, shape, path, owner)

    def _struct(self, values: dict[str, Any], shape: Shape, path: tuple[str, ...]) -> dict[str, Any]:
        fields = fields_of(shape.type)
        return {
            key: self.clean(value, fields[key].shape, (*path, key), shape.type.__name__)
            for key, value in values.items()
            if value is not None and key in fields
        }

    def _expect(self, value: Any, type_: Any, shape: Shape, path: tuple[str, ...], owner: str) -> Any:
        if isinstance(value, type_) and (type_ is bool or not isinstance(value, bool)):
            return value
        what = _kind_of(value, exact=shape.kind in ("int", "float"))
        target = go_type(shape, path[-1] if path else "")
        if not path:
            raise ValueError(f"json: cannot unmarshal {what} into Go value of type {target}")
        raise ValueError(
            f"json: cannot unmarshal {what} into Go struct field {owner}.{'.'.join(path)} of type {target}"
        )


def _zero(shape: Shape) -> Any:
    """What Go makes of null inside a list or map."""
    match shape.kind:
        case "struct" | "map":
            return {}
        case "list":
            return []
        case "int" | "float" | "int or string" | "quantity":
            return 0
        case "bool":
            return False
        case "any":
            return None
    return ""


def _check_base64(text: str) -> None:
    try:
        b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n")
        at = next((index for index, char in enumerate(text) if char not in alphabet), len(text) // 4 * 4)
        raise ValueError(f"illegal base64 data at input byte {at}") from None


def _kind_of(value: Any, *, exact: bool = False) -> str:
    """What Go calls a value's type; with `exact` a number is followed by its text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"number {msgspec.json.encode(value).decode()}" if exact else "number"
    return {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "object")


def _check_kind(type_: type[TypedValue], kind: str | None, api_version: str | None, body: bytes) -> None:
    kind, api_version = kind or type_.kind, api_version or type_.api_version
    if kind == type_.kind and api_version == type_.api_version:
        return
    if api_version.count("/") > 1:
        raise _unrecognized(type_, f"unexpected GroupVersion string: {api_version}", body)
    if (api_version, kind) in _registered():
        package = type_.api_version.rpartition("/")[0].partition(".")[0] or "core"
        version = api_version.rpartition("/")[2]
        why = f"converting ({version}.{kind}) to ({package}.{type_.kind}): unknown conversion"
    else:
        why = f'no kind "{kind}" is registered for version "{api_version}" in scheme "{_SCHEME}"'
    raise _cannot_handle(type_, kind, api_version, why)


@lru_cache(maxsize=1)
def _registered() -> frozenset[tuple[str, str]]:
    from kubelite.api.scheme import BUILT_IN

    return frozenset((resource.group_version, resource.kind) for resource in BUILT_IN)


def _cannot_handle(type_: type[TypedValue], kind: str, api_version: str, why: str) -> BadRequest:
    version = api_version.rpartition("/")[2]
    return BadRequest(f'{kind} in version "{version}" cannot be handled as a {type_.kind}: {why}')


def _unrecognized(type_: type[TypedValue], why: str, body: bytes) -> BadRequest:
    start = body[:30].decode(errors="replace") if body[:1] == b"{" else body[:30].hex()
    shown = f"{start} ..." if len(body) > 30 else start or "<empty>"
    return BadRequest(f"the object provided is unrecognized (must be of type {type_.kind}): {why} ({shown})")


def _check_quantities(type_: type[TypedValue], found: Any) -> None:
    """Raises: BadRequest for the first quantity that is none."""
    try:
        _quantities(found, _quantity_paths(type_))
    except ValueError as error:
        raise _cannot_handle(type_, type_.kind, type_.api_version, str(error)) from None


def _quantities(value: Any, steps: tuple[Any, ...] | None) -> None:
    if steps is None:
        quantity.parse(value)
        return
    for attribute, is_list, is_map, inner in steps:
        member = getattr(value, attribute)
        if not member:
            continue
        for item in member if is_list else member.values() if is_map else (member,):
            _quantities(item, inner)


@lru_cache(maxsize=1024)
def _quantity_paths(type_: Any, outer: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """Where a type holds quantities: attribute, whether it is a list or map, and the same for what it holds."""
    steps: list[tuple[Any, ...]] = []
    for field in fields_of(type_).values():
        shape = field.shape
        item = shape.item or shape
        if item.kind == "quantity":
            steps.append((field.attribute, shape.kind == "list", shape.kind == "map", None))
        elif (
            item.kind == "struct" and item.type not in outer and (inner := _quantity_paths(item.type, (*outer, type_)))
        ):
            steps.append((field.attribute, shape.kind == "list", shape.kind == "map", inner))
    return tuple(steps)
