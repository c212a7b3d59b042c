"""The benchmarks of nodes run, and report what they say they report."""

from __future__ import annotations

from tests.benchmarks.smoke import figures


def test_many_nodes_and_pods_come_up() -> None:
    found = figures("simulated_scale", "--nodes", "10", "--pods", "40")
    assert 0 < found["both"]["median"] >= found["40 pods, from the first created to all Running"]["median"] > 0
    assert found["both"]["limit"] is None
