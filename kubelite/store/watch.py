"""The bus: tells every watcher what was committed, in order, from one shared window.

A watcher is a cursor. Watchers of the same interval form a group, so that events are selected once per group, and a commit
visits only the groups that it concerns; one pump, a callback of the event loop, calls the sinks. Whoever is at another place
than its group (new, resumed, or behind) catches up by itself from the window and then joins. A paused watcher costs nothing
until it falls off the window.

The pump yields to the loop after `BURST` deliveries. It runs one pass at a time: a pass has a fixed target revision, and what
is committed meanwhile belongs to the next one.

The bus knows nothing of keys' present values or of durability: `publish` is called after the commit, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Sequence

from kubelite.store.store import Compacted, Event, Sink, StoreError, prefix_end
from kubelite.store.window import Window, select

#: Deliveries per turn of the event loop: about 0.1 ms with cheap sinks.
BURST = 512
#: The most events of one catching-up delivery.
CATCH_UP = 1000

Interest = tuple[str, str | None]


class Watcher:
    """The handle of a watch (store.Subscription)."""

    __slots__ = ("_bus", "closed", "cursor", "group", "paused", "sink")

    def __init__(self, bus: Bus, group: _Group, sink: Sink, cursor: int) -> None:
        self._bus, self.group, self.sink, self.cursor = bus, group, sink, cursor
        self.paused = self.closed = False

    @property
    def revision(self) -> int:
        return max(self.cursor, self._bus.position) if self in self.group.members else self.cursor

    def pause(self) -> None:
        if not self.paused and not self.closed:
            self._bus.leave(self)
            self.paused = True
            self._bus.parked[self] = None

    def resume(self) -> None:
        if self.paused and not self.closed:
            self.paused = False
            del self._bus.parked[self]
            self._bus.lagging[self] = None
            self._bus.wake()

    def close(self) -> None:
        self.closed = True
        self._bus.leave(self)


class _Group:
    """The watchers of one interval who have seen everything up to the bus's position (who was delivered to is further on)."""

    __slots__ = ("interest", "members")

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.members: dict[Watcher, None] = {}  # an ordered set: delivery is in the order of joining


class _Groups:
    """The groups by interval. Those of one key, or of all keys below a `/`, are found by the key; others are asked."""

    __slots__ = ("_odd", "_of")

    def __init__(self) -> None:
        self._of: dict[Interest, _Group] = {}
        self._odd: dict[Interest, _Group] = {}

    def __iter__(self) -> Iterator[_Group]:
        return iter(list(self._of.values()))

    def __bool__(self) -> bool:
        return bool(self._of)

    def get(self, interest: Interest) -> _Group | None:
        return self._of.get(interest)

    def add(self, group: _Group) -> _Group:
        """The group of that interval: `group`, unless there is one."""
        key, end = group.interest
        if end is not None and not (key.endswith("/") and end == prefix_end(key)):
            self._odd.setdefault(group.interest, group)
        return self._of.setdefault(group.interest, group)

    def remove(self, group: _Group) -> None:
        self._of.pop(group.interest, None)
        self._odd.pop(group.interest, None)

    def concerned(self, events: list[Event]) -> dict[_Group, list[Event]]:
        """The groups that any of `events` is for, each with its share."""
        found: dict[_Group, list[Event]] = {}
        paths: dict[str, list[_Group]] = {}
        for event in events:
            key = event.key
            path = key[: key.rfind("/") + 1]
            if (groups := paths.get(path)) is None:
                groups = paths[path] = self._above(path)
            for group in groups:
                found.setdefault(group, []).append(event)
            if (single := self._of.get((key, None))) is not None:
                found.setdefault(single, []).append(event)
        for odd in self._odd.values():
            if chosen := select(events, *odd.interest):
                found[odd] = chosen
        return found

    def _above(self, path: str) -> list[_Group]:
        """The groups of all keys below `path` or a path above it."""
        ends = [at for at, char in enumerate(path, 1) if char == "/"]
        prefixes = [(path[:at], path[: at - 1] + "0") for at in ends]  # "0" follows "/": see prefix_end
        return [self._of[interest] for interest in prefixes if interest in self._of]


