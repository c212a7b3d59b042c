"""Checks a recorded history of concurrent clients: linearizable single-key compare-and-swap, and watches that tell all of it.

Every write knows its revision, so the order is given; what is left to check is that it agrees with real time, with what each
swap expected, with what each read saw, and with what each watch delivered. `None` as a revision is an operation whose outcome
its client does not know: it may be in the history once, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Write:
    """`value` replaced the version of `key` at revision `expected` (0: none); values are unique."""

    key: str
    value: bytes
    expected: int
    revision: int | None
    began: int
    ended: int


@dataclass(frozen=True)
class Read:
    """What `key` held (revision 0: nothing)."""

    key: str
    value: bytes
    revision: int
    began: int
    ended: int


@dataclass
class History:
    """`began` and `ended` are ticks of one counter. `watches` are what each watcher got, as (revision, key, value), in order.

    Each begins with the event after `first - 1`, and is complete up to `last`.
    """

    first: int
    last: int
    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    watches: list[list[tuple[int, str, bytes]]] = field(default_factory=list)


def violations(history: History) -> list[str]:
    """What is wrong; empty when nothing."""
    found = [text for watch in history.watches for text in _watch_violations(history, watch)]
    if history.watches and any(watch != history.watches[0] for watch in history.watches):
        found.append("two watches were told different histories")
    told = {revision: (key, value) for revision, key, value in history.watches[0]}
    known = [write for write in history.writes if write.revision is not None]
    if len({write.revision for write in known}) < len(known):
        found.append("two writes were acknowledged at one revision")
    unknown = {(write.key, write.value): write for write in history.writes if write.revision is None}
    for write in known:
        assert write.revision is not None
        if told.get(write.revision) != (write.key, write.value):
            found.append(f"the acknowledged write of {write.value!r} at {write.revision} was not told")
    acknowledged = {write.revision for write in known}
    for revision, event in told.items():
        if revision not in acknowledged and event not in unknown:
            found.append(f"nobody wrote {event} at {revision}")
    found += _swap_violations(told, known)
    found += _order_violations([(write.revision or 0, write.began, write.ended) for write in known])
    found += _read_violations(history, told, known)
    return found


def _watch_violations(history: History, watch: list[tuple[int, str, bytes]]) -> Iterator[str]:
    revisions = [revision for revision, _, _ in watch]
    if len(set(revisions)) < len(revisions):
        yield "an event was delivered twice"
    if revisions != sorted(revisions):
        yield "events were delivered out of order"
    if set(range(history.first, history.last + 1)) - set(revisions):
        yield "an event was never delivered"


def _swap_violations(told: dict[int, tuple[str, bytes]], known: Iterable[Write]) -> Iterator[str]:
    expected = {write.revision: write.expected for write in known}
    newest: dict[str, int] = {}
    for revision, (key, _) in sorted(told.items()):
        if expected.get(revision, newest.get(key, 0)) != newest.get(key, 0):
            yield f"the swap at {revision} replaced {newest.get(key, 0)} instead of {expected[revision]}"
        newest[key] = revision


def _order_violations(operations: list[tuple[int, int, int]]) -> Iterator[str]:
    """Of (revision, began, ended): what ended before another began has the lower revision."""
    newest_ended = 0
    ended = sorted((end, revision) for revision, _, end in operations)
    at = 0
    for revision, began, _ in sorted(operations, key=lambda operation: operation[1]):
        while at < len(ended) and ended[at][0] < began:
            newest_ended = max(newest_ended, ended[at][1])
            at += 1
        if revision < newest_ended:
            yield f"revision {revision} was written after {newest_ended} had been acknowledged"


def _read_violations(history: History, told: dict[int, tuple[str, bytes]], known: list[Write]) -> Iterator[str]:
    began = {write.revision: write.began for write in known}
    for read in history.reads:
        if read.revision and told.get(read.revision) != (read.key, read.value):
            yield f"a read saw {read.value!r} at {read.revision}, which nobody wrote there"
        if began.get(read.revision, 0) > read.ended:
            yield f"a read saw revision {read.revision} before it was asked for"
        if any(w.key == read.key and w.ended < read.began and (w.revision or 0) > read.revision for w in known):
            yield f"a read of {read.key} saw {read.revision} after a later write had been acknowledged"
