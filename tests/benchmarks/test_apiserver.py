"""The API server's benchmarks run, and report what they say they report."""

from __future__ import annotations

from tests.benchmarks.smoke import figures


def test_every_request_is_measured_by_rate_and_by_the_server_s_time() -> None:
    found = figures("apiserver_requests", "--pods", "20", "--connections", "4", "--store", "memory")
    assert set(found) >= {"create", "get", "list (objects)", "patch", "delete", "create: CPU"}
    assert all(found[name]["median"] > 0 for name in ("create", "get", "list (objects)", "patch", "delete"))


def test_watches_are_measured_by_deliveries_latency_and_memory() -> None:
    found = figures("api_watch", "--watchers", "3", "--objects", "10", "--seconds", "0.1")
    assert found["3 watchers: deliveries"]["median"] > 0
    assert 0 < found["3 watchers: latency p50"]["median"] <= found["3 watchers: latency p99"]["median"]
    assert "object: memory" in found
