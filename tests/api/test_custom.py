"""Custom kinds are objects like any other: encoded, decoded, patched and owned field by field."""

from __future__ import annotations

import msgspec
import pytest

from kubelite.api import codec, decode
from kubelite.api.apply import apply
from kubelite.api.custom import at_path
from kubelite.api.errors import BadRequest, Conflict, Invalid
from kubelite.api.patch import apply_patch
from tests.api.custom_kinds import SCHEMA, version, widget, widgets


def test_an_object_comes_back_from_the_store_as_it_was() -> None:
    (type_,) = widgets()
    obj = widget(type_, size=3, free={"any": [1, None]})
    found = codec.decode_stored(type_, codec.encode_stored(obj), 7)
    assert (found.metadata.resource_version, found.content) == ("7", obj.content)
    assert found.spec["size"] == 3


def test_the_order_of_keys_makes_no_other_object() -> None:
    (type_,) = widgets()
    one, two = widget(type_, size=3, replicas=1), widget(type_, replicas=1, size=3)
    assert codec.encode_stored(one) == codec.encode_stored(two)


def test_the_wire_form_says_what_it_is_first() -> None:
    (type_,) = widgets()
    assert codec.encode(widget(type_, size=1)).startswith(
        b'{"kind":"Widget","apiVersion":"example.com/v1","metadata":{'
    )


def test_what_was_stored_by_one_version_is_read_by_the_schema_of_another() -> None:
    small = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    one, two = widgets(version(), version("v2", small, storage=False))
    stored = codec.present_form(two, codec.encode_stored(widget(one, size=3)))
    assert codec.decode_stored(two, stored, 7).content == {"spec": {"size": 3}}


@pytest.mark.parametrize(
    ("head", "error", "text"),
    [
        ({"apiVersion": "example.com/v2", "kind": "Widget"}, BadRequest, "does not match the expected API version"),
        ({"apiVersion": "example.com/v1", "kind": "Gadget"}, Invalid, 'kind: Invalid value: "Gadget": must be Widget'),
        ({"kind": "Widget"}, BadRequest, "Object 'apiVersion' is missing"),
        ({"apiVersion": "example.com/v1"}, BadRequest, "Object 'Kind' is missing"),
    ],
)
def test_an_object_must_say_what_it_is(head: dict[str, str], error: type[Exception], text: str) -> None:
    (type_,) = widgets()
    with pytest.raises(error, match=text):
        decode.decode_object(type_, {**head, "metadata": {"name": "w"}})


def test_strict_errors_name_unknown_fields_of_metadata_and_content() -> None:
    (type_,) = widgets()
    plain = {
        "metadata": {"name": "w", "odd": 1},
        "spec": {"size": 1, "junk": 1, "parts": [{"id": "a", "b": 1}]},
        "x": 1,
    }
    assert decode.strict_errors(type_, plain) == [
        'unknown field "metadata.odd"',
        'unknown field "spec.junk"',
        'unknown field "spec.parts[0].b"',
        'unknown field "x"',
    ]


def test_a_merge_patch_removes_by_null() -> None:
    (type_,) = widgets()
    plain = apply_patch(
        "merge", codec.to_builtins(widget(type_, size=3, replicas=1)), {"spec": {"replicas": None}}, type_
    )
    assert decode.decode_object(type_, plain).spec == {"size": 3, "colour": "red", "nest": {"a": 7}}


def test_appliers_own_items_of_keyed_lists_and_of_sets() -> None:
    (type_,) = widgets()
    first = {**HEAD, "spec": {"size": 1, "parts": [{"id": "x", "v": 1}], "tags": ["a"]}}
    live = decode.decode_object(type_, apply(None, first, type_, manager="one", now=0.0))
    second = {**HEAD, "spec": {"parts": [{"id": "y", "v": 2}], "tags": ["b"]}}
    both = decode.decode_object(type_, apply(live, second, type_, manager="two", now=0.0))
    assert both.spec["parts"] == [{"id": "x", "v": 1}, {"id": "y", "v": 2}]
    assert both.spec["tags"] == ["a", "b"]
    with pytest.raises(Conflict, match=r'conflict with "one": \.spec\.parts\[id="x"\]\.v'):
        apply(both, {**HEAD, "spec": {"parts": [{"id": "x", "v": 9}]}}, type_, manager="two", now=0.0)


def test_appliers_own_the_parts_of_undeclared_maps() -> None:
    (type_,) = widgets()
    first = {**HEAD, "spec": {"size": 1, "free": {"a": {"b": 1}}}}
    live = decode.decode_object(type_, apply(None, first, type_, manager="one", now=0.0))
    both = apply(live, {**HEAD, "spec": {"free": {"a": {"c": 2}}}}, type_, manager="two", now=0.0)
    assert both["spec"]["free"] == {"a": {"b": 1, "c": 2}}


HEAD = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}


def test_a_path_finds_nothing_where_nothing_is() -> None:
    assert at_path({"spec": {}}, ".spec.size") is None
    assert at_path({"spec": 3}, ".spec.size") is None


def test_a_changed_schema_changes_the_version_that_clients_see() -> None:
    (one,), (two,) = widgets(), widgets(version(schema={**SCHEMA, "description": "Other."}))
    assert one.definition.etag != two.definition.etag
    assert msgspec.json.encode(one.definition.schema) != msgspec.json.encode(two.definition.schema)