class Bus:
    """All watches of a store. `lagging` are those not in step with their group (new or catching up), `parked` the paused."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.position = window.revision  #: every group has seen what there was up to here
        self._groups = _Groups()
        self.lagging: dict[Watcher, None] = {}
        self.parked: dict[Watcher, None] = {}
        self._checked_base = window.base  # nobody parked is behind this
        self._pass: Generator[None, None, None] | None = None
        self._scheduled = False
        self._again = False  # something changed while a pass was under way

    def watch(self, key: str, end: str | None, sink: Sink, start_revision: int) -> Watcher:
        window = self._window
        cursor = start_revision - 1 if start_revision else window.revision
        if cursor < window.base:
            raise Compacted(window.base)
        interest = (key, end)
        group = self._groups.get(interest) or _Group(interest)
        watcher = Watcher(self, group, sink, cursor)
        self.lagging[watcher] = None
        self.wake()
        return watcher

    def wake(self) -> None:
        """Lets the pump run in the next turn of the loop; cheap, and enough after any change."""
        if self._pass is not None:
            self._again = True
        elif not self._scheduled and (self._groups or self.lagging or self.parked):
            self._schedule()

    @property
    def behind(self) -> int:
        """How many revisions the pump has not worked on."""
        return self._window.revision - self.position if self._groups or self.lagging else 0

    def leave(self, watcher: Watcher) -> None:
        """Takes `watcher` out, remembering its place."""
        watcher.cursor = watcher.revision
        group = watcher.group
        if group.members.pop(watcher, watcher) is None and not group.members:
            self._groups.remove(group)
        self.lagging.pop(watcher, None)
        self.parked.pop(watcher, None)

    def progress(self) -> None:
        """Tells everybody who is in step how far they are (a delivery without events)."""
        for group in self._groups:
            for watcher in list(group.members):
                if not watcher.closed and not watcher.paused:
                    watcher.sink.deliver((), watcher.revision)

    def close(self, error: StoreError) -> None:
        """Ends every watch."""
        for watcher in self.watchers():
            watcher.close()
            watcher.sink.lost(error)

    def watchers(self) -> list[Watcher]:
        return [watcher for group in self._groups for watcher in group.members] + [
            *self.lagging,
            *self.parked,
        ]

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        if self._pass is None:
            self._again = False
            self._pass = self._run_pass(self._window.revision)
        over = True  # also when a sink raises: its watch is closed by then, the others go on in the next turn
        try:
            for _ in self._pass:
                over = False
                break
        except BaseException:
            self._again = True
            raise
        finally:
            if over:
                self._pass = None
                if self._again or self.position < self._window.revision:
                    self.wake()
            else:
                self._schedule()

    def _run_pass(self, target: int) -> Generator[None, None, None]:
        """Brings all who take part to `target`; yields when the loop should have a turn."""
        budget = BURST
        if target > self.position and self._groups:
            yield from self._deliver_groups(target)
        self.position = target
        cache: dict[tuple[Interest, int], tuple[list[Event], int]] = {}
        for watcher in list(self.lagging):
            while watcher in self.lagging and not self._fallen(watcher):
                if watcher.cursor >= target:
                    if watcher.cursor == target:
                        self._join(watcher)
                    break
                self._catch_up(watcher, target, cache)
                budget -= 1
                if budget <= 0:
                    yield
                    budget = BURST
                    cache.clear()
        if self._checked_base != self._window.base:
            self._checked_base = self._window.base
            for watcher in list(self.parked):
                self._fallen(watcher)

    def _deliver_groups(self, target: int) -> Generator[None, None, None]:
        budget = BURST
        if self.position < self._window.base:  # more was dropped than the pump has worked on
            for watcher in [watcher for group in self._groups for watcher in group.members]:
                self._fall_behind(watcher)
            return
        new = self._window.after(self.position)
        while new and new[-1].revision > target:  # only if a commit came between the two calls
            new.pop()
        for group, events in self._groups.concerned(new).items():
            for watcher in list(group.members):
                if watcher not in group.members:
                    continue  # it paused or closed meanwhile
                if watcher.cursor > self.position:  # left over from a pass that broke off
                    self._fall_behind(watcher)
                    continue
                self._hand_over(watcher, events, target)
                budget -= 1
                if budget <= 0:
                    yield
                    budget = BURST

    def _catch_up(
        self, watcher: Watcher, target: int, cache: dict[tuple[Interest, int], tuple[list[Event], int]]
    ) -> None:
        interest = watcher.group.interest
        at = (interest, watcher.cursor)
        if at not in cache:
            found = self._window.after(watcher.cursor, CATCH_UP)
            reached = found[-1].revision if found else target
            if reached > target:
                found = [event for event in found if event.revision <= target]
                reached = target
            cache[at] = select(found, *interest), reached
        events, reached = cache[at]
        if events:
            self._hand_over(watcher, events, reached)
        else:
            watcher.cursor = reached

    def _hand_over(self, watcher: Watcher, events: Sequence[Event], revision: int) -> None:
        watcher.cursor = revision
        delivered = False
        try:
            watcher.sink.deliver(events, revision)
            delivered = True
        finally:
            if not delivered:
                watcher.close()

    def _fall_behind(self, watcher: Watcher) -> None:
        self.leave(watcher)
        self.lagging[watcher] = None

    def _fallen(self, watcher: Watcher) -> bool:
        """Whether `watcher` has lost its place; tells it so."""
        if watcher.cursor >= self._window.base:
            return False
        watcher.close()
        watcher.sink.lost(Compacted(self._window.base))
        return True

    def _join(self, watcher: Watcher) -> None:
        del self.lagging[watcher]
        watcher.group = group = self._groups.add(watcher.group)
        group.members[watcher] = None
