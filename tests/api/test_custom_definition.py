"""Which CustomResourceDefinitions are refused, and why."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api.apiextensions_v1 import CustomResourceDefinitionCondition
from kubelite.api.errors import BadRequest
from kubelite.api.validation import validate, validate_update
from kubelite.apiserver.custom_strategy import created_definition, updated_definition
from tests.api.custom_kinds import SCHEMA, definition, version, widgets


def texts(*versions: dict[str, Any]) -> list[str]:
    return [str(error) for error in validate(created_definition(definition(*versions)), namespaced=False)]


def with_schema(**spec: Any) -> dict[str, Any]:
    return version(schema={"type": "object", "properties": {"spec": spec}})


def test_names_and_conversion_have_defaults() -> None:
    crd = definition()
    assert (crd.spec.names.singular, crd.spec.names.list_kind) == ("widget", "WidgetList")
    assert crd.spec.conversion is not None
    assert crd.spec.conversion.strategy == "None"
    assert crd.status.stored_versions == ("v1",)


def test_a_good_definition_is_good() -> None:
    assert texts() == []
    assert texts(version(), version("v2", {**SCHEMA, "description": "Other."}, storage=False)) == []


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (version(storage=False), "spec.versions: Invalid value"),
        ({"name": "v1", "served": True, "storage": True}, "spec.versions[0].schema.openAPIV3Schema: Required value"),
        (version(additionalPrinterColumns=[{"name": "A", "type": "elf", "jsonPath": ".a"}]), "[0].type: Invalid value"),
        (version(selectableFields=[{"jsonPath": ".spec.nowhere"}]), "selectableFields[0].jsonPath: Invalid value"),
        (version(subresources={"scale": {"specReplicasPath": ".x"}}), "should be a json path under .spec"),
        (with_schema(type="elf"), 'Unsupported value: "elf"'),
        (with_schema(), "type: Required value: must not be empty for specified object fields"),
        (with_schema(type="array"), "items: Required value: must be specified"),
        (with_schema(type="string", default=5), 'default: Invalid value: "integer"'),
        (
            with_schema(type="string", anyOf=[{"type": "string"}]),
            "anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            with_schema(type="object", properties={"a": {"type": "string"}}, default={"b": 1}),
            "must not have unknown fields",
        ),
        (
            with_schema(type="array", items={"type": "string"}, **{"x-kubernetes-list-type": "map"}),
            "list-map-keys: Required",
        ),
        (with_schema(type="string", pattern="("), "must be a valid regular expression"),
        (version(schema={"type": "object", "additionalProperties": True}), "must not be used at the root"),
        (with_schema(type="object", anyOf=[{"properties": {"a": {"minimum": 1}}}]), "because it is defined in"),
    ],
)
def test_a_bad_version_is_told(given: dict[str, Any], wrong: str) -> None:
    assert any(wrong in text for text in texts(given)), texts(given)


def test_integers_or_strings_may_be_written_as_a_junction() -> None:
    either = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
    assert texts(with_schema(**either)) == []


def test_an_established_kind_keeps_its_scope() -> None:
    old = created_definition(definition())
    established = CustomResourceDefinitionCondition(type="Established", status="True")
    old = replace(old, status=replace(old.status, conditions=(established,)), metadata=replace(old.metadata, uid="1"))
    new = replace(old, spec=replace(old.spec, scope="Cluster"))
    found = [error.field for error in validate_update(new, old, namespaced=False)]
    assert found == ["spec.scope"]


def test_a_version_that_may_be_stored_cannot_be_dropped() -> None:
    old = created_definition(definition(version()))
    new = updated_definition(replace(definition(version("v2")), status=old.status), old)
    assert new.status.stored_versions == ("v1", "v2")
    assert any(
        "was previously a storage version" in str(error) for error in validate_update(new, old, namespaced=False)
    )


def test_a_deprecated_version_names_the_one_to_use() -> None:
    old = version("v1beta1", {**SCHEMA, "description": "Old."}, storage=False, deprecated=True)
    warnings = [type_.definition.warning for type_ in widgets(version(), old)]
    assert warnings == ["", "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"]


@pytest.mark.parametrize("items", [{"properties": "x"}, "x", 3, {"items": {"required": 1}}, [{"type": 1}]])
def test_a_schema_that_is_none_is_a_bad_request(items: Any) -> None:
    with pytest.raises(BadRequest, match="cannot be handled as a CustomResourceDefinition"):
        definition(with_schema(type="array", items=items))
