"""What all objects share."""

from __future__ import annotations

import msgspec
import pytest

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import ObjectMeta, OwnerReference, controlled_by, controller_of
from kubelite.api.shapes import fields_of


def test_objects_are_values() -> None:
    pod = Pod(metadata=ObjectMeta(name="a"))
    assert pod == Pod(metadata=ObjectMeta(name="a"))
    with pytest.raises(AttributeError):
        pod.metadata.name = "b"  # type: ignore[misc]  # what must fail


def test_what_go_omits_when_empty_is_left_out() -> None:
    assert msgspec.to_builtins(ObjectMeta(name="a", labels={})) == {"name": "a"}
    assert msgspec.to_builtins(OwnerReference()) == {"apiVersion": "", "kind": "", "name": "", "uid": ""}


def test_the_controller_among_the_owners_is_found() -> None:
    owner = Pod(metadata=ObjectMeta(name="o", uid="u"))
    reference = controlled_by(owner)
    assert (reference.kind, reference.api_version, reference.uid) == ("Pod", "v1", "u")
    meta = ObjectMeta(owner_references=(OwnerReference(uid="x"), reference))
    assert controller_of(meta) is reference
    assert controller_of(ObjectMeta()) is None


def test_merge_rules_are_read_from_annotations() -> None:
    fields = fields_of(ObjectMeta)
    assert fields["ownerReferences"].merge.merge_key == "uid"
    assert fields["finalizers"].merge.list_type == "set"
    assert not fields["labels"].is_pointer and fields["deletionTimestamp"].is_pointer
