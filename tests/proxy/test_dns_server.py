"""The server over real sockets, asked by another DNS library."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import dnslib

from kubelite.actor.clock import SystemClock
from kubelite.proxy.dns_server import DnsServer
from kubelite.proxy.forward import Address, Forwarder

from .test_dns import DOMAIN, WEB, responder


@asynccontextmanager
async def serving(*resolvers: Address) -> AsyncIterator[DnsServer]:
    server = DnsServer(responder(), Forwarder(resolvers, SystemClock()), host="127.0.0.1", port=0)
    async with anyio.create_task_group() as group:
        await group.start(server.run)
        yield server
        group.cancel_scope.cancel()


async def ask(server: DnsServer, name: str, type_: str = "A", *, tcp: bool = False) -> dnslib.DNSRecord:
    question = dnslib.DNSRecord.question(name, type_)
    raw = await anyio.to_thread.run_sync(lambda: question.send(*server.address, tcp=tcp, timeout=5))
    parsed = dnslib.DNSRecord.parse(raw)
    assert parsed.header.id == question.header.id
    return parsed


class Resolver(asyncio.DatagramProtocol):
    """Another resolver: first a forged answer, then its own."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []  #: client port, id

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]  # as the loop makes it

    def datagram_received(self, packet: bytes, client: tuple[str, int]) -> None:
        query = dnslib.DNSRecord.parse(packet)
        self.seen.append((client[1], query.header.id))
        for address, wrong_id in (("6.6.6.6", True), ("192.0.2.1", False)):
            reply = query.reply()
            reply.header.id = query.header.id ^ wrong_id
            reply.add_answer(*dnslib.RR.fromZone(f"{query.q.qname} 60 A {address}"))
            self.transport.sendto(reply.pack(), client)


@asynccontextmanager
async def resolving() -> AsyncIterator[tuple[Resolver, Address]]:
    transport, resolver = await asyncio.get_running_loop().create_datagram_endpoint(
        Resolver, local_addr=("127.0.0.1", 0)
    )
    try:
        yield resolver, transport.get_extra_info("sockname")
    finally:
        transport.close()


def addresses(answer: dnslib.DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


async def test_names_of_the_cluster_are_answered_over_udp_and_tcp() -> None:
    async with serving() as server:
        for tcp in (False, True):
            assert addresses(await ask(server, WEB, tcp=tcp)) == ["10.96.0.7"]


async def test_other_names_are_asked_under_fresh_ids_and_ports_and_forgeries_ignored() -> None:
    async with resolving() as (resolver, address), serving(address) as server:
        for _ in range(5):
            assert addresses(await ask(server, "example.com")) == ["192.0.2.1"]
        assert len({port for port, _ in resolver.seen}) > 1
        assert len({id_ for _, id_ in resolver.seen}) > 1


async def test_an_alias_to_another_name_is_answered_with_its_address() -> None:
    async with resolving() as (_, address), serving(address) as server:
        answer = await ask(server, f"outside.default.svc.{DOMAIN}")
        assert addresses(answer) == ["example.com.", "192.0.2.1"]
        assert str(answer.rr[1].rname) == "example.com."


async def test_a_resolver_that_refuses_is_passed_over_and_none_is_a_server_failure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()
    async with resolving() as (_, address), serving(dead, address) as server:
        assert addresses(await ask(server, "example.com")) == ["192.0.2.1"]
    async with serving(dead) as server:
        for tcp in (False, True):
            assert (await ask(server, "example.com", tcp=tcp)).header.rcode == dnslib.RCODE.SERVFAIL


async def test_bad_packets_and_broken_connections_stop_nothing() -> None:
    async with serving() as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(server.address)
            for packet in (b"", b"\0", b"\xff" * 40, b"\0\1\0\0\0\1\0\0\0\0\0\0\3we"):
                client.send(packet)
        for sent in (b"", b"\0", b"\0\7abc", b"\0\0", b"\xff\xff"):
            stream = await anyio.connect_tcp(*server.address)
            async with stream:
                if sent:
                    await stream.send(sent)
        assert addresses(await ask(server, WEB)) == ["10.96.0.7"]
        assert addresses(await ask(server, WEB, tcp=True)) == ["10.96.0.7"]
