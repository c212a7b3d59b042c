"""Links, addresses and routes by rtnetlink messages, in this or another network namespace.

Knows nothing of pods: `network` decides what to build. Written out because it is on the path of every pod start: a batch of
raw messages costs 1.4 ms per pod where pyroute2 cost 15 and a subprocess 7. Every call blocks for as long as the kernel's
RTNL lock is held, so callers run it in a worker thread.
Source: rtnetlink(7), netlink(7), Linux include/uapi/linux/{rtnetlink,if_link,if_addr,neighbour}.h
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_REQUEST, _ACK, _DUMP, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x300, 0x100, 0x200, 0x400
_ERROR, _DONE = 2, 3
_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE, _DELROUTE, _NEWNEIGH = 16, 17, 18, 20, 24, 25, 28
_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD = 1, 3, 4, 18, 20, 28
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_UNICAST, _UNREACHABLE = 1, 7
_NUD_PERMANENT = 0x80
_CLONE_NEWNET = 0x40000000


class Message(NamedTuple):
    """One request: what to do and to what; a RouteSocket numbers and sends it."""

    kind: int
    flags: int
    body: bytes


class Link(NamedTuple):
    number: int  #: the kernel's index
    name: str
    alias: str


def add_bridge(name: str) -> Message:
    info = _attribute(1, b"bridge\0")
    return Message(
        _NEWLINK, _CREATE | _EXCLUSIVE, _link(up=True) + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_LINKINFO, info)
    )


def add_veth(name: str, *, mac: bytes, peer: str, peer_mac: bytes, peer_netns_fd: int, mtu: int) -> Message:
    """A pair of which `peer` is born inside the other namespace: it is never seen, and never renamed, in this one."""
    other = _link() + _text(_IFLA_IFNAME, peer) + _number(_IFLA_MTU, mtu) + _attribute(_IFLA_ADDRESS, peer_mac)
    other += _number(_IFLA_NET_NS_FD, peer_netns_fd)
    info = _attribute(1, b"veth\0") + _attribute(2, _attribute(1, other))
    body = _link(up=True) + _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu) + _attribute(_IFLA_ADDRESS, mac)
    return Message(_NEWLINK, _CREATE | _EXCLUSIVE, body + _attribute(_IFLA_LINKINFO, info))


def set_up(index: int) -> Message:
    return Message(_NEWLINK, 0, _link(index, up=True))


def set_alias(index: int, alias: str) -> Message:
    return Message(_NEWLINK, 0, _link(index) + _attribute(_IFLA_IFALIAS, alias.encode()))


def delete_link(name: str) -> Message:
    return Message(_DELLINK, 0, _link() + _text(_IFLA_IFNAME, name))


def add_address(index: int, ip: str, prefix_length: int) -> Message:
    packed = socket.inet_aton(ip)
    body = struct.pack("BBBBi", socket.AF_INET, prefix_length, 0, 0, index)
    return Message(_NEWADDR, _CREATE | _REPLACE, body + _attribute(1, packed) + _attribute(2, packed))


def add_neighbor(index: int, ip: str, mac: bytes) -> Message:
    body = struct.pack("BxxxiHBB", socket.AF_INET, index, _NUD_PERMANENT, 0, 0)
    return Message(_NEWNEIGH, _CREATE | _REPLACE, body + _attribute(1, socket.inet_aton(ip)) + _attribute(2, mac))


def add_route(destination: str, *, index: int, gateway: str = "", source: str = "") -> Message:
    """`destination` as a CIDR; without `gateway` it is on the link."""
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    body = _route(destination, kind=_UNICAST, scope=scope) + _number(_RTA_OIF, index)
    if gateway:
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    if source:
        body += _attribute(_RTA_PREFSRC, socket.inet_aton(source))
    return Message(_NEWROUTE, _CREATE | _REPLACE, body)


def add_unreachable(destination: str) -> Message:
    """What no longer-prefix route covers fails at once instead of leaving by the default route."""
    return Message(_NEWROUTE, _CREATE | _REPLACE, _route(destination, kind=_UNREACHABLE, scope=_SCOPE_UNIVERSE))


def delete_unreachable(destination: str) -> Message:
    return Message(_DELROUTE, 0, _route(destination, kind=_UNREACHABLE, scope=_SCOPE_UNIVERSE))


class RouteSocket:
    """An rtnetlink socket of the caller's namespace, or of the one behind `netns_path`, for as long as the context lasts."""

    def __init__(self, netns_path: str = "") -> None:
        def connect() -> socket.socket:
            return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)

        self._socket = run_in_netns(netns_path, connect) if netns_path else connect()
        self._sequence = 0

    def __enter__(self) -> RouteSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, *messages: Message) -> None:
        """Carries all of them out in order, in one system call.

        Raises: OSError with the first failure's errno; the messages behind it were carried out nevertheless.
        """
        self._socket.send(b"".join(self._encode(message, _ACK) for message in messages))
        pending, failure = len(messages), 0
        while pending:
            for kind, body in self._receive():
                if kind == _ERROR:
                    pending -= 1
                    failure = failure or -int.from_bytes(body[:4], "little", signed=True)
        if failure:
            raise OSError(failure, os.strerror(failure))

    def index(self, name: str) -> int:
        """Raises: OSError (ENODEV) when there is no such link."""
        self._socket.send(self._encode(Message(_GETLINK, 0, _link() + _text(_IFLA_IFNAME, name)), 0))
        for kind, body in self._receive():
            if kind == _ERROR:
                failure = -int.from_bytes(body[:4], "little", signed=True)
                raise OSError(failure, os.strerror(failure), name)
            return int.from_bytes(body[4:8], "little")
        raise OSError("the kernel sent an empty answer")

    def links(self) -> list[Link]:
        self._socket.send(self._encode(Message(_GETLINK, _DUMP, _link()), 0))
        found: list[Link] = []
        while True:
            for kind, body in self._receive():
                if kind == _DONE:
                    return found
                if kind == _NEWLINK:
                    facts = dict(_attributes(body[16:]))
                    alias = facts.get(_IFLA_IFALIAS, b"").rstrip(b"\0").decode()
                    found.append(
                        Link(int.from_bytes(body[4:8], "little"), facts[_IFLA_IFNAME].rstrip(b"\0").decode(), alias)
                    )

    def _encode(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        size = 16 + len(message.body)
        return (
            struct.pack("IHHII", size, message.kind, _REQUEST | message.flags | flags, self._sequence, 0) + message.body
        )

    def _receive(self) -> Iterator[tuple[int, bytes]]:
        data = self._socket.recv(1 << 17)
        offset = 0
        while offset < len(data):
            size, kind = struct.unpack_from("IH", data, offset)
            yield kind, data[offset + 16 : offset + size]
            offset += (size + 3) & ~3


def run_in_netns(path: str, call: Callable[[], T]) -> T:
    """The result of `call` made inside the network namespace at `path`; sockets that it opens stay there.

    setns changes the calling thread for good, so it happens in a thread that ends with the call.
    Raises: OSError when the namespace is gone or may not be entered, and what `call` raises of OSError.
    """
    results: list[T] = []
    failures: list[OSError] = []

    def enter_and_call() -> None:
        try:
            netns = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(netns, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
            finally:
                os.close(netns)
            results.append(call())
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=enter_and_call)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("HH", size, kind) + value + bytes(-size % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("I", value))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        size, kind = struct.unpack_from("HH", data, offset)
        yield kind, data[offset + 4 : offset + size]
        offset += (size + 3) & ~3


def _link(index: int = 0, *, up: bool = False) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _route(destination: str, *, kind: int, scope: int) -> bytes:
    address, _, length = destination.partition("/")
    fixed = struct.pack("BBBBBBBBI", socket.AF_INET, int(length), 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, kind, 0)
    return fixed + (_attribute(_RTA_DST, socket.inet_aton(address)) if int(length) else b"")
