"""The store's benchmarks run, and report what they say they report."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks.store_floors import empty_start_ms
from benchmarks.store_rig import quantile, spread
from benchmarks.store_service import put_message
from benchmarks.store_watchers import Counter


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def report(module: str, *words: str) -> Any:
    done = run(module, "--rounds", "1", "--seconds", "0.1", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_durable_puts_are_measured_on_all_sides() -> None:
    (found,) = report("store_puts", "--clients", "2", "--seconds", "1")
    assert found["clients"] == 2
    for side in ("in process", "sockets", "etcd"):
        assert found["rounds"][0][side]["per_s"] > 0


@pytest.mark.parametrize("words", [(), ("--lone",)])
def test_every_watcher_gets_every_event_on_all_sides(words: tuple[str, ...]) -> None:
    found = report("watch_throughput", "--watchers", "3", *words)["3"][0]
    assert set(found) == {"in process", "sockets", "http", "https", "etcd"}
    for side in ("sockets", "http", "https", "etcd"):
        assert found[side]["delivered"] == 1, side
        assert found[side]["p50_ms"] > 0


@pytest.mark.skipif(find_spec("matplotlib") is not None, reason="matplotlib is there")
def test_a_plot_without_matplotlib_is_one_clear_line() -> None:
    done = run("watch_throughput", "--plot", "x.png")
    assert done.returncode == 2
    assert "--plot needs matplotlib" in done.stderr.splitlines()[-1]


async def test_the_floors_can_be_measured() -> None:
    assert await empty_start_ms() > 0


def test_a_mark_is_counted_where_a_read_cuts_it() -> None:
    counter, latencies = Counter(b"kubelite-mark"), list[float]()
    assert [counter.feed(part, latencies) for part in (b"..kubelite-", b"mark....", b"kubelite-mark")] == [0, 1, 1]


def test_figures() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 [1.00–3.00]"
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert put_message("k", b"vv") == b"\0\0\0\5\0\1kvv"
