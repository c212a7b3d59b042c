"""Answers, read by another DNS library."""

from __future__ import annotations

import struct
from contextlib import suppress

import dnslib
import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import ServicePort
from kubelite.proxy.dns import Chase, Forward, Responder, parse_query
from kubelite.proxy.forward import parse_answers, parse_resolv_conf
from kubelite.proxy.zone import compute_namespace_records, compute_service_records, encode_name

from .builders import endpoint, endpoint_slice, service

DOMAIN = "cluster.local"
WEB = "web.default.svc.cluster.local"
DB = "db.default.svc.cluster.local"


def responder() -> Responder:
    made = Responder(DOMAIN)
    ports = (ServicePort(name="http", port=80, protocol="TCP"), ServicePort(name="dns", port=53, protocol="UDP"))
    web = service(ports=ports)
    made.replace("default/web", compute_service_records(web, [endpoint_slice([endpoint("10.244.0.9")])], DOMAIN))
    pods = [
        endpoint("10.244.0.2", hostname="db-0"),
        endpoint("10.244.0.3", hostname="db-1"),
        endpoint("10.244.0.4"),
        endpoint("10.244.0.5", hostname="db-3", ready=False),
    ]
    db = service("db", cluster_ip="None")
    made.replace("default/db", compute_service_records(db, [endpoint_slice(pods, of="db")], DOMAIN))
    for name, target in (
        ("outside", "example.com"),
        ("inside", WEB),
        ("dangling", f"none.{WEB}"),
        ("loop", f"loop.default.svc.{DOMAIN}"),
    ):
        alias = service(name, cluster_ip="", type="ExternalName", external_name=target)
        made.replace(f"default/{name}", compute_service_records(alias, [], DOMAIN))
    made.replace("namespace default", compute_namespace_records("default", DOMAIN))
    return made


def question(name: str, type_: str = "A") -> bytes:
    return bytes(dnslib.DNSRecord.question(name, type_).pack())


def ask(made: Responder, name: str, type_: str = "A", *, udp: bool = True, edns: int = 0) -> dnslib.DNSRecord:
    query = dnslib.DNSRecord.question(name, type_)
    if edns:
        query.add_ar(dnslib.EDNS0(udp_len=edns))
    answer = made.respond(bytes(query.pack()), udp=udp)
    assert isinstance(answer, bytes)
    parsed = dnslib.DNSRecord.parse(answer)
    assert parsed.header.id == query.header.id
    assert parsed.header.qr == parsed.header.aa == parsed.header.ra == parsed.header.rd == 1
    assert str(parsed.q.qname) == name.rstrip(".") + "."
    return parsed


def data(answer: dnslib.DNSRecord) -> list[str]:
    return sorted(str(record.rdata).rstrip(".") for record in answer.rr)


def ordered(answer: dnslib.DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


HEADLESS = ["10.244.0.2", "10.244.0.3", "10.244.0.4"]


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        (WEB, "A", ["10.96.0.7"]),
        ("WEB.Default.svc.cluster.LOCAL", "A", ["10.96.0.7"]),
        (f"10-244-0-9.{WEB}", "A", ["10.244.0.9"]),
        (f"_http._tcp.{WEB}", "SRV", [f"0 100 80 {WEB}"]),
        (f"_dns._udp.{WEB}", "SRV", [f"0 100 53 {WEB}"]),
        (DB, "A", HEADLESS),
        (f"db-0.{DB}", "A", ["10.244.0.2"]),
        (f"10-244-0-4.{DB}", "A", ["10.244.0.4"]),
        (f"_http._tcp.{DB}", "SRV", [f"0 100 8080 {host}.{DB}" for host in ("10-244-0-4", "db-0", "db-1")]),
        ("7.0.96.10.in-addr.arpa", "PTR", [WEB]),
        ("2.0.244.10.in-addr.arpa", "PTR", [f"db-0.{DB}"]),
        ("10-244-0-77.default.pod.cluster.local", "A", ["10.244.0.77"]),
        ("outside.default.svc.cluster.local", "CNAME", ["example.com"]),
        ("inside.default.svc.cluster.local", "A", ["10.96.0.7", WEB]),
        ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
        ("cluster.local", "NS", ["ns.dns.cluster.local"]),
    ],
)
def test_a_name_has_the_records_of_the_dns_specification(name: str, type_: str, expected: list[str]) -> None:
    answer = ask(responder(), name, type_)
    assert answer.header.rcode == 0
    assert data(answer) == expected
    assert all(record.ttl == 5 for record in answer.rr)


