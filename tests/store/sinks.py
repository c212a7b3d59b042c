"""A sink that remembers, and can be waited for."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from kubelite.store.store import Event, StoreError


class Recorder:
    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.revision = 0
        self.error: StoreError | None = None
        self._changed = anyio.Event()

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        assert revision >= self.revision
        self.revision = revision
        if events:
            self.batches.append(list(events))
        self._notify()

    def lost(self, error: StoreError) -> None:
        self.error = error
        self._notify()

    async def until(self, revision: int) -> None:
        """Returns once everything up to `revision` has been delivered."""
        with anyio.fail_after(10):
            while self.revision < revision:
                assert self.error is None, self.error
                await self._changed.wait()

    async def until_lost(self) -> StoreError:
        with anyio.fail_after(10):
            while self.error is None:
                await self._changed.wait()
        return self.error

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
