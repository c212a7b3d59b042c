"""Plain scalars are read by Go's rules."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api import yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("n", False),
        ("'yes'", "yes"),
        ("80:80", "80:80"),
        ("2026-01-01", "2026-01-01"),
        ("0777", 511),
        ("08", 8),
        ("0x1F", 31),
        ("1e3", 1000),
        (".5", 0.5),
        ("1_000", 1000),
        ("-5", -5),
        ("1.2.3", "1.2.3"),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
        ("-", None),
    ],
)
def test_a_scalar_means_what_it_means_in_go(text: str, value: Any) -> None:
    found = yaml_text.load(f"- {text}") if text == "-" else yaml_text.load(f"a: {text}")
    assert found == ([[None]] if text == "-" else {"a": value})


def test_keys_are_texts_and_merges_are_done() -> None:
    assert yaml_text.load("base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3")["use"] == {"x": 1, "z": 3}
    assert set(yaml_text.load("1: one\ntrue: t")) == {"1", "true"}


def test_multiplying_aliases_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    with pytest.raises(ValueError, match="excessive aliasing"):
        yaml_text.load("\n".join(lines))


def test_one_document_is_wanted() -> None:
    with pytest.raises(ValueError, match="single document"):
        yaml_text.load("a: 1\n---\nb: 2")
