"""Requests for group versions that another API server serves: passed on to it, with the name of who asks.

The server behind knows this one by its front-proxy certificate and believes what it says of the user; errors are plain text, as
upstream's aggregator has them. Source: k8s.io/kube-aggregator v0.33 pkg/apiserver/handler_proxy.go
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from kubelite.api import apiservices
from kubelite.api.errors import ServiceUnavailable, StatusError
from kubelite.apiserver.aggregation import Aggregation, Remote
from kubelite.apiserver.aggregation_discovery import user_headers
from kubelite.apiserver.answers import TEXT, Answer, Call, Exchange, Outcome, Relayed
from kubelite.apiserver.discovery import RemoteGroup
from kubelite.apiserver.passing import pass_on
from kubelite.apiserver.relay import Connect, Outgoing, Unreachable, exchange


class AggregatedHandlers:
    def __init__(self, aggregation: Aggregation) -> None:
        self._aggregation = aggregation

    def find(self, path: str) -> Remote | None:
        """The server behind this one that serves `path`: everything of its group version, and its OpenAPI document."""
        if not self._aggregation.remotes:
            return None
        match path.strip("/").split("/"):
            case ["apis", group, version, *_] | ["openapi", "v3", "apis", group, version]:
                return self._aggregation.remotes.get((group, version))
        return None

    async def answer(self, call: Call, remote: Remote) -> Outcome:
        if not apiservices.is_available(remote.service):
            return _unavailable("service unavailable")
        try:
            _, connect = await self._aggregation.resolve(remote.service)
        except StatusError:
            return _unavailable("service unavailable")
        except (ssl.SSLError, ValueError) as error:
            return Answer(code=500, body=f"{error}\n".encode(), type=TEXT)
        outgoing = pass_on(call.request, call.request.path)
        outgoing = replace(outgoing, headers=[*outgoing.headers, *user_headers(call.user)])
        return Relayed(open=_asked(connect, outgoing), refuse=lambda error: _unavailable(error.message))


@asynccontextmanager
async def _asked(connect: Connect, outgoing: Outgoing) -> AsyncIterator[Exchange]:
    """Raises: ServiceUnavailable."""
    has_answered = False
    try:
        async with exchange(connect, outgoing) as found:
            has_answered = True
            yield found
    except Unreachable as error:
        if has_answered:
            raise ConnectionResetError(str(error)) from error
        raise ServiceUnavailable(f"error trying to reach service: {error}") from error


def _unavailable(text: str) -> Answer:
    return Answer(code=503, body=f"{text}\n".encode(), type=TEXT, headers={"X-Content-Type-Options": "nosniff"})


def remote_groups(aggregation: Aggregation | None) -> dict[str, RemoteGroup]:
    """The groups of other servers, for discovery; versions by their priority."""
    found: dict[str, RemoteGroup] = {}
    remotes = aggregation.remotes if aggregation else {}
    by_version = sorted(remotes.items(), key=lambda entry: (-entry[1].service.spec.version_priority, entry[0]))
    for (group, version), remote in by_version:
        known = found.setdefault(group, RemoteGroup(0, {}, {}))
        known.priority = max(known.priority, remote.service.spec.group_priority_minimum)
        known.versions[version] = told(remote, version)
        if remote.openapi and apiservices.is_available(remote.service):
            known.openapi[f"apis/{group}/{version}"] = remote.openapi
    return found


def told(remote: Remote, version: str) -> dict[str, Any]:
    """What a server said last of a version; stale while it does not answer."""
    document = remote.document or {"version": version}
    is_fresh = remote.document is not None and apiservices.is_available(remote.service)
    return {**document, "freshness": "Current" if is_fresh else "Stale"}
