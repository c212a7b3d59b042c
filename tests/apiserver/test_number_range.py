"""Ranges that numbers are drawn from."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given, strategies as st

from kubelite.actor.clock import SeededClock
from kubelite.apiserver.number_range import NumberRange, address_range, port_range


@given(size=st.integers(1, 40), data=st.data())
def test_what_is_free_is_found_upper_part_first_until_nothing_is(size: int, data: st.DataObject) -> None:
    reserved = data.draw(st.integers(0, size - 1))
    numbers, clock = NumberRange(10, size, reserved), SeededClock(size)
    assert numbers.draw(clock) in range(10 + reserved, 10 + size)
    taken: set[int] = set()
    order = []
    while (found := numbers.free(taken, clock)) is not None:
        taken.add(found)
        order.append(found)
    assert sorted(order) == list(range(10, 10 + size))
    assert set(order[size - reserved :]) == set(range(10, 10 + reserved))


@pytest.mark.parametrize(
    ("network", "size", "reserved"),
    [
        (IPv4Network("10.0.0.0/12"), 2**20 - 2, 256),
        (IPv4Network("10.0.0.0/24"), 254, 16),
        (IPv4Network("10.0.0.0/28"), 14, 0),
        (IPv4Network("10.0.0.0/31"), 0, 0),
        (IPv4Network("10.0.0.0/32"), 0, 0),
        (IPv6Network("fd00::/64"), 2**64 - 1, 256),
    ],
)
def test_networks_have_the_sizes_of_upstream(network: IPv4Network | IPv6Network, size: int, reserved: int) -> None:
    numbers = address_range(network)
    assert (numbers.size, numbers.reserved) == (size, reserved)
    if size:
        assert numbers.draw(SeededClock(1)) in numbers
        found = numbers.free({numbers.first}, SeededClock(1))
        assert found is not None
        assert found in numbers


def test_a_small_range_of_ports_has_no_lower_part() -> None:
    assert port_range(30000, 30015).reserved == 0
    assert port_range(30000, 30063).reserved == 16
