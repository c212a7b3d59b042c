"""Serves /openapi/v2 and /openapi/v3. Documents are made when first asked for, and kept until the scheme changes.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kubelite.api import autoscaling_v1 as autoscaling
from kubelite.api.custom import CustomObject
from kubelite.api.errors import NotAcceptable
from kubelite.api.meta import DeleteOptions, Object, Status, StatusDetails
from kubelite.api.scheme import Resource, Scheme
from kubelite.apiserver.answers import Answer, Request
from kubelite.apiserver.discovery import Remotes
from kubelite.apiserver.media import JSON, parse_accept

_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_V2_PROTOBUF_OLD = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_ANY = ("*/*", "application/*")
_INFO = {"title": "Kubernetes", "version": "v1.33"}


class OpenApi:
    """`scheme` gives the present one, `remotes` what other servers serve."""

    def __init__(self, scheme: Callable[[], Scheme], remotes: Remotes = dict) -> None:
        self._scheme = scheme
        self._remotes = remotes
        self._made_of: Scheme | None = None
        self._documents: dict[str, bytes] = {}

    def answer(self, parts: Sequence[str], request: Request) -> Answer | None:
        """The document at /openapi/`parts`; None when there is none. Raises: NotAcceptable."""
        accepted = [clause.type for clause in parse_accept(request.headers.get("Accept", "") or "*/*")]
        match list(parts):
            case ["v2"]:
                return self._v2(accepted)
            case ["v3"]:
                return self._roots()
            case ["v3", *path]:
                name = "/".join(path)
                if name not in self._groups():
                    return None
                if not {JSON, *_ANY} & set(accepted):
                    raise NotAcceptable("406: Not Acceptable", StatusDetails())
                body = self._document(f"v3/{name}", lambda: self._group(name))
                cache = {"Cache-Control": "public, immutable"} if "hash" in request.query else {}
                return Answer(body=body, headers=cache)
        return None

    def _document(self, name: str, make: Callable[[], Any]) -> bytes:
        if (scheme := self._scheme()) is not self._made_of:
            self._documents, self._made_of = {}, scheme
        if (found := self._documents.get(name)) is None:
            made = make()
            found = self._documents[name] = made if isinstance(made, bytes) else msgspec.json.encode(made)
        return found

    def _groups(self) -> dict[str, list[Resource]]:
        groups: dict[str, list[Resource]] = {}
        for resource in self._scheme():
            if resource.served:
                root = "apis" if resource.group else "api"
                groups.setdefault(f"{root}/{resource.group_version}", []).append(resource)
        return groups

    def _roots(self) -> Answer:
        elsewhere = [group.openapi for group in self._remotes().values() if group.openapi]
        if not elsewhere:
            return Answer(body=self._document("v3", self._index))
        paths = self._index()["paths"]
        for documents in elsewhere:
            paths |= {name: {"serverRelativeURL": url} for name, url in documents.items()}
        return Answer(body=msgspec.json.encode({"paths": dict(sorted(paths.items()))}))

    def _index(self) -> dict[str, Any]:
        paths = {}
        for name, resources in sorted(self._groups().items()):
            listed = "\n".join([_INFO["version"], *sorted(map(_visible, resources))])
            digest = hashlib.sha256(listed.encode()).hexdigest()[:32].upper()
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
        return {"paths": paths}

    def _group(self, name: str) -> dict[str, Any]:
        from kubelite.apiserver.openapi_paths import paths_of
        from kubelite.apiserver.openapi_schema import Schemas

        resources = self._groups()[name]
        paths = {path: item for resource in resources for path, item in paths_of(resource, "v3")}
        return {
            "openapi": "3.0.0",
            "info": _INFO,
            "paths": paths,
            "components": {"schemas": Schemas("v3").collect(resources, _more(resources))},
        }

    def _v2(self, accepted: Sequence[str]) -> Answer:
        for type_ in accepted:
            if type_ in (_V2_PROTOBUF, _V2_PROTOBUF_OLD):
                from kubelite.apiserver.openapi_v2 import encode_document

                body = self._document("v2+protobuf", lambda: encode_document(self._swagger()))
                return Answer(body=body, type=_V2_PROTOBUF.replace("@", "."))
            if type_ == JSON or type_ in _ANY:
                return Answer(body=self._document("v2", self._swagger))
        raise NotAcceptable("406: Not Acceptable", StatusDetails())

    def _swagger(self) -> dict[str, Any]:
        from kubelite.apiserver.openapi_paths import paths_of
        from kubelite.apiserver.openapi_schema import Schemas

        resources = [resource for resource in self._scheme() if resource.served]
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": {path: item for resource in resources for path, item in paths_of(resource, "v2")},
            "definitions": Schemas("v2").collect(resources, _more(resources)),
        }


def _visible(resource: Resource) -> str:
    """What changes when the resource's part of a document does."""
    etag = resource.type.definition.etag if issubclass(resource.type, CustomObject) else ""
    return f"{resource.plural} {resource.verbs} {etag}"


def _more(resources: Sequence[Resource]) -> list[Any]:
    """What requests and answers hold beside the objects."""
    scales: list[type[Object]] = (
        [autoscaling.Scale] if any("scale" in entry.subresources for entry in resources) else []
    )
    return [Status, DeleteOptions, *scales]
