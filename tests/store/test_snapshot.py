"""Backups, JSON lines and the command line, on a stopped and on a running store."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store import cli, control, snapshot
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Delete, Put, StoreError, Txn

END = "\U0010ffff"


async def test_a_backup_holds_keys_history_and_leases_while_writes_go_on(tmp_path: Path) -> None:
    async with MemoryStore(SystemClock()) as store:
        for i in range(1200):
            await store.txn(Txn(success=(Put(f"/k/{i % 700}", b"%d" % i), Put(f"/other/{i % 3}", b"")), cause=f"c{i}"))
        await store.txn(Txn(success=(Delete("/k/1", "/k/2"),)))
        await store.compact(600)
        lease = await store.grant_lease(60)
        await store.txn(Txn(success=(Put("/leased", b"", lease),)))
        then, history = await store.range("", END), store.contents()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(snapshot.backup, store, tmp_path / "backup")
            for i in range(50):
                await store.txn(Txn(success=(Put("/late", b"%d" % i),)))
                await anyio.lowlevel.checkpoint()
        revision = (await store.range("/late", revision=then.revision)).revision
    assert [path.name async for path in anyio.Path(tmp_path).iterdir()] == ["backup"]
    await snapshot.restore(tmp_path / "backup", tmp_path / "store.db", SystemClock())
    async with SqliteStore(tmp_path / "store.db", SystemClock()) as restored:
        assert restored.revision >= revision
        assert await restored.range("", END, revision=then.revision) == then
        assert restored.compact_revision == 600
        assert restored.contents()[1][: len(history)] == history
        assert restored.leases() == {lease: 60}
    with pytest.raises(StoreError, match="exists"):
        await snapshot.restore(tmp_path / "backup", tmp_path / "store.db", SystemClock())


async def test_a_damaged_backup_is_not_restored(tmp_path: Path) -> None:
    (tmp_path / "backup").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        await snapshot.restore(tmp_path / "backup", tmp_path / "store.db", SystemClock())
    assert not (tmp_path / "store.db").exists()


async def test_json_lines_carry_the_present_to_another_store() -> None:
    async with MemoryStore(SystemClock()) as store, MemoryStore(SystemClock()) as other:
        for i in range(1100):
            await store.txn(Txn(success=(Put(f"/k/{i}", bytes([i % 256])),)))
        lines = [line async for line in snapshot.export_lines(store)]
        assert await snapshot.import_lines(other, lines) == 1100
        here, there = await store.range("", END), await other.range("", END)
        assert [(r.key, r.value) for r in here.records] == [(r.key, r.value) for r in there.records]
        with pytest.raises(StoreError, match="line 2"):
            await snapshot.import_lines(other, [lines[0], b"{}"])


def run(directory: Path, *argv: str) -> int:
    return cli.main(argv, data_dir=directory)


async def test_the_commands_work_on_a_stopped_and_on_a_running_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def command(*argv: str) -> str:
        assert await anyio.to_thread.run_sync(partial(run, tmp_path, *argv)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    async def commands(name: str) -> None:
        assert "revision: 3\n" in await command("status")
        assert "revision 3" in await command("backup", str(tmp_path / name))
        assert await command("verify") == "ok at revision 3\n"
        assert (
            await command("history", "/a")
            == "1 created version 1, 1 bytes, by me\n2 changed version 2, 1 bytes\n3 deleted\n"
        )
        assert await command("export") == ""

    async with SqliteStore(tmp_path / "store.db", SystemClock()) as store:
        await store.txn(Txn(success=(Put("/a", b"1"),), cause="me"))
        await store.txn(Txn(success=(Put("/a", b"2"),)))
        await store.txn(Txn(success=(Delete("/a"),)))
        async with anyio.create_task_group() as tasks:
            await tasks.start(control.serve, store, tmp_path / "store.sock")
            await commands("running")
            tasks.cancel_scope.cancel()
        assert not (tmp_path / "store.sock").exists()
    await commands("stopped")
    (tmp_path / "lines").write_bytes(
        b'{"key":"/b","value":"%s","createRevision":1,"modRevision":1,"version":1}' % base64.b64encode(b"v")
    )
    assert await command("import", str(tmp_path / "lines")) == "imported 1 keys\n"
    assert await command("compact") == "compacted to revision 4\n"
    assert await anyio.to_thread.run_sync(run, tmp_path, "compact", "99") == 2
    assert "future revision" in capsys.readouterr().err
