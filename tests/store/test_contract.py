"""What every backend promises: one suite, run on all of them. Revisions are relative, as an etcd may be shared."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from kubelite.store.store import (
    Compacted,
    Compare,
    Delete,
    Event,
    Future,
    Get,
    Put,
    Store,
    StoreError,
    Txn,
    Unavailable,
    prefix_end,
)
from tests.store.backends import BACKENDS, Backend
from tests.store.sinks import Recorder


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.getfixturevalue(request.param)
    return made


async def put(store: Store, key: str, value: bytes, *, lease: int = 0) -> int:
    return (await store.txn(Txn(success=(Put(key, value, lease),)))).revision


async def delete(store: Store, key: str, end: str | None = None) -> int:
    return (await store.txn(Txn(success=(Delete(key, end),)))).revision


async def values(store: Store, prefix: str, *, revision: int = 0) -> dict[str, bytes]:
    found = await store.range(prefix, prefix_end(prefix), revision=revision)
    return {record.key.removeprefix(prefix): record.value for record in found.records}


async def test_a_key_counts_its_versions_and_a_deletion_ends_the_count(backend: Backend) -> None:
    async with backend.store() as store:
        key, base = backend.prefix + "k", store.revision
        await put(store, key, b"1")
        await put(store, key, b"2")
        record = (await store.range(key)).records[0]
        assert (record.create_revision - base, record.mod_revision - base, record.version) == (1, 2, 2)
        await delete(store, key)
        assert (await store.range(key)).records == ()
        await put(store, key, b"3")
        record = (await store.range(key)).records[0]
        assert (record.create_revision - base, record.mod_revision - base, record.version) == (4, 4, 1)


async def test_only_effective_writes_take_a_revision(backend: Backend) -> None:
    async with backend.store() as store:
        base = store.revision
        assert await delete(store, backend.prefix + "absent") == base
        assert (await store.txn(Txn(success=(Get(backend.prefix),)))).revision == base
        many = tuple(Put(f"{backend.prefix}{i}", b"x") for i in range(3))
        assert (await store.txn(Txn(success=many))).revision == base + 1
        assert store.revision == base + 1


async def test_a_comparison_decides_which_operations_run(backend: Backend) -> None:
    async with backend.store() as store:
        key = backend.prefix + "k"
        absent = (Compare(key, "mod_revision", "=", 0),)
        made = await store.txn(Txn(absent, (Put(key, b"new"),), (Get(key),)))
        assert made.succeeded
        assert made.results[0].records[0].value == b"new"
        again = await store.txn(Txn(absent, (Put(key, b"newer"),), (Get(key),)))
        assert not again.succeeded
        assert again.results[0].records[0].value == b"new"
        assert again.revision == made.revision


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        (("k", "version", "=", 2), True),
        (("k", "version", ">", 1), True),
        (("k", "version", "<", 2), False),
        (("k", "value", "=", b"two"), True),
        (("k", "value", "!=", b"two"), False),
        (("k", "value", ">", b"one"), True),
        (("k", "create_revision", "!=", 0), True),
        (("none", "version", "=", 0), True),
        (("none", "create_revision", "<", 1), True),
        (("none", "value", "=", b""), False),
        (("none", "value", "!=", b"x"), False),
    ],
)
async def test_comparisons(backend: Backend, compare: tuple[str, str, str, int | bytes], expected: bool) -> None:
    async with backend.store() as store:
        await put(store, backend.prefix + "k", b"one")
        await put(store, backend.prefix + "k", b"two")
        condition = Compare(backend.prefix + compare[0], *compare[1:])  # type: ignore[arg-type]  # literals from the table
        assert (await store.txn(Txn((condition,)))).succeeded is expected


async def test_a_transaction_sees_its_own_writes_and_is_one_revision(backend: Backend) -> None:
    async with backend.store() as store:
        a, b = backend.prefix + "a", backend.prefix + "b"
        await put(store, a, b"old")
        ops = (Delete(a), Put(b, b"1"), Get(backend.prefix, prefix_end(backend.prefix)))
        result = await store.txn(Txn(success=ops))
        assert [record.key for record in result.results[0].records] == [a]
        assert [record.key for record in result.results[2].records] == [b]
        assert result.results[1].records[0].mod_revision == result.revision


async def test_writing_a_key_twice_in_a_transaction_is_refused_and_writes_nothing(backend: Backend) -> None:
    async with backend.store() as store:
        key, base = backend.prefix + "k", store.revision
        for ops in ((Put(key, b"1"), Put(key, b"2")), (Delete(backend.prefix, prefix_end(key)), Put(key, b"1"))):
            with pytest.raises(ValueError):
                await store.txn(Txn(success=ops))
        assert await put(store, key, b"1") == base + 1


async def test_a_range_is_ordered_limited_and_counted(backend: Backend) -> None:
    async with backend.store() as store:
        for name in ("b", "a/2", "c", "a/1", "a"):
            await put(store, backend.prefix + name, name.encode())
        whole = await store.range(backend.prefix, prefix_end(backend.prefix))
        assert [r.key.removeprefix(backend.prefix) for r in whole.records] == ["a", "a/1", "a/2", "b", "c"]
        page = await store.range(backend.prefix, prefix_end(backend.prefix), limit=2)
        assert ([r.value for r in page.records], page.count, page.more) == ([b"a", b"a/1"], 5, True)
        rest = await store.range(
            page.records[-1].key + "\0", prefix_end(backend.prefix), revision=page.revision, limit=3
        )
        assert ([r.value for r in rest.records], rest.more) == ([b"a/2", b"b", b"c"], False)
        names = await store.range(backend.prefix + "a/", backend.prefix + "a0", keys_only=True)
        assert [(r.key.removeprefix(backend.prefix), r.value) for r in names.records] == [("a/1", b""), ("a/2", b"")]
        assert (await store.range(backend.prefix + "c", backend.prefix + "a")).count == 0


async def test_a_read_of_the_past_answers_as_it_would_have_then(backend: Backend) -> None:
    async with backend.store() as store:
        snapshots = {}
        for step, (key, value) in enumerate([("a", b"1"), ("b", b"2"), ("a", None), ("c", b"4"), ("a", b"5")]):
            name = backend.prefix + key
            await (delete(store, name) if value is None else put(store, name, value))
            snapshots[store.revision] = await values(store, backend.prefix)
            assert len(snapshots) == step + 1
        for revision, expected in snapshots.items():
            assert await values(store, backend.prefix, revision=revision) == expected
            page = await store.range(backend.prefix, prefix_end(backend.prefix), revision=revision, limit=1)
            assert page.count == len(expected)
        with pytest.raises(Future):
            await store.range(backend.prefix, revision=store.revision + 1)


async def test_compaction_forgets_what_was_superseded_and_nothing_else(backend: Backend) -> None:
    async with backend.store() as store:
        key, sink = backend.prefix + "k", Recorder()
        revisions = [await put(store, key, str(i).encode()) for i in range(5)]
        await store.compact(revisions[2])
        assert store.compact_revision == revisions[2]
        assert (await store.range(key, revision=revisions[2])).records[0].value == b"2"
        assert (await store.range(key)).records[0].value == b"4"
        with pytest.raises(Compacted) as error:
            await store.range(key, revision=revisions[1])
        assert error.value.compact_revision == revisions[2]
        with pytest.raises(Compacted):
            await store.compact(revisions[2])
        with pytest.raises(Future):
            await store.compact(store.revision + 1)
        with pytest.raises(Compacted):
            store.watch(key, None, sink, start_revision=revisions[2])
        store.watch(key, None, sink, start_revision=revisions[3])
        await sink.until(revisions[4])
        assert [event.revision for event in sink.events] == revisions[3:]


async def test_a_watch_from_now_delivers_every_event_once_with_what_it_replaced(backend: Backend) -> None:
    async with backend.store() as store:
        key, sink = backend.prefix + "k", Recorder()
        await put(store, key, b"before")
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)
        await put(store, key, b"after")
        await put(store, "/elsewhere" + backend.prefix, b"unseen")
        last = await delete(store, key)
        await sink.until(last)
        changed, deleted = sink.events
        assert changed.record is not None
        assert changed.prev is not None
        assert deleted.prev is not None
        assert (changed.record.value, changed.prev.value) == (b"after", b"before")
        assert (deleted.record, deleted.prev.value, deleted.revision) == (None, b"after", last)


async def test_a_watch_from_the_past_is_one_history_with_what_comes_after(backend: Backend) -> None:
    async with backend.store() as store:
        prefix, sinks = backend.prefix, [Recorder() for _ in range(4)]
        first = await put(store, prefix + "0", b"x")
        for i in range(1, 20):
            await put(store, f"{prefix}{i % 3}", b"x")
        for sink in sinks:
            store.watch(prefix, prefix_end(prefix), sink, start_revision=first)
        for i in range(20, 40):
            await put(store, f"{prefix}{i % 3}", b"x")
        for sink in sinks:
            await sink.until(store.revision)
            assert [event.revision for event in sink.events] == list(range(first, store.revision + 1))


async def test_the_events_of_one_revision_are_never_parted(backend: Backend) -> None:
    async with backend.store() as store:
        sink = Recorder()
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)
        await store.txn(Txn(success=tuple(Put(f"{backend.prefix}{i:02}", b"x") for i in range(20))))
        last = await delete(store, backend.prefix, prefix_end(backend.prefix))
        await sink.until(last)
        assert all(
            len({e.key for e in batch if e.revision == r}) == 20
            for batch in sink.batches
            for r in {e.revision for e in batch}
        )
        assert len(sink.events) == 40


async def test_a_paused_watch_gets_nothing_and_goes_on_where_it_was(backend: Backend) -> None:
    async with backend.store() as store:
        sink = Recorder()
        watch = store.watch(backend.prefix, prefix_end(backend.prefix), sink)
        first = await put(store, backend.prefix + "k", b"1")
        await sink.until(first)
        watch.pause()
        await put(store, backend.prefix + "k", b"2")
        third = await put(store, backend.prefix + "k", b"3")
        assert (len(sink.events), watch.revision) == (1, first)
        watch.resume()
        await sink.until(third)
        assert [event.revision - first for event in sink.events] == [0, 1, 2]
        watch.close()
        await put(store, backend.prefix + "k", b"4")
        assert len(sink.events) == 3


async def test_a_paused_watch_that_falls_behind_the_compaction_is_told_so(backend: Backend) -> None:
    async with backend.store() as store:
        slow, quick = Recorder(), Recorder()
        store.watch(backend.prefix, prefix_end(backend.prefix), slow).pause()
        store.watch(backend.prefix, prefix_end(backend.prefix), quick)
        await put(store, backend.prefix + "k", b"1")
        last = await put(store, backend.prefix + "k", b"2")
        await quick.until(last)
        if not backend.name.startswith("etcd"):  # there, what was received before is kept for a paused watch
            await store.compact(last)
            assert isinstance(await slow.until_lost(), Compacted)
        assert (slow.events, len(quick.events)) == ([], 2)


async def test_closing_the_store_ends_its_watches_and_refuses_writes(backend: Backend) -> None:
    sink = Recorder()
    async with backend.store() as store:
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)
    assert isinstance(sink.error, Unavailable)
    with pytest.raises(StoreError):
        await put(store, backend.prefix + "k", b"1")


async def test_a_revoked_lease_takes_its_keys_with_it_in_one_revision(backend: Backend) -> None:
    async with backend.store() as store:
        sink, lease = Recorder(), await store.grant_lease(60)
        other = await store.grant_lease(60)
        await put(store, backend.prefix + "a", b"1", lease=lease)
        await put(store, backend.prefix + "b", b"1", lease=lease)
        await put(store, backend.prefix + "c", b"1", lease=lease)
        await put(store, backend.prefix + "c", b"2", lease=other)
        before = await put(store, backend.prefix + "d", b"1")
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)
        await store.revoke(lease)
        await sink.until(before + 1)
        assert set(await values(store, backend.prefix)) == {"c", "d"}
        assert {(event.key.removeprefix(backend.prefix), event.revision - before) for event in sink.events} == {
            ("a", 1),
            ("b", 1),
        }
        with pytest.raises(KeyError):
            await store.keep_alive(lease)
        with pytest.raises(KeyError):
            await put(store, backend.prefix + "a", b"1", lease=lease)


async def test_a_lease_expires_unless_it_is_kept_alive(backend: Backend) -> None:
    async with backend.store() as store:
        sink = Recorder()
        kept, left = await store.grant_lease(60), await store.grant_lease(backend.short_ttl_s)
        await put(store, backend.prefix + "kept", b"1", lease=kept)
        last = await put(store, backend.prefix + "left", b"1", lease=left)
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)
        await store.keep_alive(kept)
        await sink.until(last + 1)
        assert set(await values(store, backend.prefix)) == {"kept"}


async def test_concurrent_compare_and_swap_loses_no_increment(backend: Backend) -> None:
    async with backend.store() as store:
        key = backend.prefix + "counter"
        await put(store, key, b"0")

        async def increment() -> None:
            while True:
                record = (await store.range(key)).records[0]
                value = str(int(record.value) + 1).encode()
                unchanged = Compare(key, "mod_revision", "=", record.mod_revision)
                if (await store.txn(Txn((unchanged,), (Put(key, value),)))).succeeded:
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(24):
                tasks.start_soon(increment)
        assert (await store.range(key)).records[0].value == b"24"


async def test_a_cancelled_writer_disturbs_nobody(backend: Backend) -> None:
    async with backend.store() as store:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, store, backend.prefix + "cancelled", b"1")
            await asyncio.sleep(0)
            tasks.cancel_scope.cancel()
        assert await put(store, backend.prefix + "k", b"1") == store.revision


async def test_the_future_can_be_waited_for(backend: Backend) -> None:
    async with backend.store() as store, anyio.create_task_group() as tasks:
        tasks.start_soon(store.reached, store.revision + 2)  # type: ignore[attr-defined]  # beside the Protocol
        await put(store, backend.prefix + "k", b"1")
        await put(store, backend.prefix + "k", b"2")


async def test_replaying_a_watch_equals_reading(backend: Backend) -> None:
    async with backend.store() as store:
        sink, start = Recorder(), store.revision
        store.watch(backend.prefix, prefix_end(backend.prefix), sink)

        async def write(seed: int) -> None:
            for i in range(15):
                key = f"{backend.prefix}{(seed * 7 + i * 3) % 11}"
                await (delete(store, key) if (seed + i) % 4 == 0 else put(store, key, f"{seed}.{i}".encode()))

        async with anyio.create_task_group() as tasks:
            for seed in range(8):
                tasks.start_soon(write, seed)
        last = await put(store, backend.prefix + "last", b"")
        await sink.until(last)
        assert [event.revision for event in sink.events] == list(range(start + 1, last + 1))
        for revision in range(start + 1, last + 1, 13):
            assert replayed(sink.events, revision, backend.prefix) == await values(
                store, backend.prefix, revision=revision
            )


def replayed(events: list[Event], revision: int, prefix: str) -> dict[str, bytes]:
    state: dict[str, bytes] = {}
    for event in events:
        if event.revision <= revision:
            state.pop(event.key.removeprefix(prefix), None)
            if event.record is not None:
                state[event.key.removeprefix(prefix)] = event.record.value
    return dict(sorted(state.items()))
