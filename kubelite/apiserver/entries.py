"""Entries shared by everybody: one per state of an object, so that each is decoded once and framed once.

Reads, lists and watches ask here for the `Entry` of a store record; the registry announces what it is about to write, so that
a state born in this process is never decoded at all. The cache forgets in the order of arrival and is bounded by count, like
the store's window of events: who asks for a forgotten state gets a new Entry, decoded again on demand.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kubelite.api import codec
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.interface import Change, Entry
from kubelite.store.store import Event, Record

#: Entries kept; about as many events as the store's window retains on a busy cluster.
CAPACITY = 16_384


class EntryCache:
    """(type, key, revision) → Entry. A negative revision marks the last state before the change of that revision."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: dict[tuple[type[Object], str, int], Entry] = {}
        self._expected: dict[str, tuple[bytes, Object]] = {}
        self._latest: tuple[Sequence[Event], Resource | None, tuple[Change, ...]] = ((), None, ())

    def of(self, resource: Resource, record: Record) -> Entry:
        """The object as `record` holds it."""
        place = (resource.type, record.key, record.mod_revision)
        if (found := self._entries.get(place)) is not None:
            return found
        obj: Object | None = None
        expected = self._expected.get(record.key)
        if expected is not None and expected[0] == record.value and type(expected[1]) is resource.type:
            metadata = replace(expected[1].metadata, resource_version=str(record.mod_revision))
            obj = replace(expected[1], metadata=metadata)
        stored = codec.present_form(resource.type, record.value)
        return self._keep(place, Entry(resource, stored, record.mod_revision, obj))

    def before(self, resource: Resource, record: Record, revision: int) -> Entry:
        """The last state of an object, as the deletion at `revision` shows it."""
        place = (resource.type, record.key, -revision)
        if (found := self._entries.get(place)) is not None:
            return found
        return self._keep(place, Entry(resource, codec.present_form(resource.type, record.value), revision))

    def changes(self, resource: Resource, events: Sequence[Event]) -> tuple[Change, ...]:
        """The events as changes of `resource`. Watchers in step get the same sequence from the store and share its changes."""
        known, about, changes = self._latest
        if known is not events or about is not resource:
            changes = tuple(self._change(resource, event) for event in events)
            self._latest = (events, resource, changes)
        return changes

    def _change(self, resource: Resource, event: Event) -> Change:
        if event.record is not None:
            return Change("ADDED" if event.prev is None else "MODIFIED", self.of(resource, event.record))
        assert event.prev is not None  # a deletion has something to delete
        return Change("DELETED", self.before(resource, event.prev, event.revision))

    def expect(self, key: str, stored: bytes, obj: Object) -> None:
        """`obj` is about to be written as `stored`; to be followed by `forget`."""
        self._expected[key] = (stored, obj)

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)

    def forget_type(self, type_: type[Object]) -> None:
        """The objects of a custom kind look otherwise from now on."""
        for place in [place for place in self._entries if place[0] is type_]:
            del self._entries[place]
        self._latest = ((), None, ())

    def _keep(self, place: tuple[type[Object], str, int], entry: Entry) -> Entry:
        if len(self._entries) >= self._capacity:
            del self._entries[next(iter(self._entries))]
        self._entries[place] = entry
        return entry
