"""Quantities are read, printed and rounded as Kubernetes does."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from kubelite.api import quantity

_UNITS = {"n": Fraction(1, 10**9), "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(1000), "Mi": Fraction(2**20)}


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("100M", "100M"),
        ("1024Ki", "1Mi"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("12E6", "12E6"),
        ("1E", "1E"),
        ("1000000", "1M"),
        ("1.1Ki", "1126400m"),
        ("0Gi", "0"),
        ("0.1n", "1n"),
        ("-1.5", "-1500m"),
        (2, "2"),
        (0.5, "500m"),
    ],
)
def test_a_quantity_is_printed_in_canonical_form(written: str | float, printed: str) -> None:
    assert quantity.canonical(written) == printed


@pytest.mark.parametrize("text", ["", "abc", "1x", " 1", "1 ", "1.2.3"])
def test_a_text_of_another_form_is_refused_with_the_expected_form(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["1i", "1e", "1mm", "1e99999999"])
def test_an_unknown_suffix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        quantity.parse(text)


@given(st.integers(0, 10**12), st.sampled_from(sorted(_UNITS)))
def test_values_round_up_and_printing_keeps_the_amount(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    exact = number * _UNITS[suffix]
    assert quantity.value(text) == -(-exact.numerator // exact.denominator)
    milli = exact * 1000
    assert quantity.milli_value(text) == -(-milli.numerator // milli.denominator)
    if exact < 2**63 - 1:
        assert quantity.parse(quantity.canonical(text)) == quantity.parse(text)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_sums_and_order_are_those_of_the_numbers(left: int, right: int) -> None:
    a, b = quantity.parse(f"{left}m"), quantity.parse(f"{right}m")
    assert a + b == quantity.parse(f"{left + right}m")
    assert a - b == quantity.parse(f"{left - right}m")
    assert (a < b) == (left < right)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_a_value_error(text: str) -> None:
    try:
        printed = quantity.canonical(text)
    except ValueError:
        return
    assert quantity.parse(printed) == quantity.parse(text)


def test_a_sum_is_written_like_its_first_amount() -> None:
    assert str(quantity.parse("1.5Gi") + quantity.parse("512Mi")) == "2Gi"
    assert str(quantity.parse("0") + quantity.parse("2048Ki")) == "2Mi"
