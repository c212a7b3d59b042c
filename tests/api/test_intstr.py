"""Numbers and percentages."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.api import intstr


@pytest.mark.parametrize(("up", "expected"), [(True, 3), (False, 2)])
def test_a_percentage_is_rounded_as_asked(up: bool, expected: int) -> None:
    assert intstr.scaled_value("25%", 10, round_up=up) == expected


@pytest.mark.parametrize("text", ["25", "x%", "%", "1.5%", ""])
def test_a_text_that_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid value for IntOrString"):
        intstr.scaled_value(text, 10, round_up=True)


@given(st.integers(-1000, 1000), st.integers(0, 10_000))
def test_numbers_stay_and_the_two_roundings_differ_by_at_most_one(number: int, total: int) -> None:
    assert intstr.scaled_value(number, total, round_up=True) == number
    low = intstr.scaled_value(f"{number}%", total, round_up=False)
    assert 0 <= intstr.scaled_value(f"{number}%", total, round_up=True) - low <= 1


def test_the_number_of_a_text_is_zero_when_it_has_none() -> None:
    assert [intstr.int_value(value) for value in (5, "7", "http")] == [5, 7, 0]
