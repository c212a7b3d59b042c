"""Content negotiation: which form the client wants its answer in, and bytes in and out of JSON and YAML. Pure.

JSON is the native form; YAML is converted; protobuf is read but never answered: clients that send it accept JSON as well.
Source: k8s.io/apiserver/pkg/endpoints/handlers/negotiation
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from kubelite.api import errors
from kubelite.api.meta import StatusDetails, TypedValue

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_ANY = frozenset({"*/*", "application/*"})
#: What upstream names in its message; protobuf is listed there, though a server may do without.
_ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_BROWSER = re.compile(r"curl|Wget|Mozilla/5\.0")


class Media(msgspec.Struct, frozen=True):
    """The form of an answer. `transform` is what `as=` asked for."""

    type: str = JSON
    transform: Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"] = ""
    version: str = "v1"
    pretty: bool = False


class Clause(msgspec.Struct, frozen=True):
    """One alternative of an Accept header."""

    type: str
    params: dict[str, str]
    quality: float


def parse_accept(header: str) -> list[Clause]:
    """The alternatives, best first.

    >>> [(clause.type, clause.params) for clause in parse_accept("text/html;q=0.1, application/json;as=Table")]
    [('application/json', {'as': 'Table'}), ('text/html', {})]
    """
    clauses = []
    for part in header.split(","):
        type_, *raw = (piece.strip() for piece in part.split(";"))
        params = {key.strip(): value.strip() for key, _, value in (piece.partition("=") for piece in raw)}
        try:
            quality = float(params.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if type_:
            clauses.append(Clause(type_, params, quality))
    return sorted(clauses, key=lambda clause: -clause.quality)


@lru_cache(maxsize=256)  # clients send few different headers, and each of them with every request
def negotiate(accept: str, *, pretty: bool = False) -> Media:
    """Raises: NotAcceptable when none of the alternatives is served."""
    for clause in parse_accept(accept or "*/*"):
        type_ = JSON if clause.type in _ANY else clause.type
        if type_ not in (JSON, YAML):
            continue
        wanted, version = clause.params.get("as", ""), clause.params.get("v", "v1")
        if not wanted:
            return Media(type_, pretty=pretty)
        known = wanted in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
        if known and clause.params.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Media(type_, wanted, version, pretty)  # type: ignore[arg-type]  # checked to be one of the literals
    raise errors.NotAcceptable("406: Not Acceptable", StatusDetails())


def wants_pretty(values: list[str] | None, user_agent: str) -> bool:
    """`?pretty`, or by default for people: browsers and curl."""
    if values is not None:
        return values[0].lower() not in ("false", "0")
    return bool(_BROWSER.match(user_agent))


def encode(body: bytes, media: Media) -> bytes:
    """JSON bytes in the form asked for."""
    if media.type == YAML:
        import yaml

        text: str = yaml.safe_dump(msgspec.json.decode(body), default_flow_style=False, allow_unicode=True)
        return text.encode()
    return msgspec.json.format(body, indent=2) + b"\n" if media.pretty else body + b"\n"


def decode(body: bytes, content_type: str, kind: str, types: Sequence[type[TypedValue]] = ()) -> dict[str, Any]:
    """What the client sent as a dict. Protobuf is understood for `types`.

    Raises: UnsupportedMediaType; BadRequest when it is no object, naming `kind`.
    """
    type_ = content_type.partition(";")[0].strip().lower()
    if type_ == PROTOBUF and types:
        return _decode_protobuf(body, kind, types)
    if type_ not in ("", JSON, YAML):
        message = f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
        raise errors.UnsupportedMediaType(message)
    try:
        value = parse_yaml(body) if type_ == YAML else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _unrecognized(kind, body, str(error)) from None
    if not isinstance(value, dict):
        what = {list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")
        raise _unrecognized(kind, body, f"cannot unmarshal {what} into an object")
    return value


def _decode_protobuf(body: bytes, kind: str, types: Sequence[type[TypedValue]]) -> dict[str, Any]:
    from kubelite.api import protobuf

    try:
        api_version, sent, message = protobuf.unwrap(body)
        type_ = next((entry for entry in types if entry.kind == sent and entry.api_version == api_version), None)
        if type_ is None and not sent:
            type_ = types[0]
        if type_ is None:
            what = f'{sent} in version "{api_version}" cannot be handled as a {kind}'
            raise errors.BadRequest(f"{what}: no kind is registered for it here")
        return {"kind": type_.kind, "apiVersion": type_.api_version, **protobuf.decode(type_, message)}
    except protobuf.Malformed as error:
        raise errors.BadRequest(f"the object provided is unrecognized (must be of type {kind}): {error}") from None


def parse_yaml(body: bytes) -> Any:
    """Raises: ValueError for what is no YAML, or has keys or values that JSON does not."""
    import yaml

    try:
        return msgspec.json.decode(msgspec.json.encode(yaml.load(body, Loader=_yaml_loader())))
    except (yaml.YAMLError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _yaml_loader() -> Any:
    """The fast loader where libyaml is present; dates stay text, as in JSON."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def _unrecognized(kind: str, body: bytes, why: str) -> errors.BadRequest:
    message = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
    return errors.BadRequest(f"{message}; json parse error: {why} ({body[:16].hex()} ...)")