@pytest.mark.parametrize(
    ("name", "type_", "rcode"),
    [
        (WEB, "AAAA", "NOERROR"),
        (WEB, "TXT", "NOERROR"),
        (f"_tcp.{WEB}", "A", "NOERROR"),
        ("default.svc.cluster.local", "A", "NOERROR"),
        ("svc.cluster.local", "A", "NOERROR"),
        ("cluster.local", "A", "NOERROR"),
        ("10-244-0-77.default.pod.cluster.local", "AAAA", "NOERROR"),
        ("inside.default.svc.cluster.local", "AAAA", "NOERROR"),
        (f"none.{WEB}", "A", "NXDOMAIN"),
        (f"db-3.{DB}", "A", "NXDOMAIN"),
        ("web.other.svc.cluster.local", "A", "NXDOMAIN"),
        ("other.svc.cluster.local", "A", "NXDOMAIN"),
        ("10-244-0-77.other.pod.cluster.local", "A", "NXDOMAIN"),
        ("10-244-0.default.pod.cluster.local", "A", "NXDOMAIN"),
        ("10-244-0-300.default.pod.cluster.local", "A", "NXDOMAIN"),
        ("example.com.default.svc.cluster.local", "A", "NXDOMAIN"),
        ("dangling.default.svc.cluster.local", "A", "NXDOMAIN"),
        ("loop.default.svc.cluster.local", "A", "SERVFAIL"),
    ],
)
def test_no_data_is_told_from_no_such_name(name: str, type_: str, rcode: str) -> None:
    answer = ask(responder(), name, type_)
    assert dnslib.RCODE[answer.header.rcode] == rcode
    if rcode != "SERVFAIL":
        (soa,) = answer.auth
        assert (str(soa.rname), soa.ttl, soa.rdata.times[4]) == ("cluster.local.", 5, 5)


def test_srv_answers_carry_the_targets_addresses() -> None:
    answer = ask(responder(), f"_http._tcp.{DB}", "SRV")
    assert sorted(str(record.rdata) for record in answer.ar) == HEADLESS


def test_every_address_is_first_in_turn() -> None:
    made = responder()
    assert {ordered(ask(made, DB))[0] for _ in range(3)} == set(HEADLESS)


def test_a_change_is_in_the_very_next_answer() -> None:
    made = responder()
    for ips in (["10.244.0.2"], ["10.244.0.2", "10.244.0.6"], [], ["10.244.0.7"]):
        slices = [endpoint_slice([endpoint(ip) for ip in ips], of="db")]
        made.replace("default/db", compute_service_records(service("db", cluster_ip="None"), slices, DOMAIN))
        assert data(ask(made, DB)) == ips
    made.replace("default/db", frozenset())
    assert ask(made, DB).header.rcode == dnslib.RCODE.NXDOMAIN


@pytest.mark.parametrize(
    ("edns", "udp", "fits"), [(0, True, False), (1232, True, True), (600, True, False), (0, False, True)]
)
def test_an_answer_that_does_not_fit_says_so(edns: int, udp: bool, fits: bool) -> None:
    made = responder()
    pods = [endpoint_slice([endpoint(f"10.244.1.{n}") for n in range(60)], of="db")]
    made.replace("default/db", compute_service_records(service("db", cluster_ip="None"), pods, DOMAIN))
    answer = ask(made, DB, udp=udp, edns=edns)
    assert (answer.header.tc, len(answer.rr)) == ((0, 60) if fits else (1, 0))
    assert bool(answer.ar) == bool(edns)


