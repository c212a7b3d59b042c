"""What a simulated container says and does when it is reached into: a tiny exec, a silent console, its log lines.

Knows no containers; `simulated` decides which exist. Understands `echo`, `cat`, `sleep`, `true`, `false`, `exit N` and
`sh -c` of one of them; every other command prints itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import anyio

from kubelite.actor.clock import Clock
from kubelite.client.streams import LogOptions

_STDOUT = 1


class SimulatedProcess:
    """ExecStream of a command that is carried out as it is read."""

    def __init__(self, command: tuple[str, ...], *, clock: Clock) -> None:
        if command[:2] == ("sh", "-c") and len(command) > 2:
            import shlex

            command = tuple(shlex.split(command[2]))
        self._command = command
        self._clock = clock
        # The writer waits for the reader: nothing is buffered without bound.
        self._stdin, self._input = anyio.create_memory_object_stream[bytes](0)
        self._done = False

    async def read(self) -> tuple[int, bytes] | None:
        if self._done:
            return None
        match self._command:
            case ("cat",):
                try:
                    return _STDOUT, await self._input.receive()
                except anyio.EndOfStream:
                    self._finish()
                    return None
            case ("sleep", seconds):
                await self._clock.sleep(float(seconds))
                self._finish()
                return None
            case ("true" | "false" | "exit", *_):
                self._finish()
                return None
            case ("echo", *words) | words:
                self._finish()
                return _STDOUT, (" ".join(words) + "\n").encode()

    async def write(self, data: bytes) -> None:
        if self._command == ("cat",) and not self._done:
            await self._stdin.send(data)

    async def close_stdin(self) -> None:
        self._stdin.close()

    async def resize(self, *, width: int, height: int) -> None:
        return

    async def exit_code(self) -> int:
        match self._command:
            case ("exit", code, *_):
                return int(code)
            case ("false", *_):
                return 1
            case _:
                return 0

    def close(self) -> None:
        """Ends whatever still runs."""
        self._finish()

    def _finish(self) -> None:
        self._done = True
        self._stdin.close()
        self._input.close()


class SimulatedConsole:
    """ExecStream of an attached container that says nothing until it ends."""

    def __init__(self, exit_code: Callable[[], Awaitable[int]]) -> None:
        self._exit_code = exit_code

    async def read(self) -> tuple[int, bytes] | None:
        await self._exit_code()
        return None

    async def write(self, data: bytes) -> None:
        return

    async def close_stdin(self) -> None:
        return

    async def resize(self, *, width: int, height: int) -> None:
        return

    async def exit_code(self) -> int:
        return await self._exit_code()


def format_logs(text: str, at: float, options: LogOptions) -> Iterator[bytes]:
    """The lines of `text`, all written to stdout at `at`, as `options` select them."""
    if options.stream == "Stderr" or (options.since is not None and at < options.since):
        return
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z ") if options.timestamps else ""
    lines = text.splitlines()
    if options.tail_lines is not None:
        lines = lines[-options.tail_lines :] if options.tail_lines else []
    left = options.limit_bytes
    for line in lines:
        data = f"{stamp}{line}\n".encode()
        if left is not None:
            data = data[:left]
            left -= len(data)
        if data:
            yield data
