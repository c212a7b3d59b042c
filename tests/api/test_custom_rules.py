"""Rules in a custom kind's schema: what they see, when they are asked, and what is said when they do not hold."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.custom import CustomObject
from kubelite.api.custom_rules_check import is_field_path
from kubelite.api.custom_rules_schema import escape
from kubelite.api.custom_structural import check_schema
from kubelite.api.validation import validate, validate_update
from tests.api.custom_kinds import stored, version, widget, widgets

PART = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "v": {"type": "integer"}},
    "x-kubernetes-validations": [{"rule": "!has(oldSelf.v) || self.v >= oldSelf.v", "message": "v must not fall"}],
}
PROPERTIES: dict[str, Any] = {
    "min": {"type": "integer"},
    "max": {"type": "integer"},
    "ratio": {"type": "number"},
    "name": {"type": "string"},
    "odd-name.x": {"type": "string"},
    "port": {"x-kubernetes-int-or-string": True},
    "until": {"type": "string", "format": "date-time"},
    "wait": {"type": "string", "format": "duration"},
    "maybe": {"type": "string", "nullable": True},
    "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "parts": {"type": "array", "items": PART, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
}


def kind(*rules: dict[str, Any] | str, **changed: Any) -> type[CustomObject]:
    """A kind with rules on its spec."""
    spec = {
        "type": "object",
        "properties": {**PROPERTIES, **changed},
        "x-kubernetes-validations": [{"rule": rule} if isinstance(rule, str) else rule for rule in rules],
    }
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": {}}}}
    (type_,) = widgets(version(schema=schema, subresources={"status": {}}))
    return type_


def on_create(type_: type[CustomObject], **spec: Any) -> list[str]:
    return [str(error) for error in validate(stored(widget(type_, **spec)), namespaced=False)]


def on_update(type_: type[CustomObject], old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = stored(widget(type_, **old)), stored(widget(type_, **new))
    return [str(error) for error in validate_update(after, before, namespaced=False)]


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        ("self.min <= self.max", {"min": 1, "max": 2}),
        ("!has(self.min) || self.min > 0", {}),
        ("self.odd__dash__name__dot__x == 'a'", {"odd-name.x": "a"}),
        ("self.ratio == 3.0", {"ratio": 3}),
        ("type(self.port) == int ? self.port > 0 : self.port.endsWith('%')", {"port": "5%"}),
        ("self.until > timestamp('2020-01-01T00:00:00Z')", {"until": "2024-01-01T00:00:00Z"}),
        ("self.wait < duration('2m')", {"wait": "90s"}),
        ("!has(self.maybe) && !has(self.labels.x)", {"maybe": None, "labels": {}}),
        ("self.tags == ['b', 'a'] && self.tags + ['a', 'c'] == ['a', 'b', 'c']", {"tags": ["a", "b"]}),
        ("self.labels.all(k, k.startsWith('x')) && self.labels['xa'] == '1'", {"labels": {"xa": "1"}}),
        ("self.parts == dyn([{'id': 'b'}, {'id': 'a'}])", {"parts": [{"id": "a"}, {"id": "b"}]}),
    ],
)
def test_a_rule_sees_values_by_their_schema(rule: str, spec: dict[str, Any]) -> None:
    assert on_create(kind(rule), **spec) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "self.min <= self.max"}, 'spec: Invalid value: "object": failed rule: self.min <= self.max'),
        ({"rule": "self.min < 1", "message": " too big "}, 'spec: Invalid value: "object": too big'),
        (
            {"rule": "self.min < 1", "message": "no", "messageExpression": "'min is ' + string(self.min)"},
            'spec: Invalid value: "object": min is 5',
        ),
        (
            {"rule": "self.min < 1", "message": "plain", "messageExpression": "self.labels['x']"},
            'spec: Invalid value: "object": plain',
        ),
        ({"rule": "self.min < 1", "fieldPath": ".min"}, 'spec.min: Invalid value: "object": failed rule: self.min < 1'),
        ({"rule": "self.min < 1", "reason": "FieldValueForbidden"}, "spec: Forbidden: failed rule: self.min < 1"),
        ({"rule": "self.min < 1", "reason": "FieldValueRequired"}, "spec: Required value: failed rule: self.min < 1"),
        ({"rule": "self.min < 1", "reason": "FieldValueDuplicate"}, 'spec: Duplicate value: "object"'),
        (
            {"rule": "self.name == 'a'"},
            "spec: Invalid value: \"object\": no such key: name evaluating rule: self.name == 'a'",
        ),
        (
            {"rule": "self.port > 1"},
            "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, function "
            "or macro signature for rule: self.port > 1",
        ),
    ],
)
def test_what_is_said_of_a_rule_that_does_not_hold(rule: dict[str, Any], said: str) -> None:
    assert on_create(kind(rule), min=5, max=2, port="x") == [said]


def test_a_rule_at_the_root_sees_the_head_and_has_no_path() -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
        "x-kubernetes-validations": [{"rule": "self.kind == 'Widget' && self.metadata.name.startsWith('x')"}],
    }
    (type_,) = widgets(version(schema=schema))
    (said,) = on_create(type_, size=1)
    assert said.startswith('<nil>: Invalid value: "object": failed rule: self.kind')


def test_rules_are_not_asked_about_an_object_of_the_wrong_form() -> None:
    found = on_create(kind("self.min < 1"), min="five")
    assert len(found) == 2
    assert found[1].startswith('<nil>: Invalid value: "null": some validation rules were not checked')


def test_a_rule_with_old_self_is_only_asked_on_updates() -> None:
    type_ = kind({"rule": "self.min == oldSelf.min", "message": "immutable"})
    assert on_create(type_, min=1) == []
    assert on_update(type_, {"min": 1}, {"min": 1}) == []
    assert on_update(type_, {"min": 1}, {"min": 2}) == ['spec: Invalid value: "object": immutable']


def test_an_optional_old_self_is_none_on_creation() -> None:
    type_ = kind({"rule": "oldSelf.hasValue() || self.min == 1", "optionalOldSelf": True, "message": "begins at 1"})
    assert on_create(type_, min=2) == ['spec: Invalid value: "object": begins at 1']
    assert on_update(type_, {"min": 1}, {"min": 2}) == []


def test_items_of_keyed_lists_know_what_they_replace() -> None:
    old = {"parts": [{"id": "a", "v": 5}, {"id": "b", "v": 1}]}
    new = {"parts": [{"id": "b", "v": 2}, {"id": "a", "v": 4}, {"id": "c", "v": 0}]}
    assert on_update(kind(), old, new) == ['spec.parts[1]: Invalid value: "object": v must not fall']


def test_what_did_not_change_is_not_judged_again() -> None:
    type_ = kind(labels={**PROPERTIES["labels"], "x-kubernetes-validations": [{"rule": "self.size() < 1"}]})
    bad = {"labels": {"a": "b"}}
    assert on_create(type_, **bad) != []
    assert on_update(type_, bad, {**bad, "min": 1}) == []
    assert on_update(type_, bad, {"labels": {"a": "c"}}) != []


def test_an_object_has_a_budget_for_all_its_rules() -> None:
    rules = [f"self.tags.all(a, self.tags.all(b, a + b != '{index}'))" for index in range(20)]
    found = on_create(kind(*rules), tags=[str(number) for number in range(2000)])
    assert len(found) == 1
    assert "no further validation rules will be run due to call cost exceeds limit for rule: self.tags.all" in found[0]


# -- definitions -----------------------------------------------------------------------------------------------------------


def problems(spec: dict[str, Any]) -> list[str]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **spec}}}
    return [str(error) for error in check_schema(schema, "schema")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": " "}, "rule: Required value: rule is not specified"),
        ({"rule": "true", "message": " "}, 'message: Invalid value: " ": message must be non-empty if specified'),
        ({"rule": "true\n&& true"}, "message: Required value: message must be specified if rule contains line breaks"),
        (
            {"rule": "true", "reason": "Odd"},
            'reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", ',
        ),
        ({"rule": "true", "fieldPath": ".no"}, 'fieldPath: Invalid value: ".no": fieldPath must be a valid path'),
        (
            {"rule": "self.min == 'a'"},
            'rule: Invalid value: apiextensions.ValidationRule{Rule:"self.min == \'a\'", Message:"", MessageExpression:"", '
            'Reason:(*apiextensions.FieldValueErrorReason)(nil), FieldPath:"", OptionalOldSelf:(*bool)(nil)}: compilation '
            "failed: ERROR: <input>:1:10: found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            {"rule": "self.name.find(')') == ''"},
            "program instantiation failed: error parsing regexp: unexpected ): `)`",
        ),
        ({"rule": "self.min"}, "cel expression must evaluate to a bool"),
        ({"rule": "self.no == 1"}, "compilation failed: ERROR: <input>:1:5: undefined field 'no'"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        (
            {"rule": "true", "messageExpression": "x"},
            "messageExpression compilation failed: ERROR: <input>:1:1: undeclared",
        ),
        (
            {"rule": "self.min > 1", "optionalOldSelf": True},
            "optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(rule: dict[str, Any], said: str) -> None:
    (found,) = problems({"properties": PROPERTIES, "x-kubernetes-validations": [rule]})
    assert found.startswith("schema.properties[spec].x-kubernetes-validations[0].")
    assert said in found


def test_old_self_is_refused_where_items_cannot_be_told_apart() -> None:
    items = {"type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    (found,) = problems({"properties": {"names": {"type": "array", "items": items, "maxItems": 9}}})
    why = "oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[spec].properties[names]"
    assert found.endswith(f'Invalid value: "self == oldSelf": {why}')


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a", "a"),
        ("in", "__in__"),
        ("a_b", "a_b"),
        ("a__b", "a__underscores__b"),
        ("a/b", "a__slash__b"),
        ("a b", None),
    ],
)
def test_names_are_escaped(name: str, escaped: str | None) -> None:
    assert escape(name) == escaped


@pytest.mark.parametrize(
    ("path", "is_valid"), [(".min", True), (".labels['a.b']", True), ("min", False), (".labels.a", False), (".", False)]
)
def test_field_paths(path: str, *, is_valid: bool) -> None:
    assert is_field_path(path, {"properties": PROPERTIES}) is is_valid


HINT = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength "
HINT += "where arrays, maps, and strings are declared)"


@pytest.mark.parametrize(
    ("rule", "limits", "factor"),
    [
        ("self.all(x, self.all(y, x != y))", {}, "more than 100x"),
        ("self.all(x, x.contains('abc'))", {}, "more than 100x"),
        ("self.all(x, x.contains('abc'))", {"maxItems": 40}, "1.258308x"),
        ("self.all(x, x.contains('abc'))", {"maxItems": 100}, "3.1x"),
        ("self.all(x, self.all(y, x != y))", {"maxItems": 50}, ""),
    ],
)
def test_a_rule_that_may_cost_too_much_is_refused(rule: str, limits: dict[str, int], factor: str) -> None:
    items: dict[str, Any] = {"type": "string"}
    if not factor:
        items["maxLength"] = 20
    names = {"type": "array", "items": items, "x-kubernetes-validations": [{"rule": rule}], **limits}
    found = problems({"properties": {"names": names}})
    at = "schema.properties[spec].properties[names].x-kubernetes-validations[0].rule"
    own = [f"{at}: Forbidden: estimated rule cost exceeds budget by factor of {factor} {HINT}"] if factor else []
    assert found[: len(own)] == own
    assert bool(found) == bool(own)


def test_rules_that_may_cost_too_much_together_are_refused() -> None:
    rules = [{"rule": f"self.all(x, x.contains('{index}') || x == 'a')"} for index in range(20)]
    items = {"type": "string", "maxLength": 4000}
    found = problems(
        {"properties": {"n": {"type": "array", "items": items, "maxItems": 4000, "x-kubernetes-validations": rules}}}
    )
    assert len(found) == 5
    why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
    assert all(text.endswith(f"Forbidden: {why}") for text in found[:4])
    assert found[4].startswith(
        "schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
    )
