"""What passes between this server and those behind it beside requests: who asks, and what they say that they serve. Pure.

Source: k8s.io/client-go transport/round_trippers.go, k8s.io/apiserver pkg/endpoints/installer.go
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.apiserver.interface import User


def user_headers(user: User) -> list[tuple[str, str]]:
    """Who asks, as the servers behind read it. Source: k8s.io/client-go transport SetAuthProxyHeaders"""
    found = [("X-Remote-User", user.name), *([("X-Remote-Uid", user.uid)] if user.uid else [])]
    found += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        escaped = "".join(char if char.isalnum() or char in "-._~!#$&'*+^`|" else f"%{ord(char):02X}" for char in key)
        found += [(f"X-Remote-Extra-{escaped}", value) for value in values]
    return found


def parse_document(body: bytes) -> dict[str, Any]:
    """Empty for what is no JSON object."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def from_list(told: dict[str, Any], group: str, version: str) -> dict[str, Any]:
    """An APIResourceList as the part of the aggregated document that says the same."""
    resources: dict[str, dict[str, Any]] = {}
    for entry in told.get("resources") or ():
        plural, _, subresource = str(entry.get("name", "")).partition("/")
        kind = {
            "group": entry.get("group") or group,
            "version": entry.get("version") or version,
            "kind": entry.get("kind", ""),
        }
        if subresource:
            under = resources.setdefault(plural, {"resource": plural, "responseKind": None, "scope": "", "verbs": []})
            under.setdefault("subresources", []).append(
                {"subresource": subresource, "responseKind": kind, "verbs": entry.get("verbs") or []}
            )
            continue
        resources[plural] = {
            "resource": plural,
            "responseKind": kind,
            "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
            "singularResource": entry.get("singularName", ""),
            "verbs": entry.get("verbs") or [],
            **({"shortNames": entry["shortNames"]} if entry.get("shortNames") else {}),
            **({"categories": entry["categories"]} if entry.get("categories") else {}),
        }
    return {"version": version, "resources": list(resources.values()), "freshness": "Current"}
