"""What a transaction does and what a read answers, **pure**: functions of the keys, the window and a request.

Only here live the rules of comparing, of versions and revisions, and of reading the past. Nothing here waits, persists or
tells anybody. A read of the past is the present rolled back: every event in the window holds what it replaced, so the first
event after the wanted revision says what a key held then.

Source: https://etcd.io/docs/v3.5/learning/api/ (Transaction, Range); server/etcdserver/apply (an absent key's value never
compares; a transaction that writes a key twice is refused).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kubelite.store.keys import Keys
from kubelite.store.store import Compare, Delete, Event, Get, Op, Put, Range, Record, Txn
from kubelite.store.window import Window


def run(keys: Keys, txn: Txn, revision: int) -> tuple[bool, list[Event], tuple[Range, ...]]:
    """Runs `txn` on `keys`, which it changes; `revision` is the newest so far.

    Returns whether the comparisons held, the events (all of revision + 1; none if nothing was written), and the results.
    Raises: ValueError when a key would be written twice (`keys` is then as before).
    """
    succeeded = True
    for compare in txn.compare:
        if not holds(compare, keys.get(compare.key)):
            succeeded = False
            break
    ops = txn.success if succeeded else txn.failure
    if len(ops) > 1:
        _refuse_double_writes(ops)
    events: list[Event] = []
    answers: list[tuple[Sequence[Record], int, bool]] = []
    for op in ops:
        if type(op) is Put:
            event = _put(keys, op, revision + 1, txn.cause)
            events.append(event)
            assert event.record is not None
            answers.append(((event.record,), 1, False))
        elif type(op) is Delete:
            gone = keys.select(op.key, op.end)
            for record in gone:
                keys.remove(record.key)
                events.append(Event(revision + 1, record.key, None, record, txn.cause))
            answers.append((gone, len(gone), False))
        else:
            assert type(op) is Get
            answers.append(_page(keys, op.key, op.end, op.limit))
    now = revision + 1 if events else revision
    return succeeded, events, tuple([Range(tuple(found), now, count, more) for found, count, more in answers])


def read(keys: Keys, window: Window, request: Get, revision: int) -> Range:
    """[key, end) as of `revision`, which the window must reach back to; its end is the revision of `keys`."""
    if revision == window.revision:
        return read_present(keys, request.key, request.end, request.limit, revision)
    then: dict[str, Record | None] = {}
    for event in window.since(revision, request.key, request.end):
        then.setdefault(event.key, event.prev)
    enough = request.limit + len(then) if request.limit else 0
    rolled: dict[str, Record | None] = {record.key: record for record in keys.select(request.key, request.end, enough)}
    rolled.update(then)
    records = [record for _, record in sorted(rolled.items()) if record is not None]
    added = sum((prev is not None) - (keys.get(key) is not None) for key, prev in then.items())
    count = keys.count(request.key, request.end) + added
    more = bool(request.limit) and count > request.limit
    return Range(tuple(records[: request.limit] if more else records), revision, count, more)


def read_present(keys: Keys, key: str, end: str | None, limit: int, revision: int) -> Range:
    """[key, end), or `key` alone, as `keys` holds it, which are at `revision`."""
    if end is None:
        record = keys.get(key)
        return Range((), revision, 0, False) if record is None else Range((record,), revision, 1, False)
    found, count, more = _page(keys, key, end, limit)
    return Range(tuple(found), revision, count, more)


def replay(keys: Keys, events: Sequence[Event]) -> None:
    """Brings `keys` to the revision of the last of `events`."""
    for event in events:
        if event.record is not None:
            keys.put(event.record)
        else:
            keys.remove(event.key)


def rewind(keys: Keys, events: Sequence[Event]) -> None:
    """Brings `keys` back to before `events`, which are in order."""
    for event in reversed(events):
        if event.prev is not None:
            keys.put(event.prev)
        else:
            keys.remove(event.key)


def holds(compare: Compare, record: Record | None) -> bool:
    """Whether `record`, which `compare.key` holds, satisfies the condition."""
    operand: int | bytes = compare.operand
    if compare.target == "value":
        if record is None:
            return False
        actual: int | bytes = record.value
    else:
        actual = 0 if record is None else getattr(record, compare.target)
    match compare.op:
        case "=":
            return actual == operand
        case "!=":
            return actual != operand
        case "<":
            return actual < operand  # type: ignore[operator]  # both are numbers, or both are bytes
        case ">":
            return actual > operand  # type: ignore[operator]  # as above


def _put(keys: Keys, op: Put, revision: int, cause: str) -> Event:
    prev = keys.get(op.key)
    if prev is None:
        record = Record(op.key, op.value, revision, revision, 1, op.lease, cause)
    else:
        record = Record(op.key, op.value, prev.create_revision, revision, prev.version + 1, op.lease, cause)
    keys.put(record)
    return Event(revision, op.key, record, prev, cause)


def _page(keys: Keys, key: str, end: str | None, limit: int) -> tuple[Sequence[Record], int, bool]:
    found = keys.select(key, end, limit)
    if not limit:
        return found, len(found), False
    count = keys.count(key, end)
    return found[:limit], count, count > limit


def _refuse_double_writes(ops: Sequence[Op]) -> None:
    puts = [op.key for op in ops if isinstance(op, Put)]
    deletes = [(op.key, op.end or op.key + "\0") for op in ops if isinstance(op, Delete)]
    if len(set(puts)) < len(puts):
        raise ValueError("duplicate key given in a transaction")
    deletes.sort()
    for (_, end), (start, _) in pairwise(deletes):
        if start < end:
            raise ValueError("overlapping deletes given in a transaction")
    if any(start <= key < end for key in puts for start, end in deletes):
        raise ValueError("a transaction puts and deletes the same key")
