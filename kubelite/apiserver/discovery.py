"""What the server serves, told in both forms: lists per group and version, and the aggregated document. Pure.

Made of the scheme and kept until the scheme changes. Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#discovery-api
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from kubelite.api.apiservices import group_priority
from kubelite.api.custom import version_rank
from kubelite.api.scheme import Resource, Scheme

#: Subresources that take or give another kind: (group, version, kind).
_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}
_VERBS = {
    "binding": ["create"],
    "eviction": ["create"],
    "token": ["create"],
    "finalize": ["update"],
    "log": ["get"],
    "exec": ["create", "get"],
    "attach": ["create", "get"],
    "portforward": ["create", "get"],
    "proxy": ["create", "delete", "get", "patch", "update"],
}
_STATE = ["get", "patch", "update"]
#: The options of a proxied request, by the resource. Source: kubernetes pkg/apis/core/register.go
_PROXIES = {"pods": "PodProxyOptions", "services": "ServiceProxyOptions", "nodes": "NodeProxyOptions"}
Document = dict[str, Any]


class RemoteGroup(msgspec.Struct):
    """A group that another server serves: each version's part of the aggregated document, and where its OpenAPI is."""

    priority: int
    versions: dict[str, Document]
    openapi: dict[str, str]


Remotes = Callable[[], Mapping[str, RemoteGroup]]


class Discovery:
    """`scheme` and `remotes` give the present ones."""

    def __init__(self, scheme: Callable[[], Scheme], remotes: Remotes = dict) -> None:
        self._scheme = scheme
        self._remotes = remotes
        self._made_of: Scheme | None = None
        self._groups: dict[str, dict[str, list[Resource]]] = {}

    def versions(self, address: str) -> Document:
        """/api"""
        where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}

    def groups(self) -> Document:
        """/apis"""
        found = [_group(name, versions) for name, versions in self._versions().items() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}

    def group(self, name: str) -> Document | None:
        """/apis/{group}"""
        versions = self._versions().get(name)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions and name else None

    def resources(self, group: str, version: str) -> Document | None:
        """/api/v1 and /apis/{group}/{version}"""
        found = self._current().get(group, {}).get(version)
        if found is None:
            return None
        listed = [(_place(resource, entry), entry) for resource in found for entry in _entries(resource)]
        name = f"{group}/{version}" if group else version
        head = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
        return {**head, "groupVersion": name, "resources": [entry for _, entry in sorted(listed, key=itemgetter(0))]}

    def aggregated(self, *, core: bool, version: str) -> Document:
        """The whole of /api or /apis in one document."""
        here, remotes = self._current(), self._remotes()
        items = []
        for name in self._versions():
            if bool(name) != core:
                item = _aggregated_group(name, here.get(name, {}))
                item["versions"] += remotes[name].versions.values() if name in remotes else ()
                items.append(item)
        api_version = f"apidiscovery.k8s.io/{version}"
        return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}

    def paths(self) -> list[str]:
        """The paths under /apis, for the answer to an unknown one."""
        found = ["/api", "/api/v1", "/apis", "/apis/"]
        for name, versions in self._versions().items():
            if name:
                found += [f"/apis/{name}", *(f"/apis/{name}/{version}" for version in versions)]
        return sorted(found)

    def _versions(self) -> dict[str, Sequence[str]]:
        """The versions of every group, in the order in which clients prefer them."""
        here, remotes = self._current(), self._remotes()
        if not remotes:
            return {name: tuple(versions) for name, versions in here.items()}

        def rank(name: str) -> tuple[int, str]:
            return -max(
                remotes[name].priority if name in remotes else 0, group_priority(name) if name in here else 0
            ), name

        return {
            name: (*here.get(name, ()), *(remotes[name].versions if name in remotes else ()))
            for name in sorted({*here, *remotes}, key=rank)
        }

    def _current(self) -> dict[str, dict[str, list[Resource]]]:
        scheme = self._scheme()
        if scheme is not self._made_of:
            groups: dict[str, dict[str, list[Resource]]] = {}
            for resource in scheme:
                if resource.served:
                    groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
            order = sorted(groups, key=lambda name: (-group_priority(name), name))
            self._groups = {
                name: dict(sorted(groups[name].items(), key=lambda item: version_rank(item[0]))) for name in order
            }
            self._made_of = scheme
        return self._groups


def _place(resource: Resource, entry: Document) -> str:
    """Subresources of built-in kinds are listed by name, those of custom kinds as they are."""
    return resource.plural if resource.type.items_have_kind else str(entry["name"])


def _group(name: str, versions: Iterable[str]) -> Document:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _kind_of(resource: Resource, subresource: str) -> tuple[str, str, str]:
    """What a subresource takes or gives: (group, version, kind)."""
    if subresource == "proxy":
        return "", "v1", _PROXIES[resource.plural]
    return _KINDS.get(subresource, (resource.group, resource.version, resource.kind))


def _entries(resource: Resource) -> Iterator[Document]:
    entry: Document = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "watch" in resource.verbs:
        digest = hashlib.sha256(f"{resource.group_version}/{resource.kind}".encode()).digest()
        entry["storageVersionHash"] = base64.b64encode(digest[:8]).decode()
    yield entry
    for name in resource.subresources:
        sub: Document = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        group, version, kind = _kind_of(resource, name)
        if group != resource.group:
            sub |= {"group": group, "version": version}
        yield {**sub, "kind": kind, "verbs": _VERBS.get(name, _STATE)}


def _aggregated_group(name: str, versions: dict[str, list[Resource]]) -> Document:
    listed = [
        {
            "version": version,
            "resources": [_aggregated(entry) for entry in sorted(found, key=lambda entry: entry.plural)],
            "freshness": "Current",
        }
        for version, found in versions.items()
    ]
    metadata = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
    return {"metadata": metadata, "versions": listed}


def _aggregated(resource: Resource) -> Document:
    entry: Document = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = []
    for name in resource.subresources:
        group, version, kind = _kind_of(resource, name)
        response = {"group": group, "version": version, "kind": kind}
        subresources.append({"subresource": name, "responseKind": response, "verbs": _VERBS.get(name, _STATE)})
    if subresources:
        entry["subresources"] = subresources
    return entry
