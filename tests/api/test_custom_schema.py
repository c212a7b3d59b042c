"""Pruning, nulls, defaults and embedded metadata."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kubelite.api.custom_schema import prune, unknown_fields, well_formed, with_defaults, without_nulls
from kubelite.api.errors import BadRequest
from tests.api.custom_kinds import SCHEMA, widget, widgets

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("spec", "size", "free", "a")), inner),
    max_leaves=12,
)


def test_defaults_come_after_pruning_and_nulls() -> None:
    (type_,) = widgets()
    obj = widget(type_, size=3, junk="x", maybe=None, colour=None, replicas=None, free={"any": [1, {"x": None}]})
    assert obj.spec == {"size": 3, "maybe": None, "colour": "red", "free": {"any": [1, {"x": None}]}, "nest": {"a": 7}}


def test_embedded_objects_keep_proper_metadata_only() -> None:
    (type_,) = widgets()
    embedded = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e", "junk": 1}, "data": {"a": "b"}}
    assert widget(type_, size=1, embed=embedded).spec["embed"] == {**embedded, "metadata": {"name": "e"}}
    with pytest.raises(BadRequest, match=r"spec\.embed\.metadata: Invalid value"):
        widget(type_, size=1, embed={**embedded, "metadata": {"labels": 3}})


def test_a_default_is_filled_into_what_a_default_brought() -> None:
    assert with_defaults({"spec": {}}, SCHEMA) == {"spec": {"colour": "red", "nest": {"a": 7}}}


def test_values_of_maps_are_pruned_by_the_schema_of_all_values() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    unknown: list[str] = []
    assert prune({"x": {"a": 1, "b": 2}}, schema, "", unknown) == {"x": {"a": 1}}
    assert unknown == ["x.b"]


@given(JSON)
def test_the_form_is_reached_in_one_step_and_nothing_given_is_changed(value: Any) -> None:
    (type_,) = widgets()
    content = {"spec": value}
    before = repr(content)
    once = well_formed(type_, content)
    assert well_formed(type_, once) == once
    assert unknown_fields(type_, once) == []
    assert repr(content) == before


@given(JSON)
def test_removing_nulls_and_pruning_leave_no_misplaced_null(value: Any) -> None:
    kept = without_nulls(prune({"spec": value}, SCHEMA), SCHEMA)
    if isinstance(kept.get("spec"), dict):
        assert kept["spec"].get("size", 0) is not None
