"""An event loop whose time jumps to the next deadline as soon as nothing else is left to do: hours pass in milliseconds.

Everything in it must take its time from the loop, as `actor.clock.SeededClock` does. A wait for the outside world (a socket, a
process) is real and lasts as long as it lasts; while one is awaited and a deadline is near, the deadline comes first.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for time: it tells the loop to skip it."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is None or timeout > 0 else timeout)
        if not ready and timeout is not None and timeout > 0:
            self.skipped_s += timeout
        elif not ready and timeout is None:
            return super().select(1)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped_s


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
