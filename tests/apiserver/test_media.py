"""Negotiation, and bodies that are none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import ConfigMap
from kubelite.api.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from kubelite.apiserver import media
from kubelite.apiserver.media import Media, negotiate

META = "g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Media()),
        ("*/*", Media()),
        ("application/vnd.kubernetes.protobuf, application/json", Media()),
        ("text/html, application/json;q=0.5", Media()),
        ("application/yaml", Media(media.YAML)),
        (f"application/json;as=Table;v=v1;{META},application/json", Media(media.JSON, "Table")),
        (f"application/json;as=Table;v=v9;{META}, application/json", Media()),
        (f"application/json;as=Table;v=v1beta1;{META}", Media(media.JSON, "Table", "v1beta1")),
    ],
)
def test_first_served_alternative_wins(accept: str, expected: Media) -> None:
    assert negotiate(accept) == expected


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;as=Chair"])
def test_nothing_served_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(accept)


@given(st.text(max_size=60))
def test_any_accept_header_is_understood_or_refused(accept: str) -> None:
    try:
        negotiate(accept)
    except NotAcceptable:
        return


@given(st.binary(max_size=60), st.sampled_from(["", media.JSON, media.YAML, media.PROTOBUF, "x/y"]))
def test_any_body_is_an_object_or_refused(body: bytes, content_type: str) -> None:
    try:
        assert isinstance(media.decode(body, content_type, "ConfigMap", (ConfigMap,)), dict)
    except (BadRequest, UnsupportedMediaType):
        return


def test_protobuf_of_another_kind_is_refused() -> None:
    body = b"k8s\0" + b"\x0a\x0c\x0a\x02v1\x12\x06Secret"
    with pytest.raises(BadRequest, match='Secret in version "v1" cannot be handled as a ConfigMap'):
        media.decode(body, media.PROTOBUF, "ConfigMap", (ConfigMap,))


def test_people_get_indented_answers() -> None:
    assert media.wants_pretty(None, "curl/8.0")
    assert not media.wants_pretty(["0"], "curl/8.0")
    assert not media.wants_pretty(None, "kubectl/v1.33")
    assert media.encode(b'{"a":1}', Media(pretty=True)) == b'{\n  "a": 1\n}\n'
