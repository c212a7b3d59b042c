"""What a request to the kubelet asks for, and which right it needs. Pure.

A right is a subresource of the node; some paths have a right of their own beside the broad one, nodes/proxy.
Source: pkg/kubelet/server/server.go, pkg/kubelet/server/auth.go, KEP-2862 (fine-grained authorization, on by default in v1.33)
"""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: First part of the path to the right that is enough for it.
_OWN = {"stats": "stats", "metrics": "metrics", "logs": "log"}
_FINE = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}
_METRICS = {"": "metrics", "resource": "resource", "cadvisor": "cadvisor", "probes": "probes"}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`what`: healthz, pods, runningpods, summary, metrics, resource, cadvisor, probes, configz, logs, containerLogs, exec,

    attach or portForward; empty: there is no such path."""

    what: str = ""
    methods: tuple[str, ...] = ("GET", "HEAD")
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    container: str = ""


def parse_route(raw_path: str) -> Route:
    """
    >>> parse_route("/containerLogs/default/web/app").container
    'app'
    >>> parse_route("/run/default/web/app").what
    ''
    """
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    match parts:
        case ["healthz"] | ["healthz", "ping" | "log" | "syncloop"]:
            return Route(what="healthz")
        case ["pods" | "runningpods" | "configz" as what]:
            return Route(what=what)
        case ["stats", "summary"]:
            return Route(what="summary", methods=("GET", "HEAD", "POST"))
        case ["metrics", *rest] if len(rest) < 2 and "".join(rest) in _METRICS:
            return Route(what=_METRICS["".join(rest)])
        case ["logs", *_]:
            return Route(what="logs")
        case ["containerLogs", namespace, pod, container]:
            return Route(what="containerLogs", namespace=namespace, pod=pod, container=container)
        case ["exec" | "attach" as what, namespace, pod, *uid, container] if len(uid) < 2:
            return Route(
                what=what,
                methods=("GET", "POST"),
                namespace=namespace,
                pod=pod,
                uid="".join(uid),
                container=container,
            )
        case ["portForward", namespace, pod, *uid] if len(uid) < 2:
            return Route(what="portForward", methods=("GET", "POST"), namespace=namespace, pod=pod, uid="".join(uid))
    return Route()


def verb_of(method: str) -> str:
    return _VERBS.get(method, "")


def rights_of(raw_path: str) -> tuple[str, ...]:
    """The node's subresources of which one is enough.

    >>> rights_of("/pods"), rights_of("/metrics/resource"), rights_of("/exec/a/b/c")
    (('pods', 'proxy'), ('metrics',), ('proxy',))
    """
    parts = unquote(raw_path).strip("/").split("/")
    if (own := _OWN.get(parts[0])) is not None:
        return (own,)
    fine = _FINE.get(parts[0]) if len(parts) == 1 or parts[0] == "healthz" else None
    return (fine, "proxy") if fine else ("proxy",)
