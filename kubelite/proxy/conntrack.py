"""Forgets UDP flows whose endpoint is gone: conntrack would keep sending a client's packets there.

TCP needs none of this: its flows end by themselves, and in-flight requests shall finish. `compute_stale` (pure) tells what to
forget from a change of the rules; `forget` does it over netlink, blocking, so it runs in a thread.
Source: net/netfilter/nf_conntrack_netlink.c, include/uapi/linux/netfilter/nfnetlink_conntrack.h
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Set

import msgspec

from kubelite.proxy.rules import Elements

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8
_GET, _DELETE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_ERROR, _DONE = 2, 3
_TUPLE_ORIGINAL, _TUPLE_REPLY = 1, 2
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_NESTED = 0x8000
_TIMEOUT_S = 5


class Flow(msgspec.Struct, frozen=True):
    """UDP flows to `ip`:`port` (any address if `ip` is empty: a node port) that were sent to `endpoint`.

    An empty `endpoint` means flows that were sent nowhere else, from before the Service had endpoints.
    """

    ip: str
    port: int
    endpoint: str


def compute_stale(old: Elements, new: Elements) -> frozenset[Flow]:
    """The flows that a change from `old` to `new` (what differs, both) leaves behind.

    >>> key = "udp . 10.96.0.10 . 53"
    >>> slot = ("endpoints", f"{key} . 0")
    >>> sorted(f.endpoint for f in compute_stale({slot: "10.244.0.2 . 53"}, {slot: "10.244.0.3 . 53"}))
    ['10.244.0.2']
    """
    gone = _udp_slots(old) - _udp_slots(new)
    opened = {
        Flow(*_target(key.split(" . ")), "")
        for name, key in new
        if name in {"services", "nodeports"} and key.startswith("udp") and (name, key) not in old
    }
    return frozenset(gone | opened)


def forget(flows: Set[Flow]) -> int:
    """Deletes the conntrack entries of `flows`; returns how many.

    Raises: OSError.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(_TIMEOUT_S)
        netlink.send(_message(_GET, _REQUEST | _DUMP, b""))
        # All are read before the first is deleted: one socket carries one conversation at a time.
        victims = [raw for raw, flow in _entries(netlink) if flows & flow]
        deleted = 0
        for raw in victims:
            body = struct.pack("HH", 4 + len(raw), _TUPLE_ORIGINAL | _NESTED) + raw + bytes(-len(raw) % 4)
            netlink.send(_message(_DELETE, _REQUEST | _ACK, body))
            # An entry that ended by itself meanwhile is answered with ENOENT: as good.
            deleted += struct.unpack_from("i", netlink.recv(4096), 16)[0] == 0
        return deleted


def _udp_slots(elements: Elements) -> set[Flow]:
    flows = set()
    for (name, key), value in elements.items():
        if name.endswith("endpoints") and key.startswith("udp"):
            ip, port = _target(key.split(" . ")[:-1])
            flows.add(Flow(ip, port, value.split(" . ")[0]))
    return flows


def _target(parts: list[str]) -> tuple[str, int]:
    return (parts[1] if len(parts) == 3 else "", int(parts[-1]))


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("IHHIIBBH", 20 + len(body), kind, flags, 1, 0, socket.AF_INET, 0, 0) + body


def _entries(netlink: socket.socket) -> Iterator[tuple[bytes, set[Flow]]]:
    """Every UDP entry: its original tuple as the kernel wrote it, and the Flows that it is one of."""
    while True:
        data = netlink.recv(1 << 17)
        offset = 0
        while offset < len(data):
            size, kind = struct.unpack_from("IH", data, offset)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("i", data, offset + 16)[0]
                raise OSError(code, "conntrack could not be read")
            tuples = dict(_attributes(data[offset + 20 : offset + size]))
            original, reply = tuples.get(_TUPLE_ORIGINAL, b""), tuples.get(_TUPLE_REPLY, b"")
            to = _parse_tuple(original)
            sent_to = _parse_tuple(reply)
            if to["proto"] == socket.IPPROTO_UDP:
                endpoint = "" if sent_to["src"] == to["dst"] else str(sent_to["src"])
                port = int(to["dport"])
                yield original, {Flow(str(to["dst"]), port, endpoint), Flow("", port, endpoint)}
            offset += (size + 3) & ~3


def _parse_tuple(raw: bytes) -> dict[str, str | int]:
    found: dict[str, str | int] = {"src": "", "dst": "", "proto": 0, "dport": 0}
    for kind, value in _attributes(raw):
        inner = dict(_attributes(value))
        if kind == _TUPLE_IP:
            for name, number in (("src", 1), ("dst", 2)):
                if len(address := inner.get(number, b"")) == 4:
                    found[name] = socket.inet_ntoa(address)
        elif kind == _TUPLE_PROTO:
            found["proto"] = inner.get(1, b"\0")[0]
            found["dport"] = int.from_bytes(inner.get(3, b""), "big")
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        size, kind = struct.unpack_from("HH", data, offset)
        if size < 4:
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + size]
        offset += (size + 3) & ~3
