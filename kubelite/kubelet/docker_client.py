"""The door to the engine: one client, deadlines on every call, and foreign errors translated.

Knows HTTP paths only in what it is given; `docker` and its other files know the engine's API. aiodocker has helpers for a part
of that API, without deadlines and with repeated inspections, so requests go through its request method, and exec and attach
through its streams. Source: https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, TypeVar, overload

import anyio
import msgspec

from kubelite.kubelet.runtime import RuntimeFailed, Unreachable

if TYPE_CHECKING:
    import aiodocker
    import aiohttp

T = TypeVar("T")

#: As upstream's --runtime-request-timeout.
REQUEST_DEADLINE_S = 120.0
#: aiodocker's own code for a refused or broken connection.
_NO_CONNECTION = 900


class Refused(RuntimeFailed):
    """The engine answered with an error; `status` is HTTP's."""

    def __init__(self, reason: str, message: str, status: int) -> None:
        super().__init__(reason, message)
        self.status = status


@contextmanager
def translated(reason: str) -> Iterator[None]:
    """Raises Refused(reason) or Unreachable for whatever the client libraries raise."""
    import aiodocker
    import aiohttp

    try:
        yield
    except aiodocker.DockerError as error:
        if error.status == _NO_CONNECTION:
            raise Unreachable(error.message) from error
        raise Refused(reason, error.message, error.status) from error
    except TimeoutError as error:
        raise Unreachable("the container engine did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"lost the connection to the container engine: {error}") from error


class EngineClient:
    """The engine behind a unix socket. Made lazily inside the running loop; `close` when the owner ends."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._docker: aiodocker.Docker | None = None
        self._connector: aiohttp.UnixConnector | None = None

    def docker(self) -> aiodocker.Docker:
        if self._docker is None:
            import aiodocker
            import aiohttp

            # limit=0: every followed log and exec holds a connection, and none of them may block a start.
            self._connector = aiohttp.UnixConnector(self.socket, limit=0)
            self._docker = aiodocker.Docker(url="unix://localhost", connector=self._connector)
        return self._docker

    async def close(self) -> None:
        if self._docker is not None and self._connector is not None:
            await self._docker.close()
            await self._connector.close()
            self._docker = self._connector = None

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        params: Mapping[str, str] | None = ...,
        body: object = ...,
        deadline_s: float = ...,
    ) -> bytes: ...
    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        answer: type[T],
        params: Mapping[str, str] | None = ...,
        body: object = ...,
        deadline_s: float = ...,
    ) -> T: ...
    async def request(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        answer: type[Any] | None = None,
        params: Mapping[str, str] | None = None,
        body: object = None,
        deadline_s: float = REQUEST_DEADLINE_S,
    ) -> Any:
        """The answer's bytes, or decoded as `answer`. `body` is sent as it is if bytes or an open file, otherwise as JSON.

        Raises: Refused with `reason`, or Unreachable.
        """
        archive = isinstance(body, bytes | BufferedIOBase)
        data = body if body is None or archive else msgspec.json.encode(body)
        headers = {"Content-Type": "application/x-tar"} if archive else None
        with translated(reason), anyio.fail_after(deadline_s):
            async with self.docker()._query(path, method, params=params, data=data, headers=headers) as response:
                raw = await response.read()
        return raw if answer is None else msgspec.json.decode(raw, type=answer)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        reason: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        progress_s: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body as it comes; with `progress_s`, silence for longer than that is Unreachable."""
        with translated(reason), anyio.fail_after(REQUEST_DEADLINE_S):
            response = await self.docker()._do_query(path, method, params=params, headers=headers, timeout=None)
        try:
            yield _chunks(response, reason, progress_s)
        finally:
            response.close()


async def _chunks(response: aiohttp.ClientResponse, reason: str, progress_s: float | None) -> AsyncIterator[bytes]:
    while True:
        with translated(reason), anyio.fail_after(progress_s):
            chunk = await response.content.readany()
        if not chunk:
            return
        yield chunk


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines of a stream of JSON lines; a line may be as long as the labels of a container are."""
    pending = b""
    async for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line


def filters(**values: list[str]) -> str:
    return json.dumps(values)
