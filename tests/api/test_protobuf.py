"""The protobuf form of bodies: against a small writer that knows the same tables, and against garbage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kubelite.api import apps_v1 as apps, core_v1 as core
from kubelite.api.meta import DeleteOptions
from kubelite.api.protobuf import Malformed, decode, unwrap
from kubelite.api.scheme import Scheme


def field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    body = value.encode() if isinstance(value, str) else b"".join(value) if isinstance(value, list) else value
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_every_kind_of_the_scheme_has_a_plan() -> None:
    assert all(decode(resource.type, b"") == {} for resource in Scheme())


def test_inlined_sources_quantities_ports_times_and_bytes() -> None:
    requests = field(2, [field(1, "cpu"), field(2, field(1, "100m"))])
    probe = [field(1, field(2, [field(1, "/"), field(2, [field(1, 1), field(3, "http")])])), field(6, 3)]
    container = [field(1, "c"), field(8, requests), field(10, probe)]
    volume = [field(1, "v"), field(2, field(19, field(1, field(1, "m"))))]
    message = field(2, [field(1, volume), field(2, container), field(4, 0), field(5, -1)])
    message += field(1, [field(1, "p"), field(8, [field(1, 1_600_000_000)])])
    assert decode(core.Pod, message) == {
        "metadata": {"name": "p", "creationTimestamp": "2020-09-13T12:26:40Z"},
        "spec": {
            "volumes": [{"name": "v", "configMap": {"name": "m"}}],
            "containers": [
                {
                    "name": "c",
                    "resources": {"requests": {"cpu": "100m"}},
                    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "failureThreshold": 3},
                }
            ],
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": -1,
        },
    }
    secret = field(2, [field(1, "k"), field(2, b"\x00\xff")])
    assert decode(core.Secret, secret) == {"data": {"k": "AP8="}}


def test_empty_time_is_none_and_unknown_fields_are_passed_over() -> None:
    message = field(1, [field(8, b""), field(99, "x")]) + field(77, 1)
    assert decode(apps.Deployment, message) == {"metadata": {"creationTimestamp": None}}


def test_wrapping_says_version_and_kind() -> None:
    body = b"k8s\0" + field(1, [field(1, "v1"), field(2, "DeleteOptions")]) + field(2, field(1, 30))
    version, kind, message = unwrap(body)
    assert (version, kind) == ("v1", "DeleteOptions")
    assert decode(DeleteOptions, message) == {"gracePeriodSeconds": 30}


@given(st.binary(max_size=200))
def test_garbage_is_malformed_or_something_never_a_crash(data: bytes) -> None:
    for type_ in (core.Pod, apps.Deployment):
        try:
            decode(type_, data)
            unwrap(b"k8s\0" + data)
        except Malformed:
            continue


def test_nesting_has_a_limit() -> None:
    from kubelite.api.apiextensions_v1 import JSONSchemaProps

    message = b""
    for _ in range(100):
        message = field(28, message)  # not
    with pytest.raises(Malformed):
        decode(JSONSchemaProps, message)
