"""The bus under any order of watching, pausing, committing, compacting and turns of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from kubelite.store import watch
from kubelite.store.store import Compacted, Event, StoreError, Unavailable
from kubelite.store.watch import Bus, Watcher
from kubelite.store.window import Window

INTERESTS = [("/a", None), ("/b", None), ("/a/1", None), ("/a", "/b"), ("/a/", "/a0"), ("/", "0")]
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("commit"), st.lists(st.sampled_from(["/a", "/a/1", "/b"]), min_size=1, max_size=3, unique=True)
        ),
        st.tuples(st.just("watch"), st.tuples(st.sampled_from(INTERESTS), st.integers(-6, 2))),
        st.tuples(st.sampled_from(["pause", "resume", "close"]), st.integers(0, 9)),
        st.tuples(st.just("compact"), st.integers(0, 8)),
        st.tuples(st.just("turn"), st.none()),
    ),
    max_size=60,
)


@dataclass
class Seen:
    """A sink that checks what it gets against the whole history."""

    history: list[Event]
    interest: tuple[str, str | None]
    cursor: int
    watcher: Watcher | None = None
    over: bool = False
    events: list[Event] = field(default_factory=list)

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        assert not self.over
        assert self.watcher is None or not self.watcher.paused
        key, end = self.interest
        expected = [
            event
            for event in self.history
            if self.cursor < event.revision <= revision
            and (event.key == key if end is None else key <= event.key < end)
        ]
        assert list(events) == expected
        self.cursor = revision
        self.events += events

    def lost(self, error: StoreError) -> None:
        assert isinstance(error, Compacted)
        assert error.compact_revision > self.cursor
        self.over = True


async def play(steps: list[tuple[str, object]]) -> None:
    window, history = Window(), list[Event]()
    bus, sinks = Bus(window), list[Seen]()
    for name, argument in steps:
        if name == "commit":
            assert isinstance(argument, list)
            events = [Event(window.revision + 1, key, None, None) for key in argument]
            window.append(events)
            history += events
            bus.wake()
        elif name == "watch":
            assert isinstance(argument, tuple)
            interest: tuple[str, str | None] = argument[0]
            start = window.revision + argument[1] if argument[1] else 0
            sink = Seen(history, interest, (start or window.revision + 1) - 1)
            if start < 0 or (start and start <= window.base):
                with pytest.raises(Compacted):
                    bus.watch(interest[0], interest[1], sink, max(start, 0) or -1)
                continue
            sink.watcher = bus.watch(interest[0], interest[1], sink, start)
            sinks.append(sink)
        elif name == "compact":
            assert isinstance(argument, int)
            window.drop(max(window.base, window.revision - argument))
            bus.wake()
        elif name == "turn":
            await asyncio.sleep(0)
        elif sinks:
            assert isinstance(argument, int)
            sink = sinks[argument % len(sinks)]
            assert sink.watcher is not None
            getattr(sink.watcher, name)()
            sink.over = sink.over or name == "close"
    for sink in sinks:
        assert sink.watcher is not None
        sink.watcher.resume()
    while bus.behind or any(sink.watcher in bus.lagging for sink in sinks if sink.cursor < window.revision):
        await asyncio.sleep(0)
    for sink in sinks:
        assert sink.watcher is not None
        assert sink.over or sink.watcher.revision >= window.revision
        sink.deliver([], sink.watcher.revision) if not sink.over else None  # nothing that matched is missing


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_everybody_gets_everything_once_in_order(steps: list[tuple[str, object]]) -> None:
    asyncio.run(play(steps))


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two deliveries a turn, so that passes are interrupted everywhere."""
    monkeypatch.setattr(watch, "BURST", 2)
    monkeypatch.setattr(watch, "CATCH_UP", 2)


async def test_a_sink_that_raises_loses_its_watch_and_harms_nobody() -> None:
    class Broken(Seen):
        def deliver(self, events: Sequence[Event], revision: int) -> None:
            raise ZeroDivisionError

    errors: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: errors.append(type(context["exception"]).__name__)
    )
    window, history = Window(), list[Event]()
    bus = Bus(window)
    sinks = [(Broken if i == 3 else Seen)(history, ("/", "0"), 0) for i in range(8)]
    for sink in sinks:
        bus.watch("/", "0", sink, 0)
    await asyncio.sleep(0)
    for revision in (1, 2, 3):
        history.append(Event(revision, "/a", None, None))
        window.append(history[-1:])
        bus.wake()
        for _ in range(12):
            await asyncio.sleep(0)
    assert [len(sink.events) for sink in sinks] == [3, 3, 3, 0, 3, 3, 3, 3]
    assert errors == ["ZeroDivisionError"]


async def test_closing_tells_everybody() -> None:
    bus, told = Bus(Window()), list[StoreError]()

    class Told(Seen):
        def lost(self, error: StoreError) -> None:
            told.append(error)

    for _ in range(3):
        bus.watch("/", "0", Told([], ("/", "0"), 0), 0)
    await asyncio.sleep(0)
    bus.watch("/", "0", Told([], ("/", "0"), 0), 0).pause()
    bus.close(Unavailable("closed"))
    assert len(told) == 4
    assert bus.watchers() == []
