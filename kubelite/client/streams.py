"""Streams into running containers: logs, exec, attach, port-forward.

The one exception to "components talk through the store": the API server hands a client's stream straight to the kubelet of the
pod's node, through `PodStreams`. The kubelet implements it; the composition root connects the two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec


class ExecStream(Protocol):
    """A process's three streams. `read` ends (None) when all output was delivered; then `exit_code` is known."""

    async def read(self) -> tuple[int, bytes] | None:
        """(1 = stdout or 2 = stderr, bytes); with a tty everything is stdout."""

    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def resize(self, *, width: int, height: int) -> None: ...
    async def exit_code(self) -> int: ...


class ByteStream(Protocol):
    """A two-way byte stream, such as a connection to a port of a pod. `read` gives b"" at the end."""

    async def read(self, max_bytes: int = 65536) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def close_write(self) -> None: ...


class Wire(Protocol):
    """The two-way raw byte stream that an upgraded connection becomes."""

    async def receive(self) -> bytes:
        """Some bytes; b"" at the end."""

    async def send(self, data: bytes) -> None:
        """Waits while the client is slow. Raises: ConnectionError when it is gone."""


class Upgraded(msgspec.Struct, frozen=True, kw_only=True):
    """Enters `open`, answers 101 with `headers`; then `run` owns the connection until it returns.

    A StatusError while entering is the answer instead.
    """

    headers: Mapping[str, str]
    open: AbstractAsyncContextManager[Any]
    run: Callable[[Wire, Any], Awaitable[None]]


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As PodLogOptions; `since` in unix seconds. Lines with `timestamps` start with RFC 3339 nanoseconds and a space."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    limit_bytes: int | None = None
    stream: str = "All"  #: All | Stdout | Stderr


class PodStreams(Protocol):
    """The streams of the pods of one node. Raises api.errors.StatusError (NotFound, BadRequest) before a stream starts."""

    def exec(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> AbstractAsyncContextManager[ExecStream]: ...

    def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> AbstractAsyncContextManager[ExecStream]: ...

    def dial(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A connection to `port` on the pod's localhost."""

    def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions, *, previous: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...
