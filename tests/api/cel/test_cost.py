"""What expressions may cost at most is what upstream says in its own tests of that."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.cel.cost import estimate
from kubelite.api.cel.program import compile_expression
from kubelite.api.custom_rules_schema import declare, measure


def array(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


def table(values: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values, **limits}


NUMBER, TEXT, BOOL = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
DATE, TIME, SPAN = ({"type": "string", "format": name} for name in ("date", "date-time", "duration"))


@pytest.mark.parametrize(
    ("rule", "schema", "cost"),
    [
        ("self.all(x, true)", array(NUMBER), 4718591),
        ("self.all(x, true)", array(NUMBER, maxItems=10), 32),
        ("self.all(x, true)", array(TEXT), 3145727),
        ("self.all(x, true)", array(BOOL), 1887437),
        ("self.all(x, true)", array(SPAN), 2359295),
        ("self.all(x, true)", array(DATE), 725936),
        ("self.all(x, true)", array(TIME), 428963),
        ("self.all(x, true)", array({"x-kubernetes-int-or-string": True}), 4718591),
        ("self.all(x, true)", array(array(NUMBER)), 3145727),
        ("self.all(x, true)", table(NUMBER), 1348169),
        ("self.all(x, true)", table(TEXT, maxProperties=3), 11),
        ("self.all(x, self.all(y, true))", array(NUMBER, maxItems=10), 352),
        ("self.all(x, self.all(y, self.all(z, true)))", array(NUMBER, maxItems=10), 3552),
        ("self.all(x, x.contains(self[x]))", table(TEXT), 2752507),
        ("self[1] == 0.0", array(NUMBER), 2),
        ("self[1] == self[1]", array(TEXT), 314577),
        ("self[0].getHours() == 2", array(SPAN), 4),
        ("self.contains('test')", TEXT, 314574),
        ("self.contains('test')", {**TEXT, "maxLength": 10}, 5),
        ("self.startsWith('test')", TEXT, 2),
        ("size(self + 'hello') > size('hello')", TEXT, 314578),
        ("size(self + 'hello') > size('hello')", {**TEXT, "maxLength": 4}, 7),
        ("self.matches('x')", TEXT, 314574),
        ("self.matches('x')", {**TEXT, "maxLength": 50}, 22),
        ("''.matches('(((((((((())))))))))[0-9]')", TEXT, 7),
    ],
)
def test_the_estimate_is_upstreams(rule: str, schema: dict[str, Any], cost: int) -> None:
    type_, size = declare(schema), measure(schema)
    assert type_ is not None
    assert size is not None
    program = compile_expression(rule, {"self": type_})
    assert estimate(program.root, program.checked, size.at) == cost


def test_what_is_chosen_between_lists_has_the_larger_size() -> None:
    schema = {"type": "object", "properties": {"names": array({**TEXT, "maxLength": 64}, maxItems=256)}}
    type_, size = declare(schema), measure(schema)
    assert type_ is not None
    assert size is not None
    program = compile_expression("(has(self.names) ? self.names : []).exists(k, k.contains('/'))", {"self": type_})
    assert estimate(program.root, program.checked, size.at) == 7948


def test_long_chains_of_choices_are_estimated_at_once() -> None:
    program = compile_expression(" ".join("true ? 1 :" for _ in range(55)) + " 1", {})
    assert estimate(program.root, program.checked, lambda _: None) == 0
