"""The benchmarks of controllers run, and report what they say they report."""

from __future__ import annotations

from tests.benchmarks.smoke import figures


def test_a_rollout_is_measured_at_two_sizes() -> None:
    found = figures("rollout", "--replicas", "4", "--nodes", "1")
    assert set(found) == {f"{n} replicas{what}" for n in (2, 4) for what in (" ready", ": CPU for each")}


def test_garbage_is_collected_behind_the_owner_and_before_it() -> None:
    found = figures("garbage", "--dependents", "20")
    assert all(found[f"{policy}, 20 dependents gone"]["median"] > 0 for policy in ("Background", "Foreground"))


def test_reactions_are_told_by_controller() -> None:
    found = figures("reaction", "--pods", "4", "--changes", "3")
    assert 0 < found["replicaset-controller p50"]["median"] <= found["replicaset-controller p99"]["median"]
