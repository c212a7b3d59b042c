"""The cluster's DNS records, by owner: what Services, EndpointSlices and Namespaces are called. Pure.

Knows names and record data, nothing of packets or sockets. One owner's records are replaced as a whole; lookups and replacing
cost what they touch, not what the zone holds.
Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md, coredns plugin/kubernetes (pods insecure)
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from kubelite.api import core_v1, discovery_v1
from kubelite.proxy.services import ipv4

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 16, 28, 33
_MAX_PORT_NAME = 63  #: with its underscore it must fit a label
EXISTS = 0  #: a record of no data: the name exists

#: A name as on the wire, lower case: length-prefixed labels and a zero byte.
Name: TypeAlias = bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    name: Name
    type: int
    data: bytes = b""


def encode_name(name: str) -> Name:
    """
    >>> encode_name("web.default.svc.cluster.local.")
    b'\\x03web\\x07default\\x03svc\\x07cluster\\x05local\\x00'

    Raises: ValueError when it is no name.
    """
    wire = b""
    for label in name.rstrip(".").lower().split("."):
        raw = label.encode("ascii")
        if not 0 < len(raw) < 64:
            raise ValueError(f"not a DNS name: {name}")
        wire += bytes([len(raw)]) + raw
    if len(wire) > 254:
        raise ValueError(f"DNS name too long: {name}")
    return wire + b"\0"


def reverse_name(ip: str) -> Name:
    """
    >>> reverse_name("10.96.0.1")
    b'\\x011\\x010\\x0296\\x0210\\x07in-addr\\x04arpa\\x00'
    """
    return encode_name(".".join(reversed(ip.split("."))) + ".in-addr.arpa")


def compute_service_records(
    service: core_v1.Service, slices: Iterable[discovery_v1.EndpointSlice], domain: str
) -> frozenset[Record]:
    """The records of one Service; `slices` are its EndpointSlices."""
    spec = service.spec
    fqdn = f"{service.metadata.name}.{service.metadata.namespace}.svc.{domain}"
    if spec.type == "ExternalName":
        try:
            return frozenset({Record(encode_name(fqdn), CNAME, encode_name(spec.external_name))})
        except ValueError:
            return frozenset()  # e.g. an IP address with a long label: nothing can be said of it
    name = encode_name(fqdn)
    records = {Record(name, EXISTS)}
    headless = spec.cluster_ip in {"", "None"}
    if not headless:
        records |= {Record(name, A, ip) for ip in _packed(spec.cluster_ips or (spec.cluster_ip,))}
        records |= {Record(reverse_name(socket.inet_ntoa(r.data)), PTR, name) for r in records if r.type == A}
        for port in spec.ports:
            records |= _srv(fqdn, port.name, port.protocol, port.port, name)
    for slice_ in slices:
        if slice_.address_type == "IPv4":
            records |= _endpoint_records(slice_, fqdn, headless=headless)
    return frozenset(records)


def compute_namespace_records(namespace: str, domain: str) -> frozenset[Record]:
    """A namespace's name exists, for Services and for pods."""
    return frozenset(Record(encode_name(f"{namespace}.{part}.{domain}"), EXISTS) for part in ("svc", "pod"))


def _endpoint_records(slice_: discovery_v1.EndpointSlice, fqdn: str, *, headless: bool) -> set[Record]:
    name = encode_name(fqdn)
    records: set[Record] = set()
    for endpoint in slice_.endpoints:
        if endpoint.conditions.ready is False:
            continue
        for packed in _packed(endpoint.addresses):
            ip = socket.inet_ntoa(packed)
            try:
                host = encode_name(f"{endpoint.hostname or ip.replace('.', '-')}.{fqdn}")
            except ValueError:
                continue
            records |= {Record(host, A, packed), Record(reverse_name(ip), PTR, host)}
            if headless:
                records.add(Record(name, A, packed))
                for port in slice_.ports:
                    records |= _srv(fqdn, port.name or "", port.protocol or "TCP", port.port or 0, host)
    return records


