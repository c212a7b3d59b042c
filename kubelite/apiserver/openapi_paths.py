"""The operations of the API as OpenAPI paths: enough for clients to see what exists and which options it takes. Pure.

Source: k8s.io/apiserver pkg/endpoints/installer.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelite.api.scheme import Resource
from kubelite.apiserver.openapi_schema import Version, group_version_kind

_OPTIONS = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_NUMBERS = frozenset({"limit", "timeoutSeconds", "gracePeriodSeconds"})
_FLAGS = frozenset({"allowWatchBookmarks", "sendInitialEvents", "watch", "force", "orphanDependents"})
#: verb -> (method, action, on one object, query parameters)
_VERBS = {
    "list": ("get", "list", False, _LIST),
    "create": ("post", "post", False, _OPTIONS),
    "deletecollection": ("delete", "deletecollection", False, (*_LIST[1:5], *_DELETE)),
    "get": ("get", "get", True, ()),
    "update": ("put", "put", True, _OPTIONS),
    "patch": ("patch", "patch", True, (*_OPTIONS, "force")),
    "delete": ("delete", "delete", True, _DELETE),
}


def paths_of(resource: Resource, version: Version) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, item) of a resource, its collection and its state subresources."""
    root = f"/apis/{resource.group_version}" if resource.group else f"/api/{resource.version}"
    base = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    scope = ["namespace"] if resource.namespaced else []
    for single in (False, True):
        verbs = [verb for verb in resource.verbs if verb in _VERBS and _VERBS[verb][2] is single]
        if verbs:
            named = [*scope, "name"] if single else scope
            yield f"{base}/{{name}}" if single else base, _item(resource, verbs, named, version)
    if resource.namespaced and "list" in resource.verbs:
        yield f"{root}/{resource.plural}", _item(resource, ["list"], [], version)
    for name in resource.subresources:
        if name in ("status", "scale"):
            item = _item(resource, ["get", "update", "patch"], [*scope, "name"], version)
            yield f"{base}/{{name}}/{name}", item


def _item(resource: Resource, verbs: list[str], named: list[str], version: Version) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for verb in verbs:
        method, action, _, parameters = _VERBS[verb]
        item[method] = {
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": group_version_kind(resource),
            "parameters": [_parameter(name, "query", version) for name in parameters],
        }
    item["parameters"] = [_parameter(name, "path", version) for name in named]
    return item


def _parameter(name: str, where: str, version: Version) -> dict[str, Any]:
    type_ = {"type": "integer" if name in _NUMBERS else "boolean" if name in _FLAGS else "string"}
    head = {"name": name, "in": where, **({"required": True} if where == "path" else {})}
    return {**head, "schema": type_} if version == "v3" else {**head, **type_}
