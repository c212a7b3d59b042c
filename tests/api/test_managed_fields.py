"""Who manages which fields after creates and updates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace

from kubelite.api import decode, managed_fields as managed
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ConfigMap, Pod
from kubelite.api.meta import ManagedFieldsEntry, ObjectMeta

from .objects import plain_objects

_SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)


def _config(data: dict[str, str], old: ConfigMap | None = None) -> ConfigMap:
    entries = old.metadata.managed_fields if old else ()
    return ConfigMap(metadata=ObjectMeta(name="a", uid="u", managed_fields=entries), data=data)


def _owned(obj: Any) -> dict[str, Any]:
    return {f"{e.manager}/{e.operation}/{e.subresource}": e.fields_v1 for e in obj.metadata.managed_fields}


def test_a_creator_owns_all_it_set_with_the_maps_around() -> None:
    created = managed.update_managers(None, _config({"x": "1"}), manager="one", now=0.0)
    assert _owned(created) == {"one/Update/": {"f:data": {".": {}, "f:x": {}}}}
    assert created.metadata.managed_fields[0].time == "1970-01-01T00:00:00Z"


def test_an_updater_takes_what_it_changes_and_nobody_owns_what_is_gone() -> None:
    created = managed.update_managers(None, _config({"x": "1", "y": "1", "z": "1"}), manager="one", now=0.0)
    updated = managed.update_managers(created, _config({"x": "1", "y": "2"}, created), manager="two", now=5.0)
    assert _owned(updated) == {
        "one/Update/": {"f:data": {".": {}, "f:x": {}}},
        "two/Update/": {"f:data": {"f:y": {}}},
    }


def test_an_update_that_changes_nothing_keeps_the_entries() -> None:
    created = managed.update_managers(None, _config({"x": "1"}), manager="one", now=0.0)
    same = _config({"x": "1"}, created)
    assert managed.update_managers(created, same, manager="two", now=5.0) is same
    forgetful = _config({"x": "1"})
    kept = managed.update_managers(created, forgetful, manager="two", now=5.0)
    assert kept.metadata.managed_fields == created.metadata.managed_fields


def test_one_empty_entry_resets_and_an_untracked_object_stays_untracked() -> None:
    created = managed.update_managers(None, _config({"x": "1"}), manager="one", now=0.0)
    wanted = replace(created, metadata=replace(created.metadata, managed_fields=(ManagedFieldsEntry(),)))
    reset = managed.update_managers(created, wanted, manager="one", now=5.0)
    assert reset.metadata.managed_fields == ()
    later = managed.update_managers(reset, _config({"x": "2"}), manager="one", now=6.0)
    assert later.metadata.managed_fields == ()


def test_a_status_has_a_manager_of_its_own_that_owns_no_spec() -> None:
    created = managed.update_managers(
        None, decode.decode_object(Pod, b'{"spec":{"nodeName":"n"}}'), manager="one", now=0.0
    )
    changed = decode.decode_object(Pod, b'{"spec":{"nodeName":"m"},"status":{"phase":"Running"}}')
    changed = managed.update_managers(created, changed, manager="kubelet", now=1.0, subresource="status")
    assert _owned(changed)["kubelet/Update/status"] == {"f:status": {"f:phase": {}}}
    assert _owned(changed)["one/Update/"] == {"f:spec": {"f:nodeName": {}}}


def test_many_updaters_are_merged_into_one() -> None:
    obj = managed.update_managers(None, _config({"k0": "1"}), manager="m0", now=0.0)
    for index in range(1, 15):
        data = {f"k{i}": "1" for i in range(index + 1)}
        obj = managed.update_managers(obj, _config(data, obj), manager=f"m{index}", now=float(index))
    assert len(obj.metadata.managed_fields) == managed.MAX_UPDATE_MANAGERS
    owned = _owned(obj)
    assert set(owned["ancient-changes/Update/"]["f:data"]) == {".", *(f"f:k{i}" for i in range(6))}
    assert set(owned) == {"ancient-changes/Update/", *(f"m{i}/Update/" for i in range(6, 15))}


@pytest.mark.parametrize(
    "entry",
    [
        ManagedFieldsEntry(operation="Own", api_version="v1", fields_type="FieldsV1"),
        ManagedFieldsEntry(operation="Apply", fields_type="FieldsV1"),
        ManagedFieldsEntry(operation="Apply", api_version="v1", fields_type="FieldsV2"),
    ],
)
def test_an_entry_that_no_server_wrote_is_refused(entry: ManagedFieldsEntry) -> None:
    with pytest.raises(ValueError, match=r"operation|apiVersion|fieldsType"):
        managed.read_managers([entry])


@_SLOW
@given(plain_objects(Deployment))
def test_a_field_set_survives_its_written_form(plain: dict[str, Any]) -> None:
    fields = managed.field_set(plain, Deployment)
    assert managed.read_fields(managed.write_fields(fields)) == fields


@_SLOW
@given(plain_objects(Deployment), plain_objects(Deployment))
def test_a_comparison_is_empty_for_equals_and_turns_around(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not managed.compare(old, old, Deployment)
    there, back = managed.compare(old, new, Deployment), managed.compare(new, old, Deployment)
    assert (there.added, there.removed, there.modified) == (back.removed, back.added, back.modified)
    assert bool(there) == (old != new)


@given(st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"']), min_size=1, max_size=4).map(tuple)))
def test_any_set_of_paths_survives_its_written_form(fields: set[managed.Path]) -> None:
    assert managed.read_fields(managed.write_fields(fields)) == fields


def test_a_path_is_shown_with_its_keys() -> None:
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', "i:3")
    assert managed.text_of(path) == '.spec[containerPort=80,protocol="TCP"][="x"][3]'
