"""Time, branches and statistics of the local stores."""

from __future__ import annotations

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.local import Retention
from kubelite.store.memory import MemoryStore
from kubelite.store.stats import encode_prometheus
from kubelite.store.store import Compacted, Future, Put, Store, Txn
from tests.store.sinks import Recorder

END = "\U0010ffff"


async def put(store: Store, key: str, value: bytes = b"x", *, lease: int = 0) -> int:
    return (await store.txn(Txn(success=(Put(key, value, lease),)))).revision


async def test_history_ages_and_idle_watchers_learn_where_they_are() -> None:
    retention = Retention(tick_s=0.01, age_s=0.02, min_revisions=5)
    async with MemoryStore(SystemClock(), retention=retention) as store:
        sink = Recorder()
        store.watch("/nothing", None, sink)
        for i in range(20):
            await put(store, f"/{i}")
        await sink.until(20)
        assert sink.events == []
        with anyio.fail_after(5):
            while store.compact_revision < 15:
                await anyio.lowlevel.checkpoint()
        assert store.compact_revision == 15


async def test_the_window_is_bounded_in_bytes() -> None:
    async with MemoryStore(SystemClock(), retention=Retention(max_bytes=1 << 20)) as store:
        for i in range(2000):
            await put(store, f"/{i % 10}", b"x" * 10_000)
        assert store.stats().window_bytes < (1 << 20) + 512 * 10_300


async def test_a_fork_and_its_base_go_on_independently() -> None:
    async with MemoryStore(SystemClock()) as base:
        for i in range(1000):
            await put(base, f"/{i}", b"%d" % i)
        past, whole = await base.range("", END, revision=300), await base.range("", END)
        async with base.fork() as branch, base.fork(revision=300) as rewound:
            await put(branch, "/branch")
            await put(base, "/5", b"changed")
            await put(rewound, "/5", b"rewound")
            assert (branch.revision, base.revision, rewound.revision) == (1001, 1001, 301)
            assert await branch.range("", END, revision=1000) == whole == await base.range("", END, revision=1000)
            assert await rewound.range("", END, revision=300) == past
            assert [(await store.range("/5")).records[0].value for store in (branch, base, rewound)] == [
                b"5",
                b"changed",
                b"rewound",
            ]
            sink = Recorder()
            rewound.watch("", END, sink, start_revision=299)
            await sink.until(301)
            assert [event.revision for event in sink.events] == [299, 300, 301]
        with pytest.raises(Future):
            base.fork(revision=5000)
        await base.compact(500)
        with pytest.raises(Compacted):
            base.fork(revision=499)


async def test_a_lease_of_a_fork_is_its_own() -> None:
    async with MemoryStore(SystemClock()) as base:
        lease = await base.grant_lease(60)
        await put(base, "/leased", lease=lease)
        async with base.fork() as branch:
            await branch.revoke(lease)
            assert (await branch.range("/leased")).count == 0
            assert (await base.range("/leased")).count == 1


async def test_statistics_say_how_things_are() -> None:
    async with MemoryStore(SystemClock()) as store:
        store.watch("/", "0", Recorder()).pause()
        await put(store, "/a")
        await put(store, "/a")
        stats = store.stats()
        assert (stats.revision, stats.keys, stats.window_events, stats.watchers, stats.slowest_cursor) == (
            2,
            1,
            2,
            1,
            0,
        )
        text = encode_prometheus(stats)
        assert "kubelite_store_revision 2\n" in text
        assert 'kubelite_store_commit_latency_seconds_bucket{le="+Inf"} 0\n' in text


async def test_a_writer_that_never_waits_lets_the_watchers_be_told() -> None:
    async with MemoryStore(SystemClock(), retention=Retention(max_events=600)) as store:
        sink = Recorder()
        store.watch("/", "0", sink)
        for _ in range(3000):
            await put(store, "/a")
        await sink.until(3000)
        assert len(sink.events) == 3000


async def test_a_store_leaves_nothing_behind() -> None:
    for _ in range(3):
        async with MemoryStore(SystemClock()) as store:
            await store.grant_lease(60)
            await put(store, "/a")
    assert len(anyio.get_running_tasks()) == 1
