"""No address is given twice at a time, and a freed one comes back as late as possible."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.runtime import RuntimeFailed


@given(st.lists(st.integers(min_value=0, max_value=20)))
def test_held_addresses_are_distinct_and_within_the_range(steps: list[int]) -> None:
    pool = AddressPool("10.1.2.0/28")
    held: list[str] = []
    for step in steps:
        if step < 7 and held:
            pool.release(held.pop(step % len(held)))
        elif len(held) < 13:
            held.append(pool.allocate())
        else:
            with pytest.raises(RuntimeFailed, match="no IP addresses available"):
                pool.allocate()
    assert len(set(held)) == len(held)
    network = ipaddress.ip_network("10.1.2.0/28")
    for ip in held:
        assert ipaddress.ip_address(ip) in network
        assert ip not in ("10.1.2.0", "10.1.2.1", "10.1.2.15")


def test_a_freed_address_is_the_last_to_be_given_again() -> None:
    pool = AddressPool("10.1.2.0/28")
    first = pool.allocate()
    pool.release(first)
    assert [pool.allocate() for _ in range(13)][-1] == first


def test_addresses_of_found_sandboxes_are_not_given_and_not_near() -> None:
    pool = AddressPool("10.1.2.0/28", taken=["10.1.2.4", "10.1.2.3", "192.168.0.1"])
    assert pool.allocate() == "10.1.2.5"


def test_a_range_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        AddressPool("10.1.2.0/31")
