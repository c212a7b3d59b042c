"""The queue between events and decisions. Pure: the caller brings the time and does the waiting.

Its contract:
1. A key is handed to one taker at a time, until `done`.
2. A key added several times before it is taken is handed out once.
3. A key added while it is taken is handed out again after `done`.
4. A delayed key is handed out at its time or when added before, whichever is first; of several times the earliest counts.

Source: k8s.io/client-go/util/workqueue (its documentation)
"""

from __future__ import annotations

import heapq
from collections import deque

Key = str


class WorkQueue:
    """Keys waiting, delayed and taken. `now` is any clock that does not go back, in seconds."""

    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        self._dirty: set[Key] = set()  # to be handed out: ready, or waiting for `done`
        self._taken: set[Key] = set()
        self._delayed: list[tuple[float, Key]] = []
        self._due: dict[Key, float] = {}

    def add(self, key: Key) -> None:
        self._due.pop(key, None)
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._taken:
            self._ready.append(key)

    def add_at(self, key: Key, when: float) -> None:
        """Adds `key` at the time `when`."""
        if key in self._dirty or self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        heapq.heappush(self._delayed, (when, key))

    def take(self, now: float) -> Key | None:
        """The next key to work on, or None when there is none now."""
        while self._delayed and self._delayed[0][0] <= now:
            when, key = heapq.heappop(self._delayed)
            if self._due.get(key) == when:
                self.add(key)
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._taken.add(key)
        return key

    def done(self, key: Key) -> None:
        self._taken.discard(key)
        if key in self._dirty:
            self._ready.append(key)

    def next_due(self) -> float | None:
        """When the earliest delayed key becomes due; None without any."""
        while self._delayed and self._due.get(self._delayed[0][1]) != self._delayed[0][0]:
            heapq.heappop(self._delayed)
        return self._delayed[0][0] if self._delayed else None

    def __len__(self) -> int:
        """How many keys could be taken now."""
        return len(self._ready)
