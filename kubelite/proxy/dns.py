"""DNS packets: a question in, the encoded answer out, or word that it is another server's. Pure.

Knows the wire format and asks the `Zone`; knows no sockets. Whatever comes in, nothing but the documented results come out: a
packet is untrusted. Answers to plain hits are kept encoded per question and rotate, so that every endpoint is first in turn.
Source: RFC 1035 section 4, RFC 2308 (NODATA and NXDOMAIN), RFC 6891 (EDNS), coredns plugin/kubernetes (times to live, flags)
"""

from __future__ import annotations

import struct
from typing import TypeAlias

import msgspec

from kubelite.proxy.zone import AAAA, CNAME, SOA, SRV, A, Name, Record, Zone

TTL_S = 5
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, BADVERS = 0, 1, 2, 3, 4, 16
_OPT = 41
_IN = 1
_HEADER_SIZE = 12
_PLAIN_UDP_SIZE = 512  #: RFC 1035
_MAX_UDP_SIZE = 4096
_OUR_UDP_SIZE = 1232  #: fits every path unfragmented
_CACHE_NAMES = 10_000
_MAX_CHAIN = 8


class Query(msgspec.Struct, frozen=True):
    """A well-formed question. `end` is the offset behind it; `udp_size` 0: no EDNS."""

    packet: bytes
    name: Name
    type: int
    end: int
    udp_size: int = 0


class Forward(msgspec.Struct, frozen=True):
    """Another server knows."""

    query: Query


class Chase(msgspec.Struct, frozen=True):
    """The answer so far is `records`, aliases that end at `target`, which another server knows."""

    query: Query
    records: tuple[bytes, ...]
    target: Name


#: None: the packet deserves no answer.
Result: TypeAlias = bytes | Forward | Chase | None


class BadQuery(Exception):
    """Not a question that can be answered; carries the response code."""

    def __init__(self, rcode: int) -> None:
        super().__init__(f"response code {rcode}")
        self.rcode = rcode


def parse_query(packet: bytes) -> Query:
    """
    Raises: BadQuery.
    """
    if packet[2] & 0x78:
        raise BadQuery(NOTIMP)
    if packet[4:6] != b"\0\1":
        raise BadQuery(FORMERR)
    try:
        offset = _HEADER_SIZE
        while length := packet[offset]:
            if length > 63:
                raise BadQuery(FORMERR)
            offset += 1 + length
        if offset - _HEADER_SIZE > 254:
            raise BadQuery(FORMERR)
        name = packet[_HEADER_SIZE : offset + 1].lower()
        type_, class_ = struct.unpack_from("!HH", packet, offset + 1)
        end = offset + 5
        if class_ != _IN:
            raise BadQuery(NOTIMP)
        udp_size = 0
        # An OPT record is only looked for as the first behind the question, where every resolver puts it.
        if packet[6:10] == b"\0\0\0\0" and packet[end : end + 3] == b"\0\0\x29":
            size, _, version = struct.unpack_from("!HBB", packet, end + 3)
            if version:
                raise BadQuery(BADVERS)
            udp_size = max(size, _PLAIN_UDP_SIZE)
    except (IndexError, struct.error):
        raise BadQuery(FORMERR) from None
    return Query(packet, name, type_, end, udp_size)


def encode_record(name: bytes, type_: int, data: bytes, ttl_s: int = TTL_S) -> bytes:
    return name + struct.pack("!HHIH", type_, _IN, ttl_s, len(data)) + data


def encode_response(
    query: Query,
    rcode: int,
    answers: tuple[bytes, ...] = (),
    *,
    authority: tuple[bytes, ...] = (),
    extra: tuple[bytes, ...] = (),
    limit: int,
) -> bytes:
    """A response of at most `limit` bytes; one that does not fit has the TC bit and no records."""
    packet = query.packet
    opt = encode_opt() if query.udp_size else b""
    # QR and AA; the opcode is 0; RD as asked; RA, since other names are forwarded.
    flags = 0x8480 | (packet[2] & 1) << 8 | rcode
    counts = (1, len(answers), len(authority), len(extra) + bool(opt))
    head = packet[:2] + struct.pack("!5H", flags, *counts)
    body = packet[_HEADER_SIZE : query.end] + b"".join((*answers, *authority, *extra)) + opt
    if len(head) + len(body) <= limit:
        return head + body
    head = packet[:2] + struct.pack("!5H", flags | 0x200, 1, 0, 0, bool(opt))
    return head + packet[_HEADER_SIZE : query.end] + opt


