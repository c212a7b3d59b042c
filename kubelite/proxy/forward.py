"""Asks the host's resolvers about names that are not the cluster's.

Each question goes out from a fresh socket, that is a random source port, under a random id; an answer counts only if id and
question match. Source: RFC 5452 (forged answers), man resolv.conf
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from kubelite.actor.clock import Clock
from kubelite.proxy.dns import NOERROR, NXDOMAIN, Chase, Query, encode_record, encode_response
from kubelite.proxy.zone import AAAA, CNAME, A, Name

TIMEOUT_S = 2.0  #: per resolver
_MAX_RESOLVERS = 3  #: as the C library reads
_MAX_RECORDS = 64
_MAX_POINTERS = 32

Address: TypeAlias = tuple[str, int]


def parse_resolv_conf(text: str) -> tuple[Address, ...]:
    """The resolvers of a resolv.conf; IPv6 ones are left out.

    >>> parse_resolv_conf("nameserver 192.0.2.1\\nsearch example.com")
    (('192.0.2.1', 53),)
    """
    words = (line.split() for line in text.splitlines())
    found = [(w[1], 53) for w in words if len(w) > 1 and w[0] == "nameserver" and ":" not in w[1]]
    return tuple(found[:_MAX_RESOLVERS])


def host_resolvers() -> tuple[Address, ...]:
    """The host's resolvers as of now; none if it has no resolv.conf."""
    try:
        return parse_resolv_conf(Path("/etc/resolv.conf").read_text())
    except OSError:
        return ()


class Forwarder:
    def __init__(self, resolvers: Sequence[Address], clock: Clock) -> None:
        self._resolvers = tuple(resolvers)
        self._clock = clock

    async def resolve(self, query: Query, *, udp: bool) -> bytes | None:
        """The first resolver's answer, under the client's id, by the transport the client used; None if there is none."""
        for resolver in self._resolvers:
            packet = self._clock.token(2) + query.packet[2:]
            with anyio.move_on_after(TIMEOUT_S):
                try:
                    ask = _ask_udp if udp else _ask_tcp
                    answer = await ask(resolver, packet, query.end)
                except (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                    continue
                return query.packet[:2] + answer[2:]
        return None

    async def chase(self, chase: Chase, *, limit: int) -> bytes | None:
        """An alias's answer, with what the resolvers say of its target."""
        query = chase.query
        packet = b"\0\0\1\0\0\1\0\0\0\0\0\0" + chase.target + struct.pack("!HH", query.type, 1)
        target = Query(packet, chase.target, query.type, len(packet))
        answer = await self.resolve(target, udp=True)
        if answer and answer[2] & 2:
            answer = await self.resolve(target, udp=False)
        if answer is None or answer[3] & 15 not in {NOERROR, NXDOMAIN}:
            return None
        try:
            found = parse_answers(answer)
        except (IndexError, struct.error):
            return None
        return encode_response(query, answer[3] & 15, (*chase.records, *found), limit=limit)


def parse_answers(packet: bytes) -> tuple[bytes, ...]:
    """The address and alias records of a response, each encoded without pointers. Pure.

    Raises: IndexError, struct.error when it is malformed.
    """
    questions, answers = struct.unpack_from("!HH", packet, 4)
    offset = 12
    for _ in range(questions):
        offset = _read_name(packet, offset)[1] + 4
    records = []
    for _ in range(min(answers, _MAX_RECORDS)):
        name, offset = _read_name(packet, offset)
        type_, _, ttl_s, size = struct.unpack_from("!HHIH", packet, offset)
        offset += 10
        data = packet[offset : offset + size]
        if len(data) != size:
            raise IndexError("record beyond the packet")
        if type_ == CNAME:
            data = _read_name(packet, offset)[0]
        if type_ in {A, AAAA, CNAME}:
            records.append(encode_record(name, type_, data, ttl_s))
        offset += size
    return tuple(records)


def _read_name(packet: bytes, offset: int) -> tuple[Name, int]:
    """The name at `offset` without pointers, and the offset behind it."""
    name, end = b"", 0
    for _ in range(_MAX_POINTERS + 128):
        length = packet[offset]
        if length >= 0xC0:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | packet[offset + 1]
        elif length == 0:
            return name + b"\0", end or offset + 1
        else:
            name += packet[offset : offset + 1 + length]
            offset += 1 + length
    raise IndexError("name does not end")


def _matches(answer: bytes, packet: bytes, end: int) -> bool:
    """Whether it is the answer: same id, a response, the same question in any case."""
    return (
        len(answer) >= 12
        and answer[:2] == packet[:2]
        and bool(answer[2] & 0x80)
        and answer[12:end].lower() == packet[12:end].lower()
    )


async def _ask_udp(resolver: Address, packet: bytes, end: int) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as udp:
        udp.setblocking(False)
        udp.connect(resolver)  # of a datagram socket: only sets the address, and lets nobody else answer
        await loop.sock_sendall(udp, packet)
        while True:
            answer = await loop.sock_recv(udp, 65_535)
            if _matches(answer, packet, end):
                return answer


async def _ask_tcp(resolver: Address, packet: bytes, end: int) -> bytes:
    async with await anyio.connect_tcp(*resolver) as stream:
        await stream.send(struct.pack("!H", len(packet)) + packet)
        reader = BufferedByteReceiveStream(stream)
        size = int.from_bytes(await reader.receive_exactly(2), "big")
        answer = await reader.receive_exactly(size)
        if not _matches(answer, packet, end):
            raise OSError(errno.EPROTO, "not the answer to the question")
        return answer
