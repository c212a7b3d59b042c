"""`python -m kubelite store …`: look after a store, whether its daemon runs or not.

When no process has the file open it is opened here; else the daemon is asked through its control socket.
What cannot be done is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio

from kubelite.store.control import COMMANDS, Request, ask, operate
from kubelite.store.snapshot import restore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.sqlite_process import Locked
from kubelite.store.store import StoreError

FILE = "store.db"
SOCKET = "store.sock"

_HELP = {
    "status": "revisions, sizes, watchers",
    "backup": "write a consistent copy to FILE",
    "restore": "make the data directory's store a copy of FILE",
    "export": "print every key as JSON lines",
    "import": "put the keys of the JSON lines in FILE",
    "compact": "forget history up to REVISION (default: all)",
    "verify": "check the file",
    "history": "what happened to KEY within the retained history",
    "events": "the same of KEY or @REVISION, as JSON lines with values",
}
_ARGUMENT = {
    "backup": "FILE",
    "restore": "FILE",
    "import": "FILE",
    "compact": "REVISION",
    "history": "KEY",
    "events": "KEY",
}


def main(argv: Sequence[str], *, data_dir: Path) -> int:
    """Runs one command, by default on the store in `data_dir`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kubelite store", description="Look after a store.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in (*COMMANDS, "restore"):
        command = commands.add_parser(name, help=_HELP[name])
        place = f"the directory that holds {FILE} (default: %(default)s)"
        command.add_argument("--data-dir", type=Path, default=data_dir, help=place)
        if name in _ARGUMENT:
            nargs = "?" if name == "compact" else None
            command.add_argument("argument", metavar=_ARGUMENT[name], nargs=nargs, default="")
    arguments = parser.parse_args(argv)
    argument = getattr(arguments, "argument", "")
    if arguments.command in ("backup", "import", "restore"):
        argument = str(Path(argument).absolute())  # the daemon has a working directory of its own
    try:
        anyio.run(_run, arguments.data_dir, Request(command=arguments.command, argument=argument))
    except (StoreError, OSError, ValueError) as error:
        sys.stderr.write(f"kubelite store: {error}\n")
        return 2
    return 0


class CommandClock:
    """The loop's time is enough for a command, which grants no leases."""

    def monotonic(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def randrange(self, stop: int) -> int:
        raise StoreError("a command grants no lease")


async def _run(directory: Path, request: Request) -> None:
    if request.command == "restore":
        path = directory / FILE
        revision = await restore(Path(request.argument), path, CommandClock())
        sys.stdout.write(f"restored {path} at revision {revision}\n")
        return
    async for line in answers(directory, request):
        sys.stdout.write(line + "\n")


async def answers(directory: Path, request: Request) -> AsyncIterator[str]:
    """The lines of one command on the store in `directory`, whoever has it open. Raises: StoreError, OSError, ValueError."""
    path = directory / FILE
    if not await anyio.Path(path).exists():
        raise StoreError(f"there is no store at {path}")
    try:
        async with SqliteStore(path, CommandClock()) as store:
            async for line in operate(store, request):
                yield line
    except Locked:
        async for line in ask(directory / SOCKET, request):
            yield line
