"""Bodies become typed objects, or upstream's words for what is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kubelite.api import codec, decode
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ConfigMap, Pod, Secret
from kubelite.api.errors import BadRequest
from kubelite.api.meta import Object
from kubelite.api.scheme import BUILT_IN

from .objects import plain_objects

_SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)
_REGISTERED = 'is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'


@pytest.mark.parametrize(
    ("type_", "body", "message"),
    [
        (
            ConfigMap,
            b'{"kind": "ConfigMap",',
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
            'unexpected end of JSON input ({"kind": "ConfigMap",)',
        ),
        (
            ConfigMap,
            b"",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
            "unexpected end of JSON input (<empty>)",
        ),
        (
            ConfigMap,
            b'{"apiVersion":"v1","kind":"Elf"}',
            f'Elf in version "v1" cannot be handled as a ConfigMap: no kind "Elf" {_REGISTERED}',
        ),
        (
            ConfigMap,
            b'{"apiVersion":"v1","kind":"Secret"}',
            'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): '
            "unknown conversion",
        ),
        (
            Deployment,
            b'{"apiVersion":"v1","kind":"Deployment"}',
            f'Deployment in version "v1" cannot be handled as a Deployment: no kind "Deployment" {_REGISTERED}',
        ),
        (
            Deployment,
            b'{"spec":{"replicas":"three"}}',
            'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field '
            "DeploymentSpec.spec.replicas of type int32",
        ),
        (
            ConfigMap,
            b'{"data":["x"]}',
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field '
            "ConfigMap.data of type map[string]string",
        ),
        (
            Pod,
            b'{"spec":{"containers":[{"name":"a","image":{}}]}}',
            'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal object into Go struct field '
            "Container.spec.containers.image of type string",
        ),
        (
            Pod,
            b'{"spec":{"containers":[{"resources":{"limits":{"cpu":"abc"}}}]}}',
            'Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            Secret,
            b'{"data":{"a":"!!"}}',
            'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0',
        ),
    ],
)
def test_a_body_that_does_not_fit_is_a_bad_request(type_: type[Object], body: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        decode.decode_object(type_, body)
    assert caught.value.message == message


def test_null_counts_as_absent_everywhere() -> None:
    body = b'{"metadata":null,"spec":{"containers":null,"hostNetwork":null,"nodeSelector":{"a":null},"dnsConfig":null}}'
    assert decode.decode_object(Pod, body).spec.node_selector == {"a": ""}


def test_names_of_fields_are_case_sensitive() -> None:
    body = b'{"Metadata":{"name":"a"},"metadata":{"Name":"b"}}'
    assert decode.decode_object(ConfigMap, body).metadata.name == ""
    assert decode.strict_errors(ConfigMap, body) == ['unknown field "Metadata"', 'unknown field "metadata.Name"']


def test_unknown_and_repeated_fields_are_listed_with_their_paths_in_order() -> None:
    body = (
        b'{"kind":"Pod","spec":{"foo":1,"containers":[{"name":"a","name":"b","x":{}}],'
        b'"nodeSelector":{"a":"b","a":"c"}},"Spec":1}'
    )
    assert decode.decode_object(Pod, body).spec.node_selector == {"a": "c"}
    errors = decode.strict_errors(Pod, body)
    assert errors == [
        'unknown field "spec.foo"',
        'duplicate field "spec.containers[0].name"',
        'unknown field "spec.containers[0].x"',
        'duplicate field "spec.nodeSelector.a"',
        'unknown field "Spec"',
    ]
    assert decode.strict_errors(Pod, decode.parse_body(Pod, body)) == errors
    assert decode.strict_error(Pod, errors[:1]).message == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo"'
    )


def test_yaml_is_another_way_to_write_json() -> None:
    text = b"metadata:\n  name: a\n  name: b\ndata:\n  k: 'yes'\n  k2: |\n    x\n"
    found = decode.decode_object(ConfigMap, text, "application/yaml")
    assert (found.metadata.name, found.data) == ("b", {"k": "yes", "k2": "x\n"})
    plain = decode.parse_body(ConfigMap, text, "application/yaml")
    assert decode.strict_errors(ConfigMap, plain) == [
        'yaml: unmarshal errors:\n  line 3: key "name" already set in map'
    ]


@_SLOW
@given(st.data())
def test_what_is_encoded_decodes_to_the_same_object(data: st.DataObject) -> None:
    type_ = data.draw(st.sampled_from([resource.type for resource in BUILT_IN]))
    plain = data.draw(plain_objects(type_))
    found = decode.decode_object(type_, plain)
    assert decode.decode_object(type_, msgspec.json.encode(plain)) == found
    assert decode.decode_object(type_, codec.encode(found)) == found
    assert decode.strict_errors(type_, plain) == []


@_SLOW
@given(st.data())
def test_nulls_anywhere_in_a_struct_change_nothing(data: st.DataObject) -> None:
    plain = data.draw(plain_objects(Pod))
    with_nulls = {"status": None, **plain, "metadata": {"labels": None, **plain.get("metadata", {})}}
    assert decode.decode_object(Pod, with_nulls) == decode.decode_object(Pod, plain)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["kind", "apiVersion", "metadata", "spec", "containers", "name", "ports"]), inner
        ),
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=60), _JSON.map(msgspec.json.encode)))
def test_any_bytes_are_an_object_or_a_bad_request(body: bytes) -> None:
    for content_type in ("application/json", "application/yaml"):
        try:
            decode.decode_object(Pod, body, content_type)
            decode.strict_errors(Pod, decode.parse_body(Pod, body, content_type))
        except BadRequest as error:
            assert error.message


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b'{"spec":{"replicas":' + b"1" * 5000 + b"}}"]
)
def test_hostile_bodies_are_bad_requests(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode.decode_object(Deployment, body)
