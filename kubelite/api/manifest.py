"""Manifests: YAML or JSON text of one or many documents, read as `kubectl apply -f` reads it. Pure.

A List, or any kind that ends in List and has items, stands for its items; empty documents are skipped; unknown and repeated
fields are errors. Source: k8s.io/cli-runtime pkg/resource/{builder,visitor}.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelite.api import decode, json_text, yaml_text
from kubelite.api.errors import BadRequest
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource, Scheme


def parse_manifest(text: str | bytes, scheme: Scheme) -> list[Object]:
    """The typed objects, in the order of the text.

    Raises: BadRequest for what is no YAML, names no kind that `scheme` knows, or does not decode strictly.
    """
    return [_typed(plain, scheme) for plain in read_manifest(text)]


def read_manifest(text: str | bytes) -> list[dict[str, Any]]:
    """The objects as plain data, lists taken apart. Raises: BadRequest."""
    try:
        documents = list(yaml_text.load_all(text))
    except ValueError as error:
        raise BadRequest(f"error parsing manifest: {error}") from None
    return [item for document in documents if document is not None for item in _items(document)]


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        raise BadRequest("error parsing manifest: a document must be an object")
    if isinstance(document, json_text.Repeated):
        raise BadRequest(f"error parsing manifest: {', '.join(document.texts)}")
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list | None):
        for item in items or ():
            yield from _items(item)
    else:
        yield document


def _typed(plain: dict[str, Any], scheme: Scheme) -> Object:
    type_: type[Object] = resource_of(plain, scheme).type
    found = decode.decode_object(type_, plain)
    if errors := decode.strict_errors(type_, plain):
        raise decode.strict_error(type_, errors)
    return found


def resource_of(plain: dict[str, Any], scheme: Scheme) -> Resource:
    """The resource of an object by its apiVersion and kind. Raises: BadRequest."""
    kind, api_version = plain.get("kind"), plain.get("apiVersion")
    if not isinstance(kind, str) or not kind:
        raise BadRequest("Object 'Kind' is missing in the manifest")
    if not isinstance(api_version, str) or not api_version:
        raise BadRequest("Object 'apiVersion' is missing in the manifest")
    group, _, version = api_version.rpartition("/")
    try:
        return scheme.kind(group, version, kind)
    except KeyError:
        raise BadRequest(f'no matches for kind "{kind}" in version "{api_version}"') from None
