"""What an operator can ask of a store, and the unix socket where a running daemon answers.

A request is one JSON object on a line, `{"command": "compact", "argument": "120"}`; the answer is any number of
`{"line": …}` and then `{"ok": true}` or `{"ok": false, "line": "why"}`. The socket is for its owner only.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from kubelite.store.local import LocalStore
from kubelite.store.snapshot import backup, export_lines, import_lines
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Event, StoreError, Unavailable

MAX_REQUEST_BYTES = 64 << 10
COMMANDS = ("status", "backup", "export", "import", "compact", "verify", "history", "events")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    command: str
    argument: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    line: str = ""
    ok: bool | None = None


async def operate(store: LocalStore, request: Request) -> AsyncIterator[str]:
    """Does what `request` says; yields the lines to show. Raises: StoreError, ValueError, OSError."""
    match request.command:
        case "status":
            stats = store.stats()
            for name in stats.__struct_fields__[:9]:
                yield f"{name.replace('_', ' ')}: {getattr(stats, name)}"
        case "backup":
            revision = await backup(store, Path(request.argument))
            yield f"wrote {request.argument} at revision {revision}"
        case "export":
            async for line in export_lines(store):
                yield line.decode().rstrip()
        case "import":
            lines = (await anyio.Path(request.argument).read_bytes()).splitlines()
            yield f"imported {await import_lines(store, lines)} keys"
        case "compact":
            revision = int(request.argument or store.revision)
            await store.compact(revision)
            yield f"compacted to revision {revision}"
        case "verify":
            found = await store.verify() if isinstance(store, SqliteStore) else []
            if found:
                raise StoreError("; ".join(found))
            yield f"ok at revision {store.revision}"
        case "history":
            for event in store.contents()[1]:
                if event.key == request.argument:
                    yield describe(event)
        case "events":
            for event in store.contents()[1]:
                if request.argument in (event.key, f"@{event.revision}"):
                    yield encode_event(event)
        case _:
            raise ValueError(f"no such command: {request.command}")


def encode_event(event: Event) -> str:
    """An event as a line of JSON, with the values before and after as text."""
    before, after = (each.value.decode(errors="replace") if each else "" for each in (event.prev, event.record))
    plain = {"revision": event.revision, "key": event.key, "cause": event.cause, "before": before, "after": after}
    return msgspec.json.encode(plain).decode()


def describe(event: Event) -> str:
    """An event in one line."""
    what = "deleted" if event.record is None else "created" if event.prev is None else "changed"
    size = "" if event.record is None else f" version {event.record.version}, {len(event.record.value)} bytes"
    return f"{event.revision} {what}{size}" + (f", by {event.cause}" if event.cause else "")


async def serve(store: LocalStore, path: Path, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Answers at the socket `path` until cancelled; started once the socket is bound."""
    await anyio.Path(path).unlink(missing_ok=True)
    with _short(path) as name:
        listener = await anyio.create_unix_listener(name, mode=0o600)

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            try:
                line = await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_REQUEST_BYTES)
                try:
                    async for text in operate(store, msgspec.json.decode(line, type=Request)):
                        await stream.send(msgspec.json.encode(Answer(line=text)) + b"\n")
                    end = Answer(ok=True)
                except (StoreError, ValueError, OSError) as error:
                    end = Answer(line=str(error), ok=False)
                await stream.send(msgspec.json.encode(end) + b"\n")
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound):
                return  # the caller went away

    try:
        async with listener:
            task_status.started()
            await listener.serve(answer)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)


async def ask(path: Path, request: Request) -> AsyncIterator[str]:
    """As `operate`, of the daemon that answers at `path`. Raises: StoreError, Unavailable."""
    try:
        with _short(path) as name:
            stream = await anyio.connect_unix(name)
    except OSError as error:
        raise Unavailable(f"a process has the store open but does not answer at {path}: {error}") from error
    async with stream:
        await stream.send(msgspec.json.encode(request) + b"\n")
        lines = BufferedByteReceiveStream(stream)
        while True:
            answer = msgspec.json.decode(await lines.receive_until(b"\n", 64 << 20), type=Answer)
            if answer.ok is None:
                yield answer.line
            elif answer.ok:
                return
            else:
                raise StoreError(answer.line)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits a socket's address, whose limit is 107 bytes."""
    directory = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
