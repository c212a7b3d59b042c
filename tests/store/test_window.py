"""The window's arithmetic at its edges; its histories are in test_mvcc."""

from __future__ import annotations

from hypothesis import given, strategies as st

from kubelite.store.store import Event, Record
from kubelite.store.window import CHUNK, EVENT_BYTES, Window


def event(revision: int, size: int = 0) -> Event:
    return Event(revision, "k", Record("k", b"x" * size, 1, revision, revision), None)


def filled(revisions: int, size: int = 0) -> Window:
    window = Window()
    for revision in range(1, revisions + 1):
        window.append([event(revision, size)])
    return window


def test_the_base_is_the_compact_revision() -> None:
    window = filled(10)
    assert [gone.revision for gone in window.drop(4)] == [1, 2, 3, 4]
    assert (window.base, window.revision, window.count) == (4, 10, 6)
    assert [kept.revision for kept in window.after(4)] == [5, 6, 7, 8, 9, 10]


def test_dropping_everything_keeps_the_revision() -> None:
    window = filled(3)
    window.drop(3)
    assert (window.base, window.revision, window.after(3)) == (3, 3, [])
    window.append([event(4)])
    assert window.revision == 4


@given(st.integers(1, 4 * CHUNK), st.integers(0, 4 * CHUNK), st.integers(0, 5))
def test_what_is_left_after_dropping_the_excess_is_within_both_bounds(total: int, most: int, size: int) -> None:
    window = filled(total, size)
    window.drop(window.excess(most, most * (EVENT_BYTES + size)))
    assert window.count <= max(most, CHUNK)
    assert window.size_bytes == window.count * (EVENT_BYTES + size)
    assert len(window.after(window.base)) == window.count


def test_a_limit_never_cuts_a_revision() -> None:
    window = Window()
    for revision in range(1, 5):
        window.append([event(revision)] * 3)
    assert [found.revision for found in window.after(0, 2)] == [1, 1, 1]
    assert [found.revision for found in window.after(1, 4)] == [2, 2, 2, 3, 3, 3]
