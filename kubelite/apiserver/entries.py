"""Entries shared by everybody: one per state of an object, so that each is decoded once and framed once.

Reads, lists and watches ask here for the `Entry` of a store record; the registry announces what it is about to write, so that
a state born in this process is never decoded at all. The cache forgets in the order of arrival and is bounded by count, like
the store's window of events: who asks for a forgotten state gets a new Entry, decoded again on demand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from kubelite.api import codec
from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.interface import Change, Entry
from kubelite.store.store import Event, Record

#: Entries kept; about as many events as the store's window retains on a busy cluster.
CAPACITY = 16_384


class Converter(Protocol):
    """Makes one version of a custom kind's objects of another by asking somebody else."""

    async def present(self, resource: Resource, stored: Sequence[bytes]) -> list[bytes]: ...
    async def store(self, obj: CustomObject, shown: bytes) -> bytes:
        """What the store is to keep."""

    def start(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs it soon. Raises: ServiceUnavailable."""


def is_converted(resource: Resource) -> bool:
    """Whether somebody must be asked for objects of this version."""
    type_ = resource.type
    return issubclass(type_, CustomObject) and type_.definition.conversion is not None


class EntryCache:
    """(type, key, revision) → Entry. A negative revision marks the last state before the change of that revision."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        # a plain dict would look for its first entry past all those that were deleted before it
        self._entries: OrderedDict[tuple[type[Object], str, int], Entry] = OrderedDict()
        self._expected: dict[str, tuple[bytes, Object]] = {}
        self._latest: tuple[Sequence[Event], Resource | None, tuple[Change, ...]] = ((), None, ())
        self.converter: Converter | None = None

    async def load(self, resource: Resource, records: Sequence[Record]) -> list[Entry]:
        """The objects as the records hold them, converted where that takes asking. Raises: StatusError."""
        if self.converter is None or not is_converted(resource):
            return [self.of(resource, record) for record in records]
        places = [(resource.type, record.key, record.mod_revision) for record in records]
        missing = [at for at, place in enumerate(places) if place not in self._entries]
        loaded = {at: self._entries[place] for at, place in enumerate(places) if place in self._entries}
        if missing:
            made = await self.converter.present(resource, [records[at].value for at in missing])
            for at, stored in zip(missing, made, strict=True):
                is_stale = _is_stale(resource, records[at])
                entry = Entry(resource, stored, records[at].mod_revision, is_stale=is_stale)
                loaded[at] = self._keep(places[at], entry)
        return [loaded[at] for at in range(len(records))]

    async def converted(self, obj: Any, resource: Resource) -> Any:
        """`obj` in the version of `resource`. Raises: StatusError."""
        stored = await self.stored_form(obj, codec.encode_stored(obj))
        if self.converter is not None and is_converted(resource):
            (shown,) = await self.converter.present(resource, [stored])
        else:
            shown = codec.present_form(resource.type, stored)
        made = codec.decode_stored(resource.type, shown, 0)
        return replace(made, metadata=replace(made.metadata, resource_version=obj.metadata.resource_version))

    async def stored_form(self, obj: Any, shown: bytes) -> bytes:
        """What the store keeps of `obj`, whose own encoding is `shown`. Raises: StatusError."""
        if self.converter is not None and isinstance(obj, CustomObject) and type(obj).definition.conversion is not None:
            return await self.converter.store(obj, shown)
        return codec.stored_form(obj, shown)

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
        is_stale = _is_stale(resource, record)
        return self._keep(place, Entry(resource, stored, record.mod_revision, obj, is_stale=is_stale))

    def before(self, resource: Resource, record: Record, revision: int) -> Entry:
        """The last state of an object, as the deletion at `revision` shows it."""
        place = (resource.type, record.key, -revision)
        if (found := self._entries.get(place)) is not None:
            return found
        loaded = self._entries.get((resource.type, record.key, record.mod_revision))
        stored = loaded.stored if loaded is not None else codec.present_form(resource.type, record.value)
        return self._keep(place, Entry(resource, stored, revision))

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
            self._entries.popitem(last=False)
        self._entries[place] = entry
        return entry


def _is_stale(resource: Resource, record: Record) -> bool:
    type_ = resource.type
    if not issubclass(type_, CustomObject) or not type_.definition.has_versions:
        return False
    return codec.version_of(type_, record.value) != type_.definition.stored_version
