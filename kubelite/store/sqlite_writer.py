"""The process that owns the log file: appends, compacts, and exits when its parent is gone.

It runs as a script of its own, with its own interpreter lock, so that a busy event loop cannot starve a commit; therefore it
imports nothing of kubelite and as little as possible of anything. It holds no semantics: rows in, one answer a request.

    python -I -S sqlite_writer.py SOCKET_FD PATH DIRECTORY_OF_AIOSQLITE

Frames on the socket are an 8-byte length and a marshalled value: to here `(operation, argument)`, back `(error, value)`, in
order. Before the first answer come `("compact", revision)`, the rows of the log, `("rows", [...])` each, and
`("ready", {...})`; or an error.

* The batches of rows that have arrived are one INSERT in autocommit mode: one statement, one hop to aiosqlite's thread, one
  durable transaction. The first is answered with the number of rows and the seconds that it took.
* A batch was decided on top of those before it: when one fails, the later ones of its era (a number) are refused.
* A row's id is `revision << SUB_BITS | number within the revision`, so a revision of many keys needs no second index.
* After a failed commit the write-ahead log is emptied before anything else is written: a failed fsync may have left a whole
  transaction in the file, which a later recovery would take for a committed one.
* Bits that rot in a key or value are found by a checksum per row; SQLite itself checks only what it follows. The parent checks
  it, as well as that each revision and version follows from the one before, while this process reads on.

Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/rescode.html; measured choices of page size and checkpoint.
"""

import sys

if __name__ == "__main__":
    sys.path.append(sys.argv[3])
    sys.modules["ssl"] = None  # type: ignore[assignment]  # asyncio can do without, and starts 10 ms sooner

import asyncio
import fcntl
import marshal
import os
import signal
import socket
import sqlite3
import time
from typing import Any
from zlib import crc32

import aiosqlite

SUB_BITS = 20
FORMAT = 1
PRAGMAS = (
    "page_size=16384",
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=250",
    "cache_size=-16384",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
)
SCHEMA = """
CREATE TABLE IF NOT EXISTS log(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL, version INTEGER NOT NULL,
  lease INTEGER NOT NULL, cause TEXT NOT NULL, crc INTEGER NOT NULL, value BLOB);
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease(id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL);
"""
ROW = "(?,?,?,?,?,?,?,?)"
COLUMNS = 8
#: Rows of the largest single INSERT; SQLite allows 32,766 variables.
MAX_ROWS = 2048
#: Statements up to this many rows exist in every size; larger ones are padded to a few sizes, which stay prepared.
EXACT_ROWS = 64
READ = "SELECT id, key, create_revision, version, lease, cause, value, crc FROM log WHERE id > ? ORDER BY id LIMIT ?"
PAGE_ROWS = 500
RECEIVE_BYTES = 1 << 20
LOCK_PATIENCE_S = 2.0

#: What a statement can fail with; the last two when a cell is not fit for SQLite.
FAULTS = (sqlite3.Error, OSError, ValueError, OverflowError)

#: From the parent: revision, number within it, key, create revision, version, lease, cause, value (None: a deletion).
Row = tuple[Any, ...]


class Refused(Exception):
    """An error whose first argument is the word that the parent knows it by: locked, corrupt."""


