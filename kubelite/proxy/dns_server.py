"""The cluster's DNS server: one UDP socket read straight from the event loop, one TCP listener, and what must be forwarded.

Listens on the node's gateway address, which exists before it starts; pods reach it by the kube-dns ClusterIP, a static Service.
Decides nothing about names: `dns` does. A bad packet, a full socket or a dead resolver never stops it.
Source: RFC 1035 section 4.2, RFC 7766 (TCP)
"""

from __future__ import annotations

import asyncio
import socket
import struct

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from kubelite.actor.log import get_logger
from kubelite.proxy.dns import SERVFAIL, Chase, Forward, Responder, encode_response, response_limit
from kubelite.proxy.forward import Forwarder

_BATCH = 64  #: packets read before others may use the loop
_MAX_FORWARDS = 512  #: at a time; what comes on top is answered SERVFAIL
_MAX_CONNECTIONS = 128
_IDLE_TIMEOUT_S = 10.0
_RECEIVE_BUFFER_BYTES = 4 << 20

log = get_logger(__name__)


class DnsServer:
    """The actor. `address` is known once it has started; port 0 takes any free one."""

    name = "dns"

    def __init__(self, responder: Responder, forwarder: Forwarder, *, host: str, port: int) -> None:
        self.address = (host, port)
        self._responder = responder
        self._forwarder = forwarder
        self._forwards = 0
        self._connections = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as udp:
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            udp.bind(self.address)
            self.address = udp.getsockname()
            async with (
                await anyio.create_tcp_listener(local_host=self.address[0], local_port=self.address[1]) as listener,
                anyio.create_task_group() as group,
            ):
                loop.add_reader(udp.fileno(), self._read, udp, group)
                try:
                    task_status.started()
                    log.info("Serving DNS", address=f"{self.address[0]}:{self.address[1]}")
                    await listener.serve(self._serve)
                finally:
                    loop.remove_reader(udp.fileno())

    def _read(self, udp: socket.socket, group: TaskGroup) -> None:
        for _ in range(_BATCH):
            try:
                packet, client = udp.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:
                continue  # the error of an earlier send, e.g. its client is gone
            result = self._responder.respond(packet, udp=True)
            if isinstance(result, bytes):
                _send(udp, result, client)
            elif result is None:
                continue
            elif self._forwards < _MAX_FORWARDS:
                self._forwards += 1
                group.start_soon(self._forward_udp, udp, result, client)
            else:
                _send(udp, encode_response(result.query, SERVFAIL, limit=65_535), client)

    async def _forward_udp(self, udp: socket.socket, result: Forward | Chase, client: tuple[str, int]) -> None:
        try:
            _send(udp, await self._ask(result, udp=True), client)
        finally:
            self._forwards -= 1

    async def _ask(self, result: Forward | Chase, *, udp: bool) -> bytes:
        if isinstance(result, Forward):
            answer = await self._forwarder.resolve(result.query, udp=udp)
        else:
            answer = await self._forwarder.chase(result, limit=response_limit(result.query, udp=udp))
        return answer or encode_response(result.query, SERVFAIL, limit=65_535)

    async def _serve(self, stream: SocketStream) -> None:
        if self._connections >= _MAX_CONNECTIONS:
            await stream.aclose()
            return
        self._connections += 1
        try:
            async with stream:
                await self._converse(stream)
        except (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # clients come and go
        finally:
            self._connections -= 1

    async def _converse(self, stream: SocketStream) -> None:
        stream.extra(SocketAttribute.raw_socket).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = BufferedByteReceiveStream(stream)
        while True:
            with anyio.fail_after(_IDLE_TIMEOUT_S):
                size = int.from_bytes(await reader.receive_exactly(2), "big")
                result = self._responder.respond(await reader.receive_exactly(size), udp=False)
            if result is None:
                return
            answer = result if isinstance(result, bytes) else await self._ask(result, udp=False)
            with anyio.fail_after(_IDLE_TIMEOUT_S):
                await stream.send(struct.pack("!H", len(answer)) + answer)


def _send(udp: socket.socket, packet: bytes, client: tuple[str, int]) -> None:
    try:
        udp.sendto(packet, client)
    except OSError as error:
        # A full buffer or an unreachable client: the client asks again.
        log.debug("Dropped DNS answer", client=client[0], error=str(error))