def test_other_names_are_forwarded_and_aliases_to_them_chased() -> None:
    made = responder()
    for name in ("example.com", "xcluster.local", "1.2.0.192.in-addr.arpa", "10.in-addr.arpa"):
        result = made.respond(question(name), udp=True)
        assert isinstance(result, Forward)
    result = made.respond(question("outside.default.svc.cluster.local"), udp=True)
    assert isinstance(result, Chase)
    assert result.target == encode_name("example.com")


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (b"\0\1\x08\0\0\1\0\0\0\0\0\0", 4),
        (b"\0\1\0\0\0\2\0\0\0\0\0\0", 1),
        (b"\0\1\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 1),
        (b"\0\1\0\0\0\1\0\0\0\0\0\0\3web", 1),
        (
            b"\0\1\0\0\0\1\0\0\0\0\0\0"
            + b"\x3f"
            + b"a" * 63
            + b"\x3f"
            + b"a" * 63
            + b"\x3f"
            + b"a" * 63
            + b"\x3f"
            + b"a" * 63
            + b"\0\0\1\0\1",
            1,
        ),
    ],
)
def test_what_is_no_question_is_an_error(packet: bytes, rcode: int) -> None:
    answer = responder().respond(packet, udp=True)
    assert isinstance(answer, bytes)
    assert answer[:2] == b"\0\1"
    assert dnslib.DNSRecord.parse(answer).header.rcode == rcode


def test_a_later_edns_version_is_refused() -> None:
    query = dnslib.DNSRecord.question(WEB)
    query.add_ar(dnslib.EDNS0(version=1))
    answer = responder().respond(bytes(query.pack()), udp=True)
    assert isinstance(answer, bytes)
    assert dnslib.DNSRecord.parse(answer).ar[0].edns_rcode == 1


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"\0\1\1\0\0\1\0\0\0\0\0\0" + tail))
def test_no_packet_breaks_it(packet: bytes) -> None:
    result = responder().respond(packet, udp=True)
    assert result is None or isinstance(result, bytes | Forward | Chase)


def test_responses_are_never_answered() -> None:
    packet = bytes(dnslib.DNSRecord.question(WEB).reply().pack())
    assert responder().respond(packet, udp=True) is None


@given(st.binary(max_size=80))
def test_no_answer_of_a_resolver_breaks_it(tail: bytes) -> None:
    with suppress(IndexError, struct.error):
        parse_answers(b"\0\1\x81\x80\0\1\0\2\0\0\0\0" + tail)


def test_records_of_a_resolver_are_taken_over_without_pointers() -> None:
    reply = dnslib.DNSRecord.question("a.example.com").reply()
    reply.add_answer(*dnslib.RR.fromZone("a.example.com. 60 CNAME b.example.com.\nb.example.com. 61 A 192.0.2.1"))
    alias, address = parse_answers(bytes(reply.pack()))
    assert alias == encode_name("a.example.com") + b"\0\5\0\1\0\0\0\x3c\0\x0f" + encode_name("b.example.com")
    assert address == encode_name("b.example.com") + b"\0\1\0\1\0\0\0\x3d\0\4\xc0\0\2\1"


def test_resolvers_are_read_as_the_c_library_does() -> None:
    addresses = ("192.0.2.1", "::1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    text = "# x\nsearch a b\n" + "".join(f"nameserver {address}\n" for address in addresses)
    assert parse_resolv_conf(text) == (("192.0.2.1", 53), ("192.0.2.2", 53), ("192.0.2.3", 53))


def test_not_ready_addresses_are_published_by_what_their_slice_says() -> None:
    records = compute_service_records(
        service(cluster_ip="None"), [endpoint_slice([endpoint("10.244.0.2", ready=None)])], DOMAIN
    )
    assert any(record.data == bytes([10, 244, 0, 2]) for record in records)


def test_a_query_keeps_the_case_of_its_name_only_in_the_packet() -> None:
    query = parse_query(question("WeB.example"))
    assert query.name == encode_name("web.example")
