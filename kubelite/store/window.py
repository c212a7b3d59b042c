"""The recent events, and the arithmetic of cursors on them, **pure**.

The window holds every event after its `base`, whole revisions, in order. `base` *is* the compact revision: a cursor (everything
up to here has been seen) at `base` or later can go on, an earlier one has lost its place. Bounds by number and by bytes are the
caller's policy (`excess` says how far to drop); a copy shares everything.

Worked example: base 3, events of revisions 4, 5, 5, 6. A cursor at 4 continues with [5, 5, 6], one at 3 with all; one at 2
has lost its place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from kubelite.store.store import Event

#: Events per chunk; what `copy` and dropping cost depends on it.
CHUNK = 512
#: What an event costs in memory beside its value: the event, its record, its key.
EVENT_BYTES = 300

_revision = attrgetter("revision")


class Window:
    """`revision` is that of the newest event (or `base`); `count` and `size_bytes` are what it holds."""

    __slots__ = ("_chunks", "_sizes", "base", "count", "revision", "size_bytes")

    def __init__(self, base: int = 0) -> None:
        self.base = self.revision = base
        self.count = self.size_bytes = 0
        self._chunks: list[list[Event]] = [[]]  # only the last one grows; copies share the others
        self._sizes: list[int] = [0]

    def append(self, events: Sequence[Event]) -> None:
        """Adds the events of the next revision."""
        if len(self._chunks[-1]) >= CHUNK:
            self._chunks.append([])
            self._sizes.append(0)
        self._chunks[-1] += events
        size = 0
        for event in events:
            size += EVENT_BYTES if event.record is None else EVENT_BYTES + len(event.record.value)
        self._sizes[-1] += size
        self.size_bytes += size
        self.count += len(events)
        self.revision = events[-1].revision

    def copy(self) -> Window:
        """A window of its own with the same events; costs a reference per chunk."""
        other = Window(self.base)
        other.revision, other.count, other.size_bytes = self.revision, self.count, self.size_bytes
        other._chunks, other._sizes = [*self._chunks[:-1], self._chunks[-1][:]], self._sizes[:]
        return other

    def after(self, revision: int, limit: int = 0) -> list[Event]:
        """All events later than `revision` (>= base); about `limit` at most if given, but whole revisions."""
        index = len(self._chunks) - 1
        while index > 0 and not (self._chunks[index] and self._chunks[index][0].revision <= revision):
            index -= 1
        chunk = self._chunks[index]
        found = chunk[bisect_right(chunk, revision, key=_revision) :]
        for chunk in self._chunks[index + 1 :]:  # a revision is never split over chunks
            if limit and len(found) >= limit:
                break
            found += chunk
        if limit and len(found) > limit:
            del found[bisect_right(found, found[limit - 1].revision, key=_revision) :]
        return found

    def since(self, revision: int, key: str, end: str | None) -> list[Event]:
        """The events later than `revision` within [key, end)."""
        return select(self.after(revision), key, end)

    def drop(self, revision: int) -> list[Event]:
        """Makes `revision` (base <= revision <= self.revision) the base; returns the events up to it, which are gone."""
        dropped: list[Event] = []
        while len(self._chunks) > 1 and (not self._chunks[0] or self._chunks[0][-1].revision <= revision):
            dropped += self._chunks.pop(0)
            self.size_bytes -= self._sizes.pop(0)
        cut = bisect_right(self._chunks[0], revision, key=_revision)
        if cut:
            gone = self._chunks[0][:cut]
            size = sum(EVENT_BYTES + (len(event.record.value) if event.record else 0) for event in gone)
            self._chunks[0] = self._chunks[0][cut:]
            self._sizes[0] -= size
            self.size_bytes -= size
            dropped += gone
        self.count -= len(dropped)
        self.base = revision
        return dropped

    def truncate(self, revision: int) -> list[Event]:
        """Forgets the events later than `revision` (>= base), and returns them."""
        kept, gone = Window(self.base), self.after(revision)
        for chunk in self._chunks:
            events = chunk[: bisect_right(chunk, revision, key=_revision)]
            if events:
                kept.append(events)
        self.count, self.size_bytes, self.revision = kept.count, kept.size_bytes, revision
        self._chunks, self._sizes = kept._chunks, kept._sizes
        return gone

    def excess(self, max_count: int, max_bytes: int) -> int:
        """The least revision to `drop` (by whole chunks) so that both bounds hold; the newest chunk always stays."""
        count, size, revision = self.count, self.size_bytes, self.base
        for chunk, chunk_size in zip(self._chunks[:-1], self._sizes, strict=False):
            if count <= max_count and size <= max_bytes:
                break
            count, size = count - len(chunk), size - chunk_size
            revision = chunk[-1].revision if chunk else revision
        return revision


def select(events: list[Event], key: str, end: str | None) -> list[Event]:
    """Those of `events` that are within [key, end), or about `key` alone."""
    if end is None:
        return [event for event in events if event.key == key]
    return [event for event in events if key <= event.key < end]
