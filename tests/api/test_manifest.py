"""Manifests of one or many documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import ConfigMap, Namespace
from kubelite.api.errors import BadRequest
from kubelite.api.manifest import parse_manifest, read_manifest
from kubelite.api.scheme import Scheme

_SCHEME = Scheme()


def test_documents_and_lists_are_taken_apart_in_order() -> None:
    text = """
# nothing but a comment
---
apiVersion: v1
kind: Namespace
metadata: {name: space}
---
---
{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
 {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"apiVersion": "v1", "kind": "ConfigMap"}]}]}
"""
    found = parse_manifest(text, _SCHEME)
    assert [(type(obj), obj.metadata.name) for obj in found] == [
        (Namespace, "space"),
        (ConfigMap, "a"),
        (ConfigMap, ""),
    ]
    assert len(read_manifest(text)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "error parsing manifest: yaml: line 1: mapping values"),
        ("- 1", "must be an object"),
        ("metadata: {}", "Object 'Kind' is missing"),
        ("kind: Pod", "Object 'apiVersion' is missing"),
        ("{kind: Elf, apiVersion: v1}", 'no matches for kind "Elf" in version "v1"'),
        ("{kind: Pod, apiVersion: v1, spec: {foo: 1}}", 'strict decoding error: unknown field "spec.foo"'),
        ("kind: Pod\nkind: Pod", 'line 2: key "kind" already set in map'),
    ],
)
def test_a_bad_manifest_is_a_bad_request(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_manifest(text, _SCHEME)
    assert message in caught.value.message


@given(st.text(alphabet="abkind: \n-{}[]&*!'\"|", max_size=40))
def test_any_text_is_a_manifest_or_a_bad_request(text: str) -> None:
    try:
        parse_manifest(text, _SCHEME)
    except BadRequest as error:
        assert error.message


def test_the_examples_are_manifests() -> None:
    for path in Path(__file__, "../../../config/examples").resolve().glob("*.yaml"):
        assert parse_manifest(path.read_text(), _SCHEME)
