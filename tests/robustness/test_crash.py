"""Nothing acknowledged is lost, and nothing watched is gone, after kill -9, power cuts and a full disk.

`KUBELITE_CRASHES=200` makes the long form.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from kubelite.actor.clock import SeededClock, SystemClock
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Put, Txn, Unavailable

CRASHES = int(os.environ.get("KUBELITE_CRASHES", "20"))
POWER_CUTS = max(CRASHES // 4, 4)
ROOT = Path(__file__).parents[2]


@dataclass
class Reported:
    """What a worker said before it died. `value` None is a deletion."""

    acknowledged: dict[int, tuple[str, bytes | None]] = field(default_factory=dict)
    watched: int = 0


async def crash(path: Path, lines: int, victim: str) -> Reported:
    """Runs a worker, and kills it or its writer after it has said `lines` lines."""
    reported = Reported()
    command = [sys.executable, "-m", "tests.robustness.worker", str(path), "16"]
    async with await anyio.open_process(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        rest, seen, writer = b"", 0, 0
        async for chunk in process.stdout:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                kind, first, *more = line.decode().split(" ")
                if kind == "writer":
                    writer = int(first)
                elif kind == "w":
                    reported.watched = max(reported.watched, int(first))
                else:
                    reported.acknowledged[int(first)] = more[0], None if more[1] == "-" else more[1].encode()
            if seen <= lines < seen + len(whole):
                os.kill(writer if victim == "writer" else process.pid, signal.SIGKILL)
            seen += len(whole)
    return reported


async def check(path: Path, reported: Reported) -> None:
    """Opening checks that the history is whole; here it is held against what was reported."""
    async with SqliteStore(path, SystemClock()) as store:
        assert not await store.verify()
        assert store.revision >= max(reported.acknowledged, default=0)
        assert store.revision >= reported.watched
        happened = {event.revision: event for event in store.contents()[1]}
        newest: dict[str, tuple[int, bytes | None]] = {}
        for revision, (key, value) in reported.acknowledged.items():
            if revision > store.compact_revision:
                event = happened[revision]
                assert (event.key, event.record and event.record.value) == (key, value)
            newest[key] = max(newest.get(key, (0, None)), (revision, value), key=lambda pair: pair[0])
        for key, (revision, value) in newest.items():
            records = (await store.range(key)).records
            if not records or records[0].mod_revision == revision:
                last = max((r for r, event in happened.items() if event.key == key), default=0)
                assert last > revision or (records[0].value if records else None) == value
            else:
                assert records[0].mod_revision > revision


async def test_kill_9_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    path, clock, total = tmp_path / "store.db", SeededClock(1), 0
    for round_number in range(CRASHES):
        reported = await crash(path, clock.randrange(2500), "writer" if round_number % 3 == 2 else "parent")
        await check(path, reported)
        total += len(reported.acknowledged)
    assert total > 100 * CRASHES


async def test_a_power_cut_at_any_moment_loses_nothing(tmp_path: Path, shim: Callable[..., None]) -> None:
    data, shadow, clock, total = tmp_path / "data", tmp_path / "shadow", SeededClock(2), 0
    data.mkdir()
    for _ in range(POWER_CUTS):
        shutil.copytree(data, shadow)
        shim(SHIM_DIR=str(data), SHIM_SHADOW=str(shadow))
        reported = await crash(data / "store.db", clock.randrange(2500), "writer")
        shutil.rmtree(data)
        shadow.rename(data)  # what the machine finds when it has power again
        shim(SHIM_DIR="")
        await check(data / "store.db", reported)
        total += len(reported.acknowledged)
    assert total > 100 * POWER_CUTS


def test_the_shim_forgets_what_was_not_synced(tmp_path: Path, shim: Callable[..., None]) -> None:
    data, shadow = tmp_path / "data", tmp_path / "shadow"
    data.mkdir()
    shadow.mkdir()
    shim(SHIM_DIR=str(data), SHIM_SHADOW=str(shadow))
    program = (
        "import os, sys; fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)\n"
        "os.write(fd, b'kept'); os.fsync(fd); os.write(fd, b'lost')"
    )
    subprocess.run([sys.executable, "-c", program, data / "file"], check=True)
    assert ((data / "file").read_bytes(), (shadow / "file").read_bytes()) == (b"keptlost", b"kept")


async def test_a_full_disk_stops_writes_only_until_there_is_room(tmp_path: Path, shim: Callable[..., None]) -> None:
    full, path = tmp_path / "full", tmp_path / "data" / "store.db"
    path.parent.mkdir()
    shim(SHIM_DIR=str(path.parent), SHIM_FULL=str(full))
    async with SqliteStore(path, SystemClock()) as store:
        for number in range(3):
            written = await store.txn(Txn(success=(Put("/k", b"%d" % number),)))
            full.touch()
            for _ in range(3):
                with pytest.raises(Unavailable, match="nothing was written"):
                    await store.txn(Txn(success=(Put("/k", b"refused"),)))
            assert (await store.range("/k")).records[0].value == b"%d" % number
            assert store.revision == written.revision
            full.unlink()
        assert (await store.txn(Txn(success=(Put("/k", b"again"),)))).revision == 4
    async with SqliteStore(path, SystemClock()) as store:
        assert (store.revision, (await store.range("/k")).records[0].value) == (4, b"again")
