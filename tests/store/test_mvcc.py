"""mvcc, keys and window against a naive model that keeps every version in a list."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kubelite.store import mvcc
from kubelite.store.keys import Keys
from kubelite.store.store import Compare, Delete, Event, Get, Put, Range, Record, Txn
from kubelite.store.window import Window

KEYS = st.sampled_from([f"/{letter}/{n}" for letter in "abc" for n in range(4)] + ["/a", "/b/", "/c0"])
OPS = st.lists(
    st.one_of(
        st.builds(Put, KEYS, st.binary(max_size=3)),
        st.builds(Delete, KEYS, st.none() | KEYS),
        st.builds(Get, KEYS, st.none() | KEYS, st.integers(0, 3)),
    ),
    max_size=4,
).map(tuple)
COMPARES = st.lists(
    st.one_of(
        st.builds(
            Compare, KEYS, st.sampled_from(["mod_revision", "version"]), st.sampled_from("=<>"), st.integers(0, 5)
        ),
        st.builds(Compare, KEYS, st.just("value"), st.sampled_from(["=", "!="]), st.binary(max_size=1)),
    ),
    max_size=2,
).map(tuple)


@dataclass
class Model:
    """Every version of every key, and every state there ever was."""

    versions: dict[str, list[Record | None]] = field(default_factory=dict)
    states: list[dict[str, Record]] = field(default_factory=lambda: [{}])

    def write(self, events: list[Event]) -> None:
        state = dict(self.states[-1])
        for event in events:
            assert event.prev == state.pop(event.key, None)
            if event.record is not None:
                state[event.key] = event.record
            self.versions.setdefault(event.key, []).append(event.record)
        self.states.append(state)

    def range(self, revision: int, key: str, end: str | None) -> list[Record]:
        inside = [k for k in self.states[revision] if (k == key if end is None else key <= k < end)]
        return [self.states[revision][k] for k in sorted(inside)]


@dataclass
class World:
    keys: Keys
    window: Window
    model: Model


class Histories(RuleBasedStateMachine):
    """A family of branches; each must agree with its own model, whatever its relatives do."""

    worlds: Bundle[World] = Bundle("worlds")

    def __init__(self) -> None:
        super().__init__()
        self.all: list[World] = []

    @rule(target=worlds)
    def begin(self) -> World:
        return self._add(World(Keys(), Window(), Model()))

    @rule(target=worlds, world=worlds)
    def fork(self, world: World) -> World:
        model = Model({key: list(old) for key, old in world.model.versions.items()}, list(world.model.states))
        return self._add(World(world.keys.copy(), world.window.copy(), model))

    @rule(target=worlds, world=worlds, data=st.data())
    def rewind(self, world: World, data: st.DataObject) -> World:
        revision = data.draw(st.integers(world.window.base, world.window.revision))
        keys, window = world.keys.copy(), world.window.copy()
        mvcc.rewind(keys, window.truncate(revision))
        assert window.revision == revision
        return self._add(World(keys, window, Model({}, world.model.states[: revision + 1])))

    @rule(world=worlds, compare=COMPARES, success=OPS, failure=OPS)
    def txn(
        self, world: World, compare: tuple[Compare, ...], success: tuple[Put, ...], failure: tuple[Put, ...]
    ) -> None:
        before, revision = dict(world.model.states[-1]), world.window.revision
        try:
            succeeded, events, results = mvcc.run(world.keys, Txn(compare, success, failure), revision)
        except ValueError:
            assert {r.key: r for r in world.keys.select("", "\U0010ffff")} == before
            return
        assert succeeded == all(mvcc.holds(c, before.get(c.key)) for c in compare)
        assert len(results) == len(success if succeeded else failure)
        assert all(event.revision == revision + 1 for event in events)
        if events:
            for event in events:
                old = before.get(event.key)
                if event.record is not None:
                    assert event.record.version == (old.version + 1 if old else 1)
                    assert event.record.create_revision == (old.create_revision if old else revision + 1)
            world.model.write(events)
            world.window.append(events)

    @rule(world=worlds, key=KEYS, end=st.none() | KEYS, limit=st.integers(0, 3), data=st.data())
    def read(self, world: World, key: str, end: str | None, limit: int, data: st.DataObject) -> None:
        revision = data.draw(st.integers(world.window.base, world.window.revision))
        found = mvcc.read(world.keys, world.window, Get(key, end, limit), revision)
        expected = world.model.range(revision, key, end)
        cut = bool(limit) and len(expected) > limit
        assert found == Range(tuple(expected[:limit] if cut else expected), revision, len(expected), cut)

    @rule(world=worlds, data=st.data())
    def compact(self, world: World, data: st.DataObject) -> None:
        window = world.window
        revision = data.draw(st.integers(window.base, window.revision))
        dropped = window.drop(revision)
        assert all(event.revision <= revision for event in dropped)

    @rule(world=worlds, data=st.data(), limit=st.integers(0, 4))
    def watch(self, world: World, data: st.DataObject, limit: int) -> None:
        """Replaying from any cursor, in pieces of any size, gives the present; nothing is skipped or repeated."""
        cursor = data.draw(st.integers(world.window.base, world.window.revision))
        state, revisions, at = dict(world.model.states[cursor]), [], cursor
        while events := world.window.after(at, limit):
            at = events[-1].revision
            for event in events:
                state.pop(event.key, None)
                if event.record is not None:
                    state[event.key] = event.record
                revisions.append(event.revision)
        assert state == world.model.states[-1]
        assert sorted(set(revisions)) == list(range(cursor + 1, world.window.revision + 1))

    @invariant()
    def no_write_leaks(self) -> None:
        for world in self.all:
            assert world.keys.select("", "\U0010ffff") == world.model.range(-1, "", "\U0010ffff")
            assert len(world.keys) == len(world.model.states[-1]) == world.keys.count("", "\U0010ffff")
            events = world.window.after(world.window.base)
            assert world.window.count == len(events)
            assert world.window.revision == len(world.model.states) - 1

    def _add(self, world: World) -> World:
        self.all.append(world)
        return world


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and chunks of two, so that few steps meet every split."""
    monkeypatch.setattr("kubelite.store.keys.BLOCK", 2)
    monkeypatch.setattr("kubelite.store.window.CHUNK", 2)


def test_every_history_agrees_with_the_model() -> None:
    run_state_machine_as_test(Histories, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))
