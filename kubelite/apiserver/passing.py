"""A client's request as it is passed on to another server: which fields stay, which go, and which are added. Pure.

Source: net/http/httputil ReverseProxy, k8s.io/apimachinery pkg/util/proxy/transport.go
"""

from __future__ import annotations

from kubelite.apiserver.answers import Request
from kubelite.apiserver.relay import Outgoing, end_to_end

#: What says who asks; it is nothing that the server behind may learn.
_SECRETS = ("authorization", "impersonate-", "x-remote-")
#: A browser's way to send a token. Source: k8s.io/apiserver pkg/authentication/request/websocket/protocol.go
_TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."
_REPLACED = (
    "content-length",
    "host",
    "expect",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-uri",
)


def is_upgrade(request: Request) -> bool:
    return "upgrade" in request.headers.get("Connection", "").lower() and bool(request.headers.get("Upgrade", ""))


def pass_on(request: Request, path: str) -> Outgoing:
    """The client's request for `path` of another server, with its query."""
    upgrades = is_upgrade(request)
    headers = [("Host", request.headers.get("Host", ""))]
    for name, value in end_to_end(list(request.headers.items())):
        lowered = name.lower()
        if lowered == "sec-websocket-protocol":
            headers += [(name, kept)] if (kept := _without_tokens(value)) else []
        elif lowered not in _REPLACED and not lowered.startswith(_SECRETS):
            headers.append((name, value))
    if upgrades:
        headers += [("Connection", "Upgrade"), ("Upgrade", request.headers.get("Upgrade", ""))]
    headers += [
        ("X-Forwarded-For", ", ".join(filter(None, (request.headers.get("X-Forwarded-For", ""), request.remote)))),
        ("X-Forwarded-Host", request.headers.get("Host", "")),
        ("X-Forwarded-Proto", "https" if request.secure else "http"),
        ("X-Forwarded-Uri", request.path),
    ]
    length = request.headers.get("Content-Length", "")
    has_body = bool(length and length != "0") or bool(request.headers.get("Transfer-Encoding", ""))
    return Outgoing(
        method=request.method,
        target=f"{path}?{request.raw_query}" if request.raw_query else path,
        headers=headers,
        body=request.stream if has_body and not upgrades else None,
        length=int(length) if length.isdigit() else None,
        upgrades=upgrades,
    )


def _without_tokens(protocols: str) -> str:
    """
    >>> _without_tokens("base64url.bearer.authorization.k8s.io.eHg, binary.k8s.io")
    'binary.k8s.io'
    """
    return ", ".join(part for each in protocols.split(",") if not (part := each.strip()).startswith(_TOKEN_PROTOCOL))
