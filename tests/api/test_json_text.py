"""What is wrong with a JSON text, in Go's words."""

from __future__ import annotations

import pytest

from kubelite.api import json_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'"abc', "unexpected end of JSON input"),
        (b"{a}", "invalid character 'a' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"[" * 100_000, "exceeded max depth"),
    ],
)
def test_an_error_is_worded_as_go_does(text: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        json_text.parse(text)
    assert str(caught.value) == message


def test_repeated_keys_are_remembered_once_and_the_last_value_counts() -> None:
    found = json_text.parse(b'{"a":1,"b":{"c":1},"a":2,"a":3}')
    assert isinstance(found, json_text.Repeated)
    assert (dict(found), found.keys_repeated) == ({"a": 3, "b": {"c": 1}}, ("a",))
    assert type(found["b"]) is dict
