"""Continue tokens, and which lists may be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.api import errors
from kubelite.apiserver.interface import ListParams
from kubelite.apiserver.listing import check_list_params, decode_token, encode_token, parse_version


@given(st.integers(-1, 2**40), st.text(min_size=1).filter(lambda text: not text.startswith("/") and ".." not in text))
def test_token_gives_back_what_it_was_made_of(revision: int, start: str) -> None:
    assert decode_token(encode_token(revision, start)) == (revision, start)


@pytest.mark.parametrize("token", ["@@@", "e30", encode_token(1, "/etc"), encode_token(1, "a/../b")])
def test_token_of_somebody_elses_making_is_refused(token: str) -> None:
    with pytest.raises(errors.BadRequest, match="continue key is not valid"):
        decode_token(token)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (ListParams(resource_version_match="Exact"), "forbidden unless resourceVersion is provided"),
        (
            ListParams(resource_version="5", resource_version_match="Maybe"),
            'supported values: "Exact", "NotOlderThan", ""',
        ),
        (ListParams(resource_version="0", resource_version_match="Exact"), 'is forbidden for resourceVersion "0"'),
        (
            ListParams(resource_version="5", continue_="x"),
            "specifying resource version is not allowed when using continue",
        ),
    ],
)
def test_combinations_that_make_no_sense_are_refused(params: ListParams, message: str) -> None:
    with pytest.raises(errors.StatusError, match=message):
        check_list_params(params)


def test_version_that_is_no_number_fails_as_upstream() -> None:
    with pytest.raises(errors.StatusError, match='parsing "abc": invalid syntax') as caught:
        parse_version("abc")
    assert (caught.value.status().code, caught.value.status().reason) == (500, "")