class Link:
    """The socket to the parent."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._buffer = bytearray()

    def receive(self, *, wait: bool) -> tuple[str, Any] | None:
        """The next request; None when the parent is gone, or without `wait` when no whole one has arrived."""
        buffer = self._buffer
        while len(buffer) < 8 or len(buffer) - 8 < (size := int.from_bytes(buffer[:8], "little")):
            try:
                data = self._socket.recv(RECEIVE_BYTES, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not data:
                return None
            buffer += data
        with memoryview(buffer) as view:
            request: tuple[str, Any] = marshal.loads(view[8 : 8 + size])
        del buffer[: 8 + size]
        return request

    def send(self, *answers: tuple[str, object]) -> None:
        frames = []
        for answer in answers:
            body = marshal.dumps(answer)  # type: ignore[arg-type]  # whatever it holds is plain
            frames += [len(body).to_bytes(8, "little"), body]
        sent = self._socket.sendmsg(frames)
        if sent < sum(map(len, frames)):  # a signal came between
            self._socket.sendall(memoryview(b"".join(frames))[sent:])


class Log:
    """The open file."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db
        self._wounded = False
        self._failed_era = -1

    async def append(self, era: int, rows: list[Row]) -> tuple[int, float]:
        """Writes `rows` (without crc) durably, all or none; returns their number and the seconds it took."""
        if era == self._failed_era:
            raise ValueError("a batch before this one was not written")
        began = time.perf_counter()
        try:
            await self._heal()
            if len(rows) <= MAX_ROWS:
                await self._insert(rows)
            else:
                await self._db.execute("BEGIN IMMEDIATE")
                for at in range(0, len(rows), MAX_ROWS):
                    await self._insert(rows[at : at + MAX_ROWS])
                await self._db.execute("COMMIT")
        except FAULTS:
            self._failed_era = era
            await self._wound()
            raise
        return len(rows), time.perf_counter() - began

    async def forget(self, argument: tuple[int, int, list[tuple[int, str]]]) -> None:
        """Makes `revision` the compact one: deletes the rows `dead` (revision, key), and the tombstones after `start`."""
        start, revision, dead = argument
        await self._heal()
        try:
            await self._db.execute("BEGIN IMMEDIATE")
            await self._db.executemany(
                "DELETE FROM log WHERE id BETWEEN ? AND ? AND key = ?",
                [(old << SUB_BITS, ((old + 1) << SUB_BITS) - 1, key) for old, key in dead],
            )
            await self._db.execute(
                "DELETE FROM log WHERE id BETWEEN ? AND ? AND value IS NULL",
                ((start + 1) << SUB_BITS, ((revision + 1) << SUB_BITS) - 1),
            )
            await self._db.execute("INSERT OR REPLACE INTO meta VALUES ('compact', ?)", (revision,))
            await self._db.execute("COMMIT")
        except FAULTS:
            await self._wound()
            raise

    async def lease(self, argument: tuple[int, int]) -> None:
        """Keeps a lease, or with a TTL of 0 forgets it."""
        await self._heal()
        number, ttl_ms = argument
        try:
            if ttl_ms:
                await self._db.execute("INSERT OR REPLACE INTO lease VALUES (?, ?)", argument)
            else:
                await self._db.execute("DELETE FROM lease WHERE id = ?", (number,))
        except FAULTS:
            await self._wound()
            raise

    async def verify(self, _: None) -> list[str]:
        """What SQLite finds wrong with the file; empty when nothing."""
        async with self._db.execute("PRAGMA integrity_check") as cursor:
            found = [str(row[0]) async for row in cursor]
        return [] if found == ["ok"] else found

    async def _insert(self, rows: list[Row]) -> None:
        size = len(rows)
        if size > EXACT_ROWS:
            step = 1 << max((size - 1).bit_length() - 2, 0)  # four sizes per doubling
            size = -(-size // step) * step
            values = ",".join([ROW] * size)
            sql = f"INSERT INTO log SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL"
        else:
            sql = "INSERT INTO log VALUES " + ",".join([ROW] * size)
        bound: list[Any] = []
        for revision, sub, key, create_revision, version, lease, cause, value in rows:
            crc = crc32(value or b"", crc32(key.encode()))
            bound += (revision << SUB_BITS | sub, key, create_revision, version, lease, cause, crc, value)
        bound += [None] * (COLUMNS * (size - len(rows)))
        await self._db.execute(sql, bound)

    async def _wound(self) -> None:
        self._wounded = True
        try:
            if self._db.in_transaction:
                await self._db.execute("ROLLBACK")
            await self._heal()
        except sqlite3.Error:
            return  # the next request tries again, and says why it cannot

    async def _heal(self) -> None:
        if self._wounded:
            async with self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                row = await cursor.fetchone()
            if row is None or row[0]:
                raise sqlite3.OperationalError("the write-ahead log could not be emptied")
            self._wounded = False


def lock(path: str) -> int:
    """Takes the lock that keeps two processes off one file. Raises: Refused("locked")."""
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 32).decode().strip()
        if holder and os.path.exists(f"/proc/{holder}"):  # noqa: PTH110
            raise Refused("locked", holder) from None
        signal.signal(signal.SIGALRM, _give_up)  # the holder was killed; its writer is on its way out
        signal.setitimer(signal.ITIMER_REAL, LOCK_PATIENCE_S)
        fcntl.flock(fd, fcntl.LOCK_EX)
        signal.setitimer(signal.ITIMER_REAL, 0)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getppid()}\n".encode(), 0)
    return fd


