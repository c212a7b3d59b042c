"""What a conversion webhook is asked, and what of its answer counts. Pure.

A converted object has its metadata from before, but for labels and annotations.
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/conversion/webhook_converter.go
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

_GROUP = "apiextensions.k8s.io"
_KNOWN = ("v1", "v1beta1")
Plain = dict[str, Any]


class Malformed(Exception):
    """An answer that is none."""


class _Result(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    result: _Result = _Result()
    converted_objects: list[Any] = []


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""
    response: _Response | None = None


def compute_review(objects: Sequence[Plain], desired: str, uid: str, versions: Sequence[str]) -> Plain:
    """The ConversionReview in the first of `versions` that is known. Raises: Malformed."""
    version = next((name for name in versions if name in _KNOWN), None)
    if version is None:
        raise Malformed("no supported conversion review versions")
    request = {"uid": uid, "desiredAPIVersion": desired, "objects": list(objects)}
    return {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}


def converted_objects(answer: bytes, review: Plain) -> list[Any]:
    """The objects of an answer to `review`. Raises: Malformed."""
    try:
        got = msgspec.json.decode(answer, type=_Review)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    response, wanted = got.response, review["apiVersion"]
    if got.api_version != wanted or got.kind != "ConversionReview":
        shown = f"{got.api_version}, Kind={got.kind}"
        raise Malformed(f"expected webhook response of {wanted}, Kind=ConversionReview, got {shown}")
    if response is None:
        raise Malformed("no response provided")
    if response.uid != review["request"]["uid"] and wanted.endswith("/v1"):
        raise Malformed(f'expected response.uid="{review["request"]["uid"]}", got "{response.uid}"')
    if response.result.status != "Success":
        raise Malformed(
            response.result.message or f"response.result.status was '{response.result.status}', not 'Success'"
        )
    return response.converted_objects


def restore(original: Plain, converted: Any, desired: str) -> Plain:
    """The converted object with the metadata that no webhook may change. Raises: Malformed."""
    if not isinstance(converted, dict):
        raise Malformed("Object 'Kind' is missing")
    got, kind = converted.get("apiVersion", ""), converted.get("kind", "")
    if got != desired:
        raise Malformed(f"invalid groupVersion (expected {desired}, received {got})")
    if kind != original["kind"]:
        raise Malformed(f"invalid kind (expected {original['kind']}, received {kind})")
    if "metadata" not in converted:
        raise Malformed("missing metadata in converted object")
    new, old = converted["metadata"], original.get("metadata", {})
    if not isinstance(new, dict):
        raise Malformed("invalid metadata in converted object")
    for name, shown in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if old.get(name, "") != new.get(name, ""):
            raise Malformed(f"must have the same {shown}: {old.get(name, '')} != {new.get(name, '')}")
    metadata = {key: value for key, value in old.items() if key not in ("labels", "annotations")}
    for name in ("labels", "annotations"):
        texts = new.get(name)
        if texts is None:
            continue
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise Malformed(f"invalid metadata.{name} in converted object")
        metadata[name] = texts
    return {**converted, "metadata": metadata}