def encode_opt(extended_rcode: int = 0) -> bytes:
    return b"\0" + struct.pack("!HHBBHH", _OPT, _OUR_UDP_SIZE, extended_rcode, 0, 0, 0)


def encode_error(packet: bytes, rcode: int) -> bytes:
    """A response without the question, to a packet that may not hold one."""
    opt = encode_opt(rcode >> 4) if rcode > 15 else b""
    flags = 0x8080 | (packet[2] & 0x79) << 8 | rcode & 15
    return packet[:2] + struct.pack("!5H", flags, 0, 0, 0, bool(opt)) + opt


def response_limit(query: Query, *, udp: bool) -> int:
    return min(query.udp_size or _PLAIN_UDP_SIZE, _MAX_UDP_SIZE) if udp else 65_535


class Responder:
    """Answers from a zone. The zone is changed through `replace` only, so that no old answer survives."""

    def __init__(self, domain: str) -> None:
        self._zone = Zone(domain)
        self._cache: dict[Name, dict[int, list[bytes]]] = {}

    def replace(self, owner: str, records: frozenset[Record]) -> None:
        """What `owner` has in the zone from now on."""
        for name in self._zone.replace(owner, records):
            self._cache.pop(name, None)

    def respond(self, packet: bytes, *, udp: bool) -> Result:
        """The answer to one packet."""
        if len(packet) < _HEADER_SIZE or packet[2] & 0x80:
            return None
        try:
            query = parse_query(packet)
        except BadQuery as bad:
            return encode_error(packet, bad.rcode)
        limit = response_limit(query, udp=udp)
        if (kept := self._cache.get(query.name)) and (records := kept.get(query.type)):
            records.append(records.pop(0))
            return encode_response(query, NOERROR, tuple(records), limit=limit)
        if not self._zone.owns(query.name):
            return Forward(query)
        if found := self._zone.lookup(query.name, query.type):
            answers = [encode_record(b"\xc0\x0c", query.type, data) for data in found]
            if query.type == SRV:
                return encode_response(query, NOERROR, tuple(answers), extra=self._addresses(found), limit=limit)
            self._keep(query, answers)
            return encode_response(query, NOERROR, tuple(answers), limit=limit)
        if query.type != CNAME and (target := self._zone.lookup(query.name, CNAME)):
            return self._follow(query, target[0], limit)
        return self._negative(query, query.name, (), limit)

    def _follow(self, query: Query, target: Name, limit: int) -> bytes | Chase:
        """ExternalName: the alias, and what it stands for as far as the zone knows."""
        records = [encode_record(b"\xc0\x0c", CNAME, target)]
        for _ in range(_MAX_CHAIN):
            if not self._zone.owns(target):
                if query.type in {A, AAAA}:
                    return Chase(query, tuple(records), target)
                return encode_response(query, NOERROR, tuple(records), limit=limit)
            if found := self._zone.lookup(target, query.type):
                records += [encode_record(target, query.type, data) for data in found]
                return encode_response(query, NOERROR, tuple(records), limit=limit)
            if not (further := self._zone.lookup(target, CNAME)):
                return self._negative(query, target, tuple(records), limit)
            records.append(encode_record(target, CNAME, further[0]))
            target = further[0]
        return encode_response(query, SERVFAIL, limit=limit)

    def _negative(self, query: Query, name: Name, answers: tuple[bytes, ...], limit: int) -> bytes:
        """NODATA if the name exists, else NXDOMAIN."""
        rcode = NOERROR if self._zone.exists(name) else NXDOMAIN
        soa = encode_record(self._zone.domain, SOA, self._zone.soa)
        return encode_response(query, rcode, answers, authority=(soa,), limit=limit)

    def _addresses(self, services: list[bytes]) -> tuple[bytes, ...]:
        """The addresses of SRV targets, so that a client need not ask again."""
        targets = dict.fromkeys(data[6:] for data in services)
        return tuple(encode_record(t, A, ip) for t in targets for ip in self._zone.lookup(t, A))

    def _keep(self, query: Query, answers: list[bytes]) -> None:
        # What follows from another name (a pod's address, an alias, SRV targets) is not kept: that name's change must count.
        if (query.name, query.type) not in self._zone:
            return
        if len(self._cache) >= _CACHE_NAMES:
            self._cache.clear()
        self._cache.setdefault(query.name, {})[query.type] = answers
