"""Thresholds as the flags write them, and what becomes of readings that cross them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from kubelite.config import Config
from kubelite.kubelet.eviction_thresholds import DEFAULT_HARD, Amount, State, parse_policy, reserved, step
from kubelite.kubelet.node_status import Health, Machine, Signal, allocatable

MIB = 1 << 20
GIB = 1 << 30


def memory(available: int) -> Health:
    return Health(signals={"memory.available": Signal(available, GIB)})


def test_the_settings_default_is_the_kubelets() -> None:
    assert Config().eviction_hard == DEFAULT_HARD


def test_a_hard_threshold_acts_at_once_and_says_how_much_is_left() -> None:
    policy = parse_policy(hard="memory.available<100Mi")
    state, reported = step(State(), memory(50 * MIB), policy, 0.0)
    assert reported.memory_pressure
    (short,) = reported.shortages
    assert (short.resource, short.threshold, short.available, short.is_soft) == ("memory", "100Mi", "50Mi", False)
    _, reported = step(state, memory(100 * MIB), policy, 10.0)
    assert not reported.shortages


def test_a_soft_threshold_waits_for_its_grace_period_and_begins_again_when_left() -> None:
    policy = parse_policy(hard="", soft="memory.available<30%", soft_grace="memory.available=1m30s")
    state, reported = step(State(), memory(200 * MIB), policy, 0.0)
    assert reported.memory_pressure
    assert not reported.shortages
    state, reported = step(state, memory(200 * MIB), policy, 89.0)
    assert not reported.shortages
    _, reported = step(state, memory(200 * MIB), policy, 90.0)
    assert [each.is_soft for each in reported.shortages] == [True]
    state, _ = step(state, memory(900 * MIB), policy, 91.0)
    _, reported = step(state, memory(200 * MIB), policy, 92.0)
    assert not reported.shortages


def test_a_threshold_holds_until_the_minimum_is_reclaimed() -> None:
    policy = parse_policy(hard="memory.available<100Mi", minimum_reclaim="memory.available=50Mi")
    state, _ = step(State(), memory(99 * MIB), policy, 0.0)
    state, reported = step(state, memory(149 * MIB), policy, 1.0)
    assert reported.shortages
    state, reported = step(state, memory(150 * MIB), policy, 2.0)
    assert not reported.shortages
    _, reported = step(state, memory(120 * MIB), policy, 3.0)
    assert not reported.shortages


def test_a_pressure_lasts_longer_than_its_cause() -> None:
    policy = parse_policy(hard="memory.available<100Mi", transition_s=300)
    state, _ = step(State(), memory(0), policy, 1000.0)
    state, reported = step(state, memory(GIB), policy, 1299.0)
    assert reported.memory_pressure
    _, reported = step(state, memory(GIB), policy, 1300.0)
    assert not reported.memory_pressure


def test_memory_is_relieved_before_disk_and_disk_before_inodes_and_process_ids() -> None:
    names = ("pid.available", "imagefs.inodesFree", "nodefs.available", "allocatableMemory.available")
    health = Health(signals={name: Signal(0, 100) for name in names})
    _, reported = step(State(), health, parse_policy(hard=DEFAULT_HARD), 0.0)
    assert [each.resource for each in reported.shortages] == ["memory", "ephemeral-storage", "inodes", "pids"]
    assert [holds for _, holds in reported.pressures] == [True, True, True]


def test_what_is_not_measured_is_not_short() -> None:
    assert step(State(), Health(), parse_policy(), 0.0)[1] == Health()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"hard": "memory.available"}, "memory.available"),
        ({"hard": "disk<5%"}, "'disk<5%' is not SIGNAL<VALUE"),
        ({"hard": "nodefs.available<120%"}, "no percentage"),
        ({"soft": "memory.available<1Gi"}, "has no grace period"),
        ({"soft": "memory.available<1Gi", "soft_grace": "memory.available=soon"}, "'soon' is no duration"),
    ],
)
def test_a_wrong_setting_is_explained(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_policy(**settings)  # type: ignore[arg-type]  # all are texts here


def test_hard_thresholds_are_kept_back_from_pods() -> None:
    policy = parse_policy(
        hard="memory.available<1Gi,nodefs.available<10%", soft="memory.available<2Gi", soft_grace="memory.available=1m"
    )
    machine = Machine(ip="", cpus=1, memory_bytes=8 * GIB, disk_bytes=1000)
    found = allocatable(replace(machine, reserved=reserved(policy, machine.memory_bytes, machine.disk_bytes)))
    assert (found["memory"], found["ephemeral-storage"]) == ("7Gi", "900")


def test_an_amount_may_be_a_share() -> None:
    policy = parse_policy(hard="nodefs.available<10%")
    assert policy.thresholds[0].least == Amount(share=0.1)
    assert policy.thresholds[0].least.of(1000) == 100


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 100)), max_size=30))
def test_whatever_is_measured_shortages_mean_pressure_and_enough_means_none(readings: list[tuple[int, int]]) -> None:
    policy = parse_policy(hard="memory.available<100", minimum_reclaim="memory.available=50", transition_s=60)
    state, now, was_short = State(), 0.0, False
    for available, passed in readings:
        now += passed
        state, reported = step(state, memory(available), policy, now)
        short = bool(reported.shortages)
        assert short == (available < 100 or (was_short and available < 150))
        assert reported.memory_pressure or not short
        was_short = short
