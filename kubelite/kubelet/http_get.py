"""One HTTP GET for probes and hooks: no pool, no cookies, certificates not checked, as the kubelet asks.

Source: RFC 9112, pkg/probe/http/request.go and http.go
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from kubelite.kubelet.probes import HttpRequest

MAX_BODY_BYTES = 10 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_REDIRECTS = 10


class Answer(msgspec.Struct, frozen=True):
    status: int
    body: bytes
    location: str = ""


class HttpFailed(Exception):
    """No answer; the message says why as Go's client does."""


async def get(request: HttpRequest, *, timeout_s: float) -> Answer:
    """Follows redirects on the same host; one to another host is the answer. Raises: HttpFailed."""
    first = request
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MAX_REDIRECTS):
                answer = await _exchange(request)
                target = _redirect(request, answer)
                if target is None or target.host != first.host:
                    return answer
                request = target
    except TimeoutError:
        text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise HttpFailed(f'Get "{request.url}": {text}') from None
    raise HttpFailed(f'Get "{request.path}": stopped after {MAX_REDIRECTS} redirects')


def _redirect(request: HttpRequest, answer: Answer) -> HttpRequest | None:
    if answer.status not in {301, 302, 303, 307, 308} or not answer.location:
        return None
    url = urlsplit(urljoin(request.url, answer.location))
    tls = url.scheme == "https"
    path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
    return replace(
        request, tls=tls, host=url.hostname or request.host, port=url.port or (443 if tls else 80), path=path
    )


async def _exchange(request: HttpRequest) -> Answer:
    try:
        reader, writer = await asyncio.open_connection(
            request.host, request.port, ssl=_unchecked_tls() if request.tls else None, limit=MAX_HEADER_BYTES
        )
    except OSError as error:
        raise HttpFailed(f'Get "{request.url}": {dial_error(request.host, request.port, error)}') from error
    try:
        writer.write(_encode(request))
        head = await reader.readuntil(b"\r\n\r\n")
        status, headers = _parse_head(head)
        while 100 <= status < 200:
            status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        body = b""
        wanted = min(int(headers.get("content-length", MAX_BODY_BYTES)), MAX_BODY_BYTES)
        while len(body) < wanted and (chunk := await reader.read(wanted - len(body))):
            body += chunk
        return Answer(status, body, headers.get("location", ""))
    except asyncio.IncompleteReadError:
        raise HttpFailed(f'Get "{request.url}": EOF') from None
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        raise HttpFailed(f'Get "{request.url}": {error}') from error
    finally:
        # With TLS a close waits for the peer; a probe has no time for that.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _encode(request: HttpRequest) -> bytes:
    given = {name.lower() for name, _ in request.headers}
    lines = [f"GET {request.path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"Host: {request.host}:{request.port}")
    lines += [f"{name}: {value}" for name, value in request.headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, remainder = first.partition(" ")
    if not version.startswith("HTTP/"):
        raise ValueError(f"malformed HTTP response {first!r}")
    fields = (line.partition(":") for line in rest if ":" in line)
    return int(remainder[:3]), {name.strip().lower(): value.strip() for name, _, value in fields}


def _unchecked_tls() -> object:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def dial_error(host: str, port: int, error: OSError) -> str:
    """How Go names a failed connect."""
    import errno

    texts = {errno.ECONNREFUSED: "connection refused", errno.EHOSTUNREACH: "no route to host"}
    reason = texts.get(error.errno or 0, (error.strerror or str(error)).lower())
    return f"dial tcp {host}:{port}: connect: {reason}"
