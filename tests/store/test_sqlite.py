"""What only the store on disk has: restarts, the writer process, damage, compaction in the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.local import Retention
from kubelite.store.sqlite import STEP_ROWS, SqliteStore
from kubelite.store.sqlite_process import Corrupt, Locked
from kubelite.store.store import Delete, Put, Store, Txn, Unavailable
from tests.store.sinks import Recorder

END = "\U0010ffff"


def opened(path: Path) -> SqliteStore:
    return SqliteStore(path, SystemClock())


async def put(store: Store, key: str, value: bytes = b"x", *, lease: int = 0, cause: str = "") -> int:
    return (await store.txn(Txn(success=(Put(key, value, lease),), cause=cause))).revision


async def fill(store: Store, count: int, *, keys: int = 10) -> None:
    async with anyio.create_task_group() as tasks:
        for i in range(count):
            tasks.start_soon(put, store, f"/k/{i % keys}", b"%d" % i)


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as store:
        await fill(store, 40)
        await store.txn(Txn(success=(Delete("/k/1"), Delete("/k/2"), Put("/n", b"1")), cause="why"))
        await store.compact(17)
        await put(store, "/leased", lease=await store.grant_lease(60))
        state, then, history = await store.range("", END), await store.range("", END, revision=20), store.contents()[1]
        while store._dead:
            await anyio.lowlevel.checkpoint()
    async with opened(path) as store:
        assert (store.revision, store.compact_revision) == (42, 17)
        assert await store.range("", END) == state
        assert await store.range("", END, revision=20) == then
        assert store.contents()[1] == history
        await store.revoke(next(iter(store.leases())))
        assert (await store.range("/leased")).count == 0


async def test_the_revision_survives_the_compaction_of_a_last_deletion(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as store:
        await put(store, "/a")
        await store.txn(Txn(success=(Delete("/a"),)))
        await store.compact(2)
        while store._dead:
            await anyio.lowlevel.checkpoint()
    async with opened(path) as store:
        assert (store.revision, store.compact_revision, len((await store.range("", END)).records)) == (2, 2, 0)


async def test_a_compaction_in_many_steps_leaves_the_retained_history_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as store:
        await fill(store, STEP_ROWS * 3)
        for _ in range(3):
            await store.txn(Txn(success=(Delete("/k/", "/k0"),)))
            await fill(store, 30)
        await store.compact(store.revision - 20)
        while store._dead:
            await anyio.lowlevel.checkpoint()
        kept, revision = store.contents()[1], store.revision
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT count(*) FROM log").fetchone()[0]
    db.close()
    assert rows <= len(kept) + 10
    async with opened(path) as store:
        assert (store.contents()[1], store.revision) == (kept, revision)


async def test_a_window_over_its_bound_compacts_by_itself(tmp_path: Path) -> None:
    retention = Retention(max_events=1000)
    async with SqliteStore(tmp_path / "store.db", SystemClock(), retention=retention) as store:
        await fill(store, 3000)
        assert store.revision == 3000
        assert store.compact_revision >= 3000 - 1600
        assert store.stats().window_events <= 1600


async def test_a_second_process_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "store.db") as store:
        with pytest.raises(Locked) as error:
            async with opened(tmp_path / "store.db"):
                raise AssertionError
        assert error.value.holder == str(os.getpid())
        assert await put(store, "/a") == 1


@pytest.mark.parametrize("damage", ["header", "page", "value", "missing"])
async def test_a_damaged_file_is_found_at_the_start(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as store:
        for i in range(50):
            await put(store, f"/k/{i}", b"a recognizable value" * 100)
    if damage == "missing":
        with sqlite3.connect(path) as db:
            db.execute("DELETE FROM log WHERE key = '/k/25'")
        db.close()
    else:
        content = bytearray(path.read_bytes())
        at = {"header": 0, "page": 16384 * 2, "value": content.rindex(b"recognizable") + 2}[damage]
        content[at : at + 4] = b"\xff\xff\xff\xff"
        path.write_bytes(content)
    with pytest.raises(Corrupt, match=str(path)):
        async with opened(path):
            raise AssertionError


async def test_a_torn_tail_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(path) as store:
        for i in range(20):
            await put(store, f"/k/{i}", b"x" * 20000)
        for name in ("store.db", "store.db-wal"):
            (tmp_path / f"torn-{name}").write_bytes((tmp_path / name).read_bytes())
    wal = tmp_path / "torn-store.db-wal"
    with wal.open("r+b") as file:
        file.seek(-10_000, os.SEEK_END)
        file.write(b"\0" * 10_000)
    async with opened(tmp_path / "torn-store.db") as store:
        assert store.torn_frames > 0
        assert store.revision == 19
        assert await put(store, "/k/19") == 20


async def test_the_death_of_the_writer_ends_the_store(tmp_path: Path) -> None:
    sink = Recorder()
    with pytest.raises(ExceptionGroup) as error:
        async with opened(tmp_path / "store.db") as store:
            store.watch("", END, sink)
            assert store._process is not None
            os.kill(store._process.pid, signal.SIGKILL)
            with pytest.raises(Unavailable):
                while True:
                    await put(store, "/a")
            await anyio.sleep_forever()
    assert isinstance(error.value.exceptions[0], Unavailable)
    assert isinstance(sink.error, Unavailable)


async def test_the_writer_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import anyio, pathlib, sys\n"
        "from kubelite.actor.clock import SystemClock\n"
        "from kubelite.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    async with SqliteStore(pathlib.Path(sys.argv[1]), SystemClock()) as store:\n"
        "        print(store._process.pid, flush=True)\n"
        "        await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    path = tmp_path / "store.db"
    command = [sys.executable, "-c", program, str(path)]
    async with await anyio.open_process(command, stderr=None, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        await parent.stdout.receive()
        parent.kill()
    async with opened(path) as store:  # waits for the lock until the other writer has gone
        assert store.revision == 0


async def test_commits_are_grouped_and_counted(tmp_path: Path) -> None:
    async with opened(tmp_path / "store.db") as store:
        await fill(store, 500)
        stats = store.stats()
        assert (stats.revision, stats.keys) == (500, 10)
        assert stats.batch_sizes.total == 500
        assert sum(stats.batch_sizes.counts) < 50
        assert 0 < stats.commit_latency_s.quantile(0.5) < 1


async def test_a_fork_of_the_store_on_disk_lives_in_memory(tmp_path: Path) -> None:
    async with opened(tmp_path / "store.db") as store:
        await fill(store, 20)
        async with store.fork(revision=10) as branch:
            assert branch.revision == 10
            await put(branch, "/branch")
            assert (await branch.range("", END, revision=10)) == (await store.range("", END, revision=10))
        assert store.revision == 20


async def test_what_was_decided_on_top_of_a_failed_batch_fails_with_it(tmp_path: Path) -> None:
    """Several batches are on their way when one of them cannot be written."""
    unfit = "\ud800"  # is no text that a file can hold
    async with SqliteStore(tmp_path / "store.db", SystemClock()) as store:
        written: list[str] = []
        refused: list[str] = []

        async def write(key: str) -> None:
            try:
                await store.txn(Txn(success=(Put(key, b"x"),)))
                written.append(key)
            except Unavailable:
                refused.append(key)

        keys = [*(f"a{i:03}" for i in range(100)), unfit, *(f"b{i:03}" for i in range(100))]
        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(write, key)
        assert unfit in refused
        assert {f"b{i:03}" for i in range(100)} <= set(refused)
        assert sorted(written + refused) == sorted(keys)
        assert store.revision == len(written)
        assert (await store.txn(Txn(success=(Put("after", b""),)))).revision == len(written) + 1
    async with SqliteStore(tmp_path / "store.db", SystemClock()) as store:
        found = await store.range("", END)
        assert [record.key for record in found.records] == sorted([*written, "after"])
