"""Objects and bytes."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace

from kubelite.api import codec, decode
from kubelite.api.core_v1 import ConfigMap
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.api.scheme import BUILT_IN

from .objects import plain_objects

_SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)


@_SLOW
@given(st.data())
def test_a_stored_object_comes_back_at_its_revision(data: st.DataObject) -> None:
    type_ = data.draw(st.sampled_from([resource.type for resource in BUILT_IN]))
    obj = decode.decode_object(type_, data.draw(plain_objects(type_)))
    if not obj.metadata.name:
        obj = replace(obj, metadata=replace(obj.metadata, name="a"))
    stored = codec.encode_stored(obj)
    assert codec.decode_stored(type_, stored, 7) == replace(obj, metadata=replace(obj.metadata, resource_version="7"))
    assert codec.encode_stored(codec.decode_stored(type_, stored, 8)) == stored
    assert msgspec.json.decode(codec.encode(obj)) == codec.to_builtins(obj)


def test_kind_and_version_stand_at_the_front() -> None:
    stored = codec.encode_stored(ConfigMap(metadata=ObjectMeta(name="a", resource_version="3")))
    assert codec.splice(stored, 9) == b'{"metadata":{"resourceVersion":"9","name":"a"}}'
    assert codec.encode(DeleteOptions()) == b'{"kind":"DeleteOptions","apiVersion":"v1"}'
    assert list(codec.to_builtins(ConfigMap()))[:2] == ["kind", "apiVersion"]
