from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.proxy.zone import (
    EXISTS,
    A,
    Record,
    Zone,
    compute_service_records,
    encode_name,
    reverse_name,
    within,
)

from .builders import endpoint, endpoint_slice, service

NAMES = [encode_name(n) for n in ("a.cluster.local", "b.a.cluster.local", "c.cluster.local")]
RECORDS = st.frozensets(
    st.builds(Record, st.sampled_from(NAMES), st.sampled_from([A, EXISTS]), st.sampled_from([b"1", b"2"]))
)


@given(st.lists(st.tuples(st.sampled_from("xyz"), RECORDS), max_size=10))
def test_replacing_owners_equals_a_zone_made_afresh(edits: list[tuple[str, frozenset[Record]]]) -> None:
    zone, last = Zone("cluster.local"), dict[str, frozenset[Record]]()
    for owner, records in edits:
        zone.replace(owner, records)
        last[owner] = records
    everything = frozenset[Record]().union(*last.values())
    for name in NAMES:
        assert set(zone.lookup(name, A)) == {r.data for r in everything if r.name == name and r.type == A}
        assert zone.exists(name) == any(within(r.name, name) for r in everything)


def test_replacing_tells_every_name_whose_answer_may_change() -> None:
    zone = Zone("cluster.local")
    record = Record(encode_name("b.a.cluster.local"), A, b"1234")
    expected = {encode_name(n) for n in ("b.a.cluster.local", "a.cluster.local", "cluster.local", "local")}
    assert zone.replace("x", frozenset({record})) == expected
    assert zone.replace("x", frozenset({record})) == set()
    assert zone.replace("x", frozenset()) == expected


@pytest.mark.parametrize("name", ["a..b", "", "a" * 64, ".".join(["a" * 60] * 5), "ä"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_name(name)


def test_a_zone_owns_its_domain_by_whole_labels_and_the_addresses_it_knows() -> None:
    zone = Zone("cluster.local")
    zone.replace("web", compute_service_records(service(), [], "cluster.local"))
    assert zone.owns(encode_name("x.cluster.local"))
    assert not zone.owns(encode_name("xcluster.local"))
    assert zone.owns(reverse_name("10.96.0.7"))
    assert not zone.owns(reverse_name("10.96.0.8"))


def test_what_no_name_can_hold_is_left_out() -> None:
    slices = [
        endpoint_slice([endpoint("10.244.0.2", hostname="a" * 64), endpoint("nonsense")]),
        endpoint_slice([endpoint("10.244.0.3")], port_name="p" * 63),
    ]
    records = compute_service_records(service(cluster_ip="None"), slices, "cluster.local")
    assert {r.data for r in records if r.type == A} == {bytes([10, 244, 0, 3])}
