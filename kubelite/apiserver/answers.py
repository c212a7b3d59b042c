"""What passes between the HTTP door and the handlers: a request as values, and the forms an answer can take.

`http` makes a `Request` of what its library parsed and carries out the answer; handlers know neither sockets nor libraries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from kubelite.api import codec
from kubelite.api.errors import StatusError
from kubelite.api.meta import TypedValue
from kubelite.api.query import Query
from kubelite.apiserver.frames import Feed
from kubelite.apiserver.interface import User
from kubelite.apiserver.media import JSON, Media, encode
from kubelite.apiserver.request import RequestInfo
from kubelite.client.streams import Upgraded, Wire

TEXT = "text/plain; charset=utf-8"


class Headers(Protocol):
    """Header fields by name in any case."""

    def get(self, name: str, /, default: str) -> str: ...
    def getall(self, name: str, /, default: list[str]) -> list[str]: ...
    def items(self) -> Iterable[tuple[str, str]]: ...


#: A certificate's distinguished name, as Python's ssl has it.
Subject = tuple[tuple[tuple[str, str], ...], ...]


class Peer(msgspec.Struct, frozen=True):
    """The verified client certificate's subject, who issued it, and its SHA-256 fingerprint."""

    common_name: str
    organizations: tuple[str, ...] = ()
    uid: str = ""
    issuer: Subject = ()
    fingerprint: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`read` gives the whole body, within the limit. Raises: RequestEntityTooLarge."""

    method: str
    path: str
    query: Query
    headers: Headers
    peer: Peer | None
    read: Callable[[], Awaitable[bytes]]
    stream: Callable[[], AsyncIterator[bytes]]  #: the body as it comes, instead of `read` and without its limit
    raw_query: str = ""
    remote: str = ""  #: the client's address
    audit_id: str = ""
    secure: bool = True  #: over TLS


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """An authorized request."""

    request: Request
    info: RequestInfo
    user: User
    annotations: dict[str, str] | None = None  #: for the audit log, if there is one


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `warnings` become Warning headers."""

    code: int = 200
    body: bytes = b""
    type: str = JSON
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    warnings: Sequence[str] = ()


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """Frames until `timeout_s` has passed or the feed ends."""

    feed: Feed
    type: str
    timeout_s: float


class Flowing(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes as they come, such as a log. A StatusError while entering is the answer instead."""

    chunks: AbstractAsyncContextManager[AsyncIterator[bytes]]
    type: str = "text/plain"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What a server behind this one answered. With a `head` the connection was upgraded: `join` passes everything on."""

    code: int
    reason: str
    headers: Sequence[tuple[str, str]]
    chunks: AsyncIterator[bytes]
    head: bytes
    join: Callable[[Wire], Awaitable[None]]


class Relayed(msgspec.Struct, frozen=True, kw_only=True):
    """Enters `open` and passes its answer on. A StatusError while entering is answered as `refuse` has it."""

    open: AbstractAsyncContextManager[Exchange]
    refuse: Callable[[StatusError], Answer]


Outcome = Answer | Watching | Flowing | Upgraded | Relayed


def answer_value(value: TypedValue, media: Media, *, code: int = 200, warnings: Sequence[str] = ()) -> Answer:
    return Answer(code=code, body=encode(codec.encode(value), media), type=media.type, warnings=warnings)


def answer_error(error: StatusError, media: Media | None = None) -> Answer:
    headers = {}
    if error.details and error.details.retry_after_seconds:
        headers["Retry-After"] = str(error.details.retry_after_seconds)
    media = media or Media()
    body = encode(codec.encode(error.status()), media)
    return Answer(code=error.status_code, body=body, type=media.type, headers=headers)


def answer_json(value: Any, media: Media | None = None, *, code: int = 200, type_: str = "") -> Answer:
    media = media or Media()
    return Answer(code=code, body=encode(msgspec.json.encode(value), media), type=type_ or media.type)
