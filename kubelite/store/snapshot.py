"""Copies of a whole store: a backup file, its restoring, and JSON lines that any backend can read.

A backup is written from a fork by a writer process of its own. So it is consistent, costs the running store nothing but the
reading of its own memory, holds up no writer, and keeps the history with its revisions. It appears under its name only when
it is complete and on disk. JSON lines hold the present only; importing writes it anew, with new revisions.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from kubelite.store import mvcc
from kubelite.store.local import Clock, LocalStore
from kubelite.store.sqlite import SqliteStore, encode_row
from kubelite.store.sqlite_process import Channel, WriterProcess
from kubelite.store.store import Event, Put, Store, StoreError, Txn

#: Rows per frame of a backup, and keys per transaction of an import. Source: etcd's --max-txn-ops (128).
FRAME_ROWS = 500
TXN_PUTS = 128
#: The end of all keys.
END = "\U0010ffff"


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key in JSON lines; `value` is base64."""

    key: str
    value: str
    create_revision: int
    mod_revision: int
    version: int
    cause: str = ""


async def backup(store: LocalStore, target: Path) -> int:
    """Writes `store`, as it is now, to the file `target`; returns its revision. Raises: StoreError."""
    branch = store.fork()
    partial = target.with_name(target.name + ".partial")
    _remove(partial)
    channel = Channel(WriterProcess(partial))
    try:
        await channel.connect(lambda word, value: None)
        frame: list[tuple[Any, ...]] = []
        for row in _rows(branch):
            frame.append(row)
            if len(frame) >= FRAME_ROWS and row[1] == 0:  # a batch of rows begins with a revision
                await channel.ask("append", (0, frame[:-1]))
                frame = frame[-1:]
        if frame:
            await channel.ask("append", (0, frame))
        base = branch.compact_revision
        await channel.ask("forget", (base, base, []))
        for number, lease in branch.leases().items():
            await channel.ask("lease", (number, round(lease * 1000)))
    except BaseException:
        await channel.close()
        _remove(partial)
        raise
    await channel.close()
    await anyio.to_thread.run_sync(_appear, partial, target)
    return branch.revision


async def restore(source: Path, target: Path, clock: Clock) -> int:
    """Makes `target` a copy of the backup `source`, once it was found sound; returns its revision.

    Raises: StoreError when there is a store at `target` already; Corrupt.
    """
    if await anyio.Path(target).exists():
        raise StoreError(f"{target} exists; move it away first")
    partial = target.with_name(target.name + ".partial")
    _remove(partial)
    try:
        await anyio.to_thread.run_sync(shutil.copyfile, source, partial)
        async with SqliteStore(partial, clock) as restored:
            revision = restored.revision
            if found := await restored.verify():
                raise StoreError(f"{source} is damaged: {found[0]}")
    except BaseException:
        _remove(partial)
        raise
    await anyio.to_thread.run_sync(_appear, partial, target)
    return revision


async def export_lines(store: Store) -> AsyncIterator[bytes]:
    """The present of `store`, a JSON object and a newline each, in key order, all of one revision."""
    revision, key = store.revision, ""
    while True:
        page = await store.range(key, END, revision=revision, limit=FRAME_ROWS)
        for record in page.records:
            line = Line(
                key=record.key,
                value=base64.b64encode(record.value).decode(),
                create_revision=record.create_revision,
                mod_revision=record.mod_revision,
                version=record.version,
                cause=record.cause,
            )
            yield msgspec.json.encode(line) + b"\n"
        if not page.more:
            return
        key = page.records[-1].key + "\0"


async def import_lines(store: Store, lines: Iterable[bytes]) -> int:
    """Puts every key of `lines`; returns how many. Raises: StoreError when a line is not one (what came before is written)."""
    count = 0
    puts: list[Put] = []
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=Line)
            puts.append(Put(entry.key, base64.b64decode(entry.value, validate=True)))
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"line {count + len(puts) + 1}: {error}") from error
        if len(puts) == TXN_PUTS:
            await store.txn(Txn(success=tuple(puts), cause="import"))
            count, puts = count + len(puts), []
    if puts:
        await store.txn(Txn(success=tuple(puts), cause="import"))
    return count + len(puts)


def _rows(branch: LocalStore) -> Iterator[tuple[Any, ...]]:
    """What the log of `branch` would hold: the keys as they were at the compact revision, and the events since."""
    keys, events = branch.contents()
    mvcc.rewind(keys, events)
    old = sorted(keys.select("", END), key=lambda record: (record.mod_revision, record.key))
    revision = sub = 0
    for event in (*(Event(record.mod_revision, record.key, record, None, record.cause) for record in old), *events):
        sub = sub + 1 if event.revision == revision else 0
        revision = event.revision
        yield encode_row(event, sub)


def _remove(partial: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _appear(partial: Path, target: Path) -> None:
    """Gives a closed file its name, durably."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    _remove(partial)
    directory = os.open(target.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
