"""The shared cache of decoded states."""

from __future__ import annotations

from kubelite.api import codec
from kubelite.api.scheme import Scheme
from kubelite.apiserver.entries import EntryCache
from kubelite.store.store import Record
from tests.apiserver.registries import config

RESOURCE = Scheme().resource("", "v1", "configmaps")
STORED = codec.encode_stored(config(a="1"))


def record(revision: int) -> Record:
    return Record(
        key="/registry/configmaps/default/settings", value=STORED, create_revision=1, mod_revision=revision, version=1
    )


def test_one_state_is_one_entry_and_one_object() -> None:
    cache = EntryCache()
    entry = cache.of(RESOURCE, record(3))
    assert cache.of(RESOURCE, record(3)) is entry
    assert entry.object is cache.of(RESOURCE, record(3)).object
    assert cache.of(RESOURCE, record(4)) is not entry


def test_object_about_to_be_written_is_not_decoded() -> None:
    cache = EntryCache()
    written = config(a="1")
    cache.expect(record(3).key, STORED, written)
    found = cache.of(RESOURCE, record(3)).object
    cache.forget(record(3).key)
    assert found.data is written.data
    assert found.metadata.resource_version == "3"


def test_deleted_state_is_shown_at_the_revision_of_its_deletion() -> None:
    cache = EntryCache()
    gone = cache.before(RESOURCE, record(3), 9)
    assert gone.revision == 9
    assert gone.object.metadata.resource_version == "9"
    assert cache.of(RESOURCE, record(3)).revision == 3


def test_oldest_entries_are_forgotten_first() -> None:
    cache = EntryCache(capacity=2)
    first, second = cache.of(RESOURCE, record(1)), cache.of(RESOURCE, record(2))
    cache.of(RESOURCE, record(3))
    assert cache.of(RESOURCE, record(2)) is second
    assert cache.of(RESOURCE, record(1)) is not first
