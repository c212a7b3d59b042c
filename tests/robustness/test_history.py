"""Recorded histories of concurrent clients hold on every backend, with faults; and the checker catches planted bugs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.etcd import EtcdStore
from kubelite.store.etcd_client import EtcdConfig
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from tests.robustness.clients import record
from tests.robustness.history import History, Write, violations
from tests.store.etcd_server import etcd


async def recorded(steps: int = 20) -> History:
    async with MemoryStore(SystemClock()) as store:
        return await record(store, clients=8, steps=steps, keys=3, pause=lambda step: step % 3 == 1)


async def test_histories_in_memory_hold() -> None:
    assert violations(await recorded(100)) == []


async def test_histories_on_disk_hold(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "store.db", SystemClock()) as store:
        history = await record(store, clients=32, steps=60, keys=5, pause=lambda step: step % 3 == 1)
    assert violations(history) == []
    assert len(history.writes) > 100


@pytest.mark.parametrize("fault", ["enospc:40", "eio:60"])
async def test_histories_on_a_failing_disk_hold(tmp_path: Path, shim: Callable[..., None], fault: str) -> None:
    (tmp_path / "data").mkdir()
    async with SqliteStore(tmp_path / "data" / "store.db", SystemClock()):
        pass  # the file is made on a sound disk
    shim(SHIM_DIR=str(tmp_path / "data"), SHIM_FAIL=fault)
    async with SqliteStore(tmp_path / "data" / "store.db", SystemClock()) as store:
        history = await record(store, clients=8, steps=60, keys=3, pause=lambda step: step % 3 == 1)
    assert violations(history) == []
    refused = [write for write in history.writes if write.revision is None]
    assert refused
    told = {value for _, _, value in history.watches[0]}
    assert not told & {write.value for write in refused}  # on one's own disk, refused means not written


async def test_histories_on_a_cluster_that_loses_members_hold(tmp_path: Path) -> None:
    with etcd(tmp_path, 3) as members:
        config = EtcdConfig(endpoints=tuple(member.endpoint for member in members))
        async with EtcdStore(config, SystemClock()) as store:
            killed = False

            def pause(step: int) -> bool:
                nonlocal killed
                if step == 10 and not killed:
                    members[0].kill()
                    killed = True
                if step == 25 and killed:
                    members[0].start()
                    killed = False
                return step % 3 == 1

            with anyio.fail_after(30):
                history = await record(store, clients=6, steps=40, keys=3, pause=pause)
    assert violations(history) == []


def _lose_update(history: History) -> None:
    first = next(write for write in history.writes if write.expected)
    at = history.writes.index(first)
    history.writes[at] = replace(first, expected=first.expected - 1)


def _lose_acknowledged(history: History) -> None:
    for watch in history.watches:
        del watch[5]


def _invent(history: History) -> None:
    for watch in history.watches:
        watch[5] = (watch[5][0], watch[5][1], b"invented")


def _stale_read(history: History) -> None:
    last = history.reads[-1]
    history.reads.append(replace(last, revision=0, value=b"", began=10**6, ended=10**6 + 1))


def _phantom_read(history: History) -> None:
    history.reads.append(replace(history.reads[-1], revision=7, value=b"phantom"))


def _early_read(history: History) -> None:
    write = history.writes[-2]
    assert write.revision is not None
    read = history.reads[-1]
    history.reads.append(replace(read, key=write.key, value=write.value, revision=write.revision, began=0, ended=0))


def _reorder_writes(history: History) -> None:
    one, two = history.writes[3], history.writes[-2]
    history.writes[3] = replace(one, began=10**6, ended=10**6 + 1)
    history.writes[-2] = replace(two, began=0, ended=0)


def _same_revision(history: History) -> None:
    one = history.writes[4]
    history.writes.append(Write(one.key, b"twin", one.expected, one.revision, one.began, one.ended))


PLANTED: list[tuple[Callable[[History], object], str]] = [
    (lambda history: history.watches[1].insert(4, history.watches[1][3]), "twice"),
    (lambda history: history.watches[0].__setitem__(slice(3, 5), history.watches[0][4:2:-1]), "out of order"),
    (lambda history: history.watches[2].pop(6), "never delivered"),
    (lambda history: history.watches[2].pop(), "never delivered"),
    (_lose_acknowledged, "was not told"),
    (_invent, "nobody wrote"),
    (_lose_update, "instead of"),
    (_stale_read, "after a later write"),
    (_phantom_read, "which nobody wrote there"),
    (_early_read, "before it was asked for"),
    (_reorder_writes, "had been acknowledged"),
    (_same_revision, "at one revision"),
]


@pytest.mark.parametrize(("plant", "complaint"), PLANTED)
async def test_a_planted_bug_is_caught(plant: Callable[[History], object], complaint: str) -> None:
    history = deepcopy(await recorded())
    plant(history)
    assert any(complaint in text for text in violations(history)), violations(history)