def _srv(fqdn: str, port_name: str, protocol: str, port: int, target: Name) -> set[Record]:
    if not 0 < len(port_name) < _MAX_PORT_NAME:
        return set()
    data = struct.pack("!HHH", 0, 100, port) + target
    return {Record(encode_name(f"_{port_name}._{(protocol or 'TCP').lower()}.{fqdn}"), SRV, data)}


def _packed(addresses: Iterable[str]) -> list[bytes]:
    return [socket.inet_aton(address) for address in ipv4(addresses)]


class Zone:
    """The records of all owners."""

    def __init__(self, domain: str) -> None:
        self.domain = encode_name(domain)
        self._pods = encode_name(f"pod.{domain}")
        self._owned: dict[str, frozenset[Record]] = {}
        self._records: dict[tuple[Name, int], dict[bytes, int]] = {}
        self._names: dict[Name, int] = {}  #: how many records exist at the name or below
        server = encode_name(f"ns.dns.{domain}")
        self.soa = server + encode_name(f"hostmaster.{domain}") + struct.pack("!IIIII", 1, 7200, 1800, 86400, 5)
        always = {Record(self.domain, SOA, self.soa), Record(self.domain, NS, server)}
        always |= {Record(encode_name(f"{part}.{domain}"), EXISTS) for part in ("svc", "pod")}
        always.add(Record(encode_name(f"dns-version.{domain}"), TXT, b"\x051.1.0"))
        self.replace("", frozenset(always))

    def replace(self, owner: str, records: frozenset[Record]) -> set[Name]:
        """What `owner` has from now on (empty: it is gone); returns the names that this touched, and those above them."""
        old = self._owned.get(owner, frozenset())
        touched: set[Name] = set()
        for record in old - records:
            touched |= self._count(record, -1)
        for record in records - old:
            touched |= self._count(record, 1)
        if records:
            self._owned[owner] = records
        else:
            self._owned.pop(owner, None)
        return touched

    def lookup(self, name: Name, type_: int) -> list[bytes]:
        """The data of the records, in the order of their coming. Pods are found by the address in their name."""
        if found := self._records.get((name, type_)):
            return list(found)
        if type_ == A and (ip := self._pod_ip(name)):
            return [ip]
        return []

    def __contains__(self, key: tuple[Name, int]) -> bool:
        """Whether there are records of this name and type themselves."""
        return key in self._records

    def exists(self, name: Name) -> bool:
        """Whether a record exists at the name or below it (RFC 8020)."""
        return name in self._names or self._pod_ip(name) is not None

    def owns(self, name: Name) -> bool:
        """Whether this zone alone knows the name: it is in the domain, or a known address's reverse."""
        return within(name, self.domain) or (name, PTR) in self._records

    def _count(self, record: Record, change: int) -> set[Name]:
        if record.type != EXISTS:
            counts = self._records.setdefault((record.name, record.type), {})
            counts[record.data] = counts.get(record.data, 0) + change
            if not counts[record.data]:
                del counts[record.data]
            if not counts:
                del self._records[record.name, record.type]
        name, touched = record.name, set()
        while len(name) > 1:
            touched.add(name)
            self._names[name] = self._names.get(name, 0) + change
            if not self._names[name]:
                del self._names[name]
            name = name[1 + name[0] :]
        return touched

    def _pod_ip(self, name: Name) -> bytes | None:
        """The address in 1-2-3-4.NAMESPACE.pod.DOMAIN of an existing namespace."""
        namespace = name[1 + name[0] :]
        if namespace not in self._names or namespace[1 + namespace[0] :] != self._pods:
            return None
        parts = name[1 : 1 + name[0]].split(b"-")
        if len(parts) == 4 and all(p.isdigit() and int(p) < 256 for p in parts):
            return bytes(int(p) for p in parts)
        return None


def within(name: Name, domain: Name) -> bool:
    """Whether `name` is `domain` or below it; compares whole labels."""
    while len(name) > len(domain):
        name = name[1 + name[0] :]
    return name == domain
