"""Label and field selectors: grammar, meaning and the words of errors."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, strategies as st

from kubelite.api import meta, selectors
from kubelite.api.errors import BadRequest

_NAMES = st.sampled_from(["a", "b", "in", "notin", "example.com/x"])
_VALUES = st.sampled_from(["", "1", "2", "x"])
_LABELS = st.dictionaries(_NAMES, _VALUES)


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("env=prod", {"env": "prod"}, True),
        ("env==prod,tier", {"env": "prod"}, False),
        ("env!=prod", {}, True),
        ("env notin (a,b)", {"env": "c"}, True),
        ("x in (a,,b)", {"x": ""}, True),
        ("x in ()", {"x": ""}, True),
        ("!old", {"old": "1"}, False),
        ("size>3", {"size": "10"}, True),
        ("size<3", {"size": "10"}, False),
        ("size>3", {"size": "big"}, False),
        ("in in (notin)", {"in": "notin"}, True),
        ("", {"a": "b"}, True),
    ],
)
def test_a_label_selector_selects(text: str, labels: dict[str, str], selected: bool) -> None:
    assert selectors.parse_label_selector(text).matches(labels) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, "
            "the value must be an integer",
        ),
    ],
)
def test_a_broken_label_selector_is_a_bad_request(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        selectors.parse_label_selector(text)
    assert caught.value.message == message


def test_a_bad_key_or_value_is_named_with_its_format() -> None:
    with pytest.raises(BadRequest, match=r'^unable to parse requirement: <nil>: Invalid value: "-x": name part must'):
        selectors.parse_label_selector("-x=1")
    with pytest.raises(
        BadRequest, match=r'^unable to parse requirement: values\[0\]\[x\]: Invalid value: "_": a valid'
    ):
        selectors.parse_label_selector("x=_")


@given(
    st.dictionaries(_NAMES, _VALUES, max_size=2),
    st.lists(
        st.tuples(_NAMES, st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]), st.lists(_VALUES, min_size=1))
    ),
    _LABELS,
)
def test_the_ways_to_ask_agree(
    equal: dict[str, str], expressions: list[tuple[str, str, list[str]]], labels: dict[str, str]
) -> None:
    selector = meta.LabelSelector(
        match_labels=equal,
        match_expressions=tuple(
            meta.LabelSelectorRequirement(key=key, operator=op, values=tuple(values) if op.endswith("In") else ())
            for key, op, values in expressions
        ),
    )
    text = ",".join(
        [f"{key}={value}" for key, value in equal.items()]
        + [
            {"In": f"{key} in ({','.join(v)})", "NotIn": f"{key} notin ({','.join(v)})", "Exists": key}.get(
                op, f"!{key}"
            )
            for key, op, v in expressions
        ]
    )
    parsed = selectors.parse_label_selector(text)
    expected = selectors.matches(selector, labels)
    assert selectors.compile_selector(selector)(labels) is expected
    assert parsed.matches(labels) is expected
    assert selectors.parse_label_selector(str(parsed)).matches(labels) is expected


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.matches(None, {}) and not selectors.compile_selector(None)({})
    assert selectors.matches(meta.LabelSelector(), {}) and selectors.compile_selector(meta.LabelSelector())({})


def test_an_unknown_operator_is_refused_when_compiled() -> None:
    bad = meta.LabelSelector(match_expressions=(meta.LabelSelectorRequirement(key="a", operator="Is"),))
    with pytest.raises(BadRequest, match='"Is" is not a valid label selector operator'):
        selectors.compile_selector(bad)


def test_field_selectors_are_terms_with_escapes() -> None:
    found = selectors.parse_field_selector(r"spec.nodeName=,a!=b\,c,d==e")
    assert {(term.key, term.value, term.equal) for term in found.terms} == {
        ("spec.nodeName", "", True),
        ("a", "b,c", False),
        ("d", "e", True),
    }
    assert found.matches({"d": "e"})
    assert not found.matches({"d": "e", "a": "b,c"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_a_broken_field_selector_is_a_bad_request(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        selectors.parse_field_selector(text)
    assert caught.value.message == message


@given(st.text(alphabet="ab=!,()<> \\in\0/.-é", max_size=20))
def test_any_text_is_a_selector_or_a_bad_request(text: str) -> None:
    for parse in (selectors.parse_label_selector, selectors.parse_field_selector):
        with contextlib.suppress(BadRequest):
            parse(text)
