"""Whether the rules in a custom kind's schema can be kept: well formed, compiled, with oldSelf only where it can be. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/apis/apiextensions/validation/validation.go,
pkg/apiserver/schema/cel/validation.go (ValidFieldPath)
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from kubelite.api.cel.cost import UNBOUNDED, estimate
from kubelite.api.cel.types import Type
from kubelite.api.custom_rules import Rule, compile_rule
from kubelite.api.custom_rules_schema import MOST_BYTES, Schema, Sized, declare, measure
from kubelite.api.errors import FieldError
from kubelite.api.validation_field import Errors, forbidden, invalid, not_supported, required, show

_RULES = "x-kubernetes-validations"
#: What one rule, and all rules of a version, may be estimated to cost.
_LIMIT, _LIMIT_OF_ALL = 10_000_000, 100_000_000
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_STEP = re.compile(r"\.?([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def check_rule_texts(schema: Schema, path: str) -> Errors:
    """What is wrong with the rules before any is compiled."""
    found: Errors = []
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict):
            found += check_rule_texts(part, f"{path}.properties[{name}]")
    for name in ("additionalProperties", "items"):
        if isinstance(part := schema.get(name), dict):
            found += check_rule_texts(part, f"{path}.{name}")
    for index, plain in enumerate(schema.get(_RULES, ())):
        found += _text_problems(plain, schema, f"{path}.{_RULES}[{index}]")
    return found


def _text_problems(plain: dict[str, Any], schema: Schema, at: str) -> Errors:
    found: Errors = []
    rule, message, path = plain.get("rule", ""), plain.get("message", ""), plain.get("fieldPath", "")
    if not rule.strip():
        found.append(required(f"{at}.rule", "rule is not specified"))
    elif message and not message.strip():
        found.append(invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif _has_newlines(message.strip()):
        found.append(invalid(f"{at}.message", message, "message must not contain line breaks"))
    elif _has_newlines(rule.strip()) and not message.strip():
        found.append(required(f"{at}.message", "message must be specified if rule contains line breaks"))
    expression = plain.get("messageExpression", "")
    if expression and not expression.strip():
        found.append(required(f"{at}.messageExpression", "messageExpression must be non-empty if specified"))
    if plain.get("reason") is not None and plain["reason"] not in _REASONS:
        found.append(not_supported(f"{at}.reason", plain["reason"], _REASONS))
    if path and not path.strip():
        found.append(invalid(f"{at}.fieldPath", path, "fieldPath must be non-empty if specified"))
    if _has_newlines(path):
        found.append(invalid(f"{at}.fieldPath", path, "fieldPath must not contain line breaks"))
    if path and not is_field_path(path, schema):
        found.append(invalid(f"{at}.fieldPath", path, "fieldPath must be a valid path"))
    return found


def _has_newlines(text: str) -> bool:
    return "\n" in text or "\r" in text


def is_field_path(path: str, schema: Schema) -> bool:
    """
    >>> is_field_path(".a['b']", {"properties": {"a": {"additionalProperties": {"type": "string"}}}})
    True
    """
    at = 0
    if not path.startswith((".", "[")):
        return False
    current: Any = schema
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (match[1] is not None and not match.group().startswith(".")):
            return False
        name = match[1] if match[1] is not None else re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], ""), match[2])
        if current.get("properties"):
            current = current["properties"].get(name)
        else:
            current = current.get("additionalProperties") if match[2] is not None else None
        if not isinstance(current, dict):
            return False
        at = match.end()
    return True


def check_rules_compile(schema: Schema, path: str) -> Errors:
    """What is wrong with the rules of a sound schema, each by itself and all together."""
    place = _Place(path)
    found = _compile_all(schema, place)
    if sum(cost for _, cost in place.costs) > _LIMIT_OF_ALL:
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        large = sorted((item for item in place.costs if item[1] >= _LIMIT_OF_ALL // 100), key=lambda item: -item[1])
        found += [forbidden(at, why) for at, _ in large[:4]]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        found.append(forbidden(path, _too_costly(what, sum(cost for _, cost in place.costs), _LIMIT_OF_ALL)))
    return found


class _Place(Struct, frozen=True):
    """Where a schema stands. `uncorrelated`: the list around it of which old items are not known. `count`: how often a value of

    the schema can be in an object; None if nothing limits it. `costs`: what the rules seen so far may cost, and where they are.
    """

    path: str
    is_root: bool = True
    uncorrelated: str = ""
    count: int | None = 1
    costs: list[tuple[str, int]] = field(default_factory=list)

    def inside(self, name: str, schema: Schema) -> _Place:
        """The place of a part of `schema`, which stands here."""
        cannot = name == "items" and schema.get("x-kubernetes-list-type") != "map"
        return _Place(
            f"{self.path}.{name}",
            False,
            self.uncorrelated or (self.path if cannot else ""),
            _product(self.count, _most(schema)),
            self.costs,
        )


def _most(schema: Schema) -> int | None:
    """How many parts of one kind a value of the schema can have."""
    if schema.get("type") == "array":
        return schema.get("maxItems")
    if schema.get("type") == "object" and schema.get("additionalProperties") is not None:
        return schema.get("maxProperties")
    return 1


def _product(a: int | None, b: int | None) -> int | None:
    return a * b if a is not None and b is not None else None


def _too_costly(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100" if factor > 100 else f"{factor:f}" if factor < 1.5 else f"{factor:.1f}"
    why = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength "
    why += "where arrays, maps, and strings are declared)"
    return f"{what} exceeds budget by factor of {shown}x {why}"


def _compile_all(schema: Schema, place: _Place) -> Errors:
    found: Errors = []
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict):
            found += _compile_all(part, place.inside(f"properties[{name}]", schema))
    for name in ("additionalProperties", "items"):
        if isinstance(part := schema.get(name), dict):
            found += _compile_all(part, place.inside(name, schema))
    if schema.get(_RULES):
        type_, size = declare(schema, is_root=place.is_root), measure(schema, is_root=place.is_root)
        for index, plain in enumerate(schema[_RULES]):
            found += _compile_problems(plain, type_, size, place, f"{place.path}.{_RULES}[{index}]")
    return found


def _compile_problems(plain: dict[str, Any], type_: Type | None, size: Sized | None, place: _Place, at: str) -> Errors:
    rule = compile_rule(plain, type_)
    found = _cost_problems(rule, size, place, at)
    for name, problem in (("rule", rule.error), ("messageExpression", rule.message_error)):
        if problem:
            text = f"Invalid value: {_go(plain)}: {problem}"
            found.append(FieldError("FieldValueInvalid", f"{at}.{name}", text))
    if rule.uses_old and place.uncorrelated:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.uncorrelated}"
        found.append(invalid(f"{at}.rule", plain["rule"], why))
    if not rule.uses_old and not rule.error and plain.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        found.append(invalid(f"{at}.optionalOldSelf", plain["optionalOldSelf"], why))
    return found


def _cost_problems(rule: Rule, size: Sized | None, place: _Place, at: str) -> Errors:
    """A rule may not cost too much for all the values that there can be; a message, for one."""
    found: Errors = []
    if size is None:
        return found
    if rule.program is not None:
        count = place.count if place.count is not None else MOST_BYTES // (size.least_bytes + 1)
        cost = min(estimate(rule.program.root, rule.program.checked, size.at) * count, UNBOUNDED)
        place.costs.append((f"{at}.rule", cost))
        if cost > _LIMIT:
            found.append(forbidden(f"{at}.rule", _too_costly("estimated rule cost", cost, _LIMIT)))
    if rule.message_program is not None:
        cost = estimate(rule.message_program.root, rule.message_program.checked, size.at)
        place.costs.append((f"{at}.messageExpression", cost))
        if cost > _LIMIT:
            why = _too_costly("estimated messageExpression cost", cost, _LIMIT)
            found.append(forbidden(f"{at}.messageExpression", why))
    return found


def _go(plain: dict[str, Any]) -> str:
    """A rule as Go prints it."""
    texts = [
        f"{name[0].upper()}{name[1:]}:{show(plain.get(name, ''))}" for name in ("rule", "message", "messageExpression")
    ]
    pointers = [
        f"{name}:({kind})({'nil' if plain.get(key) is None else '0xc000000000'})"
        for name, kind, key in (
            ("Reason", "*apiextensions.FieldValueErrorReason", "reason"),
            ("OptionalOldSelf", "*bool", "optionalOldSelf"),
        )
    ]
    path = f"FieldPath:{show(plain.get('fieldPath', ''))}"
    return f"apiextensions.ValidationRule{{{', '.join([*texts, pointers[0], path, pointers[1]])}}}"
