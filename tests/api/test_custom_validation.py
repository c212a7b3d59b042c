"""What is wrong with an object of a custom kind is said as upstream says it."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.custom_values import check_values
from kubelite.api.validation import validate, validate_update
from tests.api.custom_kinds import stored, widget, widgets

SIZE = {"size": 1}


def texts(**spec: Any) -> list[str]:
    (type_,) = widgets()
    return [str(error) for error in validate(stored(widget(type_, **spec)), namespaced=False)]


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 11}, "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
        ({"size": "x"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({**SIZE, "colour": "green"}, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"'),
        ({**SIZE, "name": "toolong"}, "spec.name: Too long: may not be more than 5 bytes"),
        ({**SIZE, "name": "A"}, "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'"),
        ({**SIZE, "tags": ["a", "b", "c"]}, "spec.tags: Too many: 3: must have at most 2 items"),
        ({**SIZE, "tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        (
            {**SIZE, "port": True},
            'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
        ),
        ({}, "spec.size: Required value"),
        ({**SIZE, "parts": [{"id": "x"}, {"id": "x"}]}, 'spec.parts[1]: Duplicate value: {"id":"x"}'),
        ({**SIZE, "parts": [{}]}, "spec.parts[0].id: Required value"),
        ({**SIZE, "replicas": -1}, ".spec.replicas: Invalid value: -1: should be a non-negative integer"),
    ],
)
def test_a_wrong_value_is_named(spec: dict[str, Any], wrong: str) -> None:
    assert texts(**spec) == [wrong]


def test_a_right_object_is_right() -> None:
    assert (
        texts(size=10, colour="blue", name="abc", port="http", maybe=None, tags=["a", "b"], parts=[{"id": "x"}]) == []
    )


def test_an_embedded_object_says_what_it_is() -> None:
    assert texts(size=1, embed={"a": 1}) == [
        "spec.embed.apiVersion: Required value: must not be empty",
        "spec.embed.kind: Required value: must not be empty",
    ]


def test_what_was_as_wrong_before_is_let_pass() -> None:
    (type_,) = widgets()
    old, new = stored(widget(type_, size=99)), stored(widget(type_, size=99, replicas=1))
    assert validate_update(new, old, namespaced=False) == []
    assert validate_update(stored(widget(type_, size=98)), old, namespaced=False) != []


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, '"" must validate at least one schema (anyOf)'),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, "(oneOf). Found 2 valid alternatives"),
        ({"allOf": [{"minimum": 5}, {"minimum": 1}]}, '"" must validate all the schemas (allOf)'),
        ({"not": {"minimum": 1}}, '"" must not validate the schema (not)'),
    ],
)
def test_junctions(schema: dict[str, Any], text: str) -> None:
    assert any(text in str(error) for error in check_values(3, schema))


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05Z", "2026-13-02T03:04:05Z"),
        ("date", "2026-01-02", "2026-02-30"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "6e1b3f6e-7d35-4a57-9f0b-0f3c1f5b7d11", "6e1b"),
        ("duration", "1h30m", "soon"),
        ("byte", "YQ==", "Y"),
    ],
)
def test_formats(format_: str, good: str, bad: str) -> None:
    schema = {"type": "string", "format": format_}
    assert check_values(good, schema) == []
    assert [error.type for error in check_values(bad, schema)] == ["FieldValueTypeInvalid"]
