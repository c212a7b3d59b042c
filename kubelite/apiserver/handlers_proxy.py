"""pods/proxy, services/proxy and nodes/proxy: the client's request passed on, and the answer passed back.

Which address is meant is decided in `proxy_target`, how bytes flow in `relay`, which links change in `proxy_rewrite`.
Source: k8s.io/apimachinery pkg/util/proxy/{upgradeaware,transport}.go, kubernetes pkg/registry/core/*/rest
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from kubelite.api.errors import InternalError, ServiceUnavailable
from kubelite.apiserver.answers import Answer, Call, Exchange, Outcome, Relayed, answer_error
from kubelite.apiserver.passing import is_upgrade, pass_on
from kubelite.apiserver.proxy_rewrite import Place, rewrite_html, rewrite_url
from kubelite.apiserver.proxy_target import Target, Targets
from kubelite.apiserver.relay import Connect, Outgoing, Unreachable, connect_tcp, exchange

#: Pages above this are passed on as they are.
_MAX_PAGE_BYTES = 8 * 1024 * 1024


class ProxyHandlers:
    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def answer(self, call: Call) -> Outcome:
        """Raises: BadRequest, NotFound, ServiceUnavailable."""
        info, request = call.info, call.request
        target = await self._targets.of(info.resource, info.name, info.namespace)
        prefix, path = split_path(request.path, 8 if info.namespace else 6)
        if not path and request.method in ("GET", "HEAD") and not is_upgrade(request):
            query = f"?{request.raw_query}" if request.raw_query else ""
            return Answer(code=301, headers={"Location": f"{request.path}/{query}"})
        connect = connect_tcp(target.host, target.port, target.context)
        place = Place(prefix=prefix, backend=target.authority, host=request.headers.get("Host", ""))
        outgoing = pass_on(request, path or "/")
        return Relayed(open=_proxied(connect, outgoing, place, target), refuse=answer_error)


def split_path(path: str, parts: int) -> tuple[str, str]:
    """(the proxy's own path, what is asked behind it); the first is `parts` segments of the URL, escaped as it came.

    >>> split_path("/api/v1/nodes/n/proxy/a%2Fb/", 6)
    ('/api/v1/nodes/n/proxy', '/a%2Fb/')
    """
    segments = path.split("/")
    rest = segments[parts:]
    return "/".join(segments[:parts]), "/" + "/".join(rest) if rest else ""


@asynccontextmanager
async def _proxied(connect: Connect, outgoing: Outgoing, place: Place, target: Target) -> AsyncIterator[Exchange]:
    """Raises: ServiceUnavailable, InternalError."""
    has_answered = False
    try:
        async with exchange(connect, outgoing) as found:
            has_answered = True
            yield found if found.head else await _rewritten(found, place)
    except Unreachable as error:
        if has_answered:
            raise ConnectionResetError(str(error)) from error
        if outgoing.upgrades:
            raise InternalError(str(error)) from error
        raise ServiceUnavailable(f"error trying to reach service: {error}") from error


async def _rewritten(found: Exchange, place: Place) -> Exchange:
    """The answer with its redirect, or the links of its page, turned back through the proxy."""
    fields = {name.lower(): value for name, value in found.headers}
    if "location" in fields:
        changed = [
            (name, rewrite_url(value, place) if name.lower() == "location" else value) for name, value in found.headers
        ]
        return replace(found, headers=changed)
    encoding = fields.get("content-encoding", "")
    if fields.get("content-type", "").partition(";")[0].strip() != "text/html" or encoding not in (
        "",
        "gzip",
        "deflate",
    ):
        return found
    body = bytearray()
    async for piece in found.chunks:
        body += piece
        if len(body) > _MAX_PAGE_BYTES:
            return replace(found, chunks=_resumed(bytes(body), found.chunks))
    page = _packed(rewrite_html(_unpacked(bytes(body), encoding), place), encoding) if body else b""
    headers = [(name, value) for name, value in found.headers if name.lower() != "content-length"]
    return replace(found, headers=[*headers, ("Content-Length", str(len(page)))], chunks=_resumed(page))


async def _resumed(first: bytes, rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    yield first
    if rest is not None:
        async for piece in rest:
            yield piece


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Raises: InternalError."""
    if not encoding:
        return body
    try:
        unpacking = zlib.decompressobj(31 if encoding == "gzip" else -15)
        page = unpacking.decompress(body, _MAX_PAGE_BYTES)
    except zlib.error as error:
        raise InternalError(f"the page behind the proxy is not {encoding}: {error}") from error
    if unpacking.unconsumed_tail:
        raise InternalError("the page behind the proxy is too large")
    return page


def _packed(page: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(page, mtime=0)
    if encoding == "deflate":
        packing = zlib.compressobj(wbits=-15)
        return packing.compress(page) + packing.flush()
    return page