def _give_up(_signal: int, _frame: object) -> None:
    raise Refused("locked", "unknown")


def wal_frames(path: str) -> int:
    """How many frames the write-ahead log's newest generation has, complete or not. Source: sqlite.org/fileformat2.html §4."""
    try:
        with open(f"{path}-wal", "rb") as file:
            header = file.read(32)
            if len(header) < 32:
                return 0
            size, salt, count = int.from_bytes(header[8:12], "big"), header[16:24], 0
            while len(frame := file.read(24)) >= 16 and frame[8:16] == salt:
                count += 1
                file.seek(size, 1)
            return count
    except FileNotFoundError:
        return 0


async def open_log(path: str) -> tuple[aiosqlite.Connection, int]:
    """The database, and how many frames of a torn tail were left out."""
    frames = wal_frames(path)
    db = await aiosqlite.connect(path, isolation_level=None, cached_statements=256)
    for pragma in PRAGMAS:
        await db.execute(f"PRAGMA {pragma}")
    async with db.execute("PRAGMA user_version") as cursor:
        version = (await cursor.fetchone() or (0,))[0]
    if version not in (0, FORMAT):
        raise Refused("corrupt", f"format {version} is not known to this version")
    if not version:
        await db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={FORMAT}; COMMIT;")
        return db, 0
    async with db.execute("PRAGMA wal_checkpoint(PASSIVE)") as cursor:
        checkpointed = await cursor.fetchone()
    return db, max(frames - (checkpointed or (0, 0))[1], 0)


async def read_page(db: aiosqlite.Connection, last: int) -> list[Any]:
    """The rows after the id `last`."""
    return list(await db.execute_fetchall(READ, (last, PAGE_ROWS)))


async def send_state(db: aiosqlite.Connection, link: Link, torn: int) -> None:
    """Sends every row and what else the parent must know."""
    found = [row[0] for row in await db.execute_fetchall("SELECT value FROM meta WHERE name = 'compact'")]
    link.send(("compact", found[0] if found else 0))
    loop = asyncio.get_running_loop()
    reading = loop.create_task(read_page(db, -1))
    while page := await reading:
        reading = loop.create_task(read_page(db, page[-1][0]))
        await asyncio.sleep(0)  # the thread reads the next page while the socket takes this one
        link.send(("rows", page))
    leases = [tuple(row) for row in await db.execute_fetchall("SELECT id, ttl_ms FROM lease")]
    link.send(("ready", {"leases": leases, "torn": torn}))


async def answer(link: Link, log: Log) -> None:
    """Does what is asked until the parent closes the socket."""
    operations = {name: getattr(log, name) for name in ("forget", "lease", "verify")}
    request = link.receive(wait=True)
    while request is not None:
        operation, argument = request
        request, batches = None, 1
        try:
            if operation != "append":
                link.send(("", await operations[operation](argument)))
            else:
                era, rows = argument
                while request := link.receive(wait=False):
                    if request[0] != "append" or request[1][0] != era or len(rows) + len(request[1][1]) > MAX_ROWS:
                        break
                    rows += request[1][1]
                    request, batches = None, batches + 1
                link.send(("", await log.append(era, rows)), *[("", None)] * (batches - 1))
        except FAULTS as error:
            link.send(*[("unavailable", str(error))] * batches)
        request = request or link.receive(wait=True)


async def serve(fd: int, path: str) -> None:
    """Answers the parent until it closes the socket."""
    link = Link(fd)
    try:
        held = lock(path)
        db, torn = await open_log(path)
    except Refused as error:
        link.send(error.args)
        return
    except sqlite3.DatabaseError as error:
        link.send(("unavailable" if isinstance(error, sqlite3.OperationalError) else "corrupt", str(error)))
        return
    try:
        try:
            await send_state(db, link, torn)
        except sqlite3.DatabaseError as error:
            link.send(("corrupt", str(error)))
            return
        await answer(link, Log(db))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent was killed
    finally:
        await db.close()
        os.close(held)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the parent decides when to end, also when the terminal or init signals all
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
    os._exit(0)  # everything is closed; taking the interpreter down would only take time
