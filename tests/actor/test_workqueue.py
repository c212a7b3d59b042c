"""The work queue against a naive model: every key's state in one dict."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kubelite.actor.workqueue import WorkQueue

KEYS = st.sampled_from("abcd")


class WorkQueueMachine(RuleBasedStateMachine):
    """Model: `wanted` keys in the order they became takeable, `taken` keys, `later` times."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue()
        self.now = 0.0
        self.wanted: list[str] = []
        self.taken: set[str] = set()
        self.again: list[str] = []
        self.later: dict[str, float] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self._want(key)

    def _want(self, key: str) -> None:
        self.later.pop(key, None)
        if key in self.taken:
            if key not in self.again:
                self.again.append(key)
        elif key not in self.wanted:
            self.wanted.append(key)

    @rule(key=KEYS, delay=st.integers(1, 5))
    def add_at(self, key: str, delay: int) -> None:
        when = self.now + delay
        self.queue.add_at(key, when)
        if key not in self.wanted and key not in self.again:
            self.later[key] = min(when, self.later.get(key, when))

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        for key in sorted(
            (key for key, when in self.later.items() if when <= self.now), key=lambda k: (self.later[k], k)
        ):
            self._want(key)
        expected = self.wanted.pop(0) if self.wanted else None
        assert self.queue.take(self.now) == expected
        if expected is not None:
            self.taken.add(expected)

    @rule(key=KEYS)
    def done(self, key: str) -> None:
        if key in self.taken:
            self.taken.discard(key)
            self.queue.done(key)
            if key in self.again:
                self.again.remove(key)
                self.wanted.append(key)

    @invariant()
    def next_due_is_the_earliest_delay(self) -> None:
        assert self.queue.next_due() == (min(self.later.values()) if self.later else None)


TestWorkQueue = WorkQueueMachine.TestCase
