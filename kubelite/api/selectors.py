"""Label and field selectors: parsed or compiled once, then asked per object. Pure.

The texts of errors are those that an API server answers with. Which fields a kind can be selected by is decided by the
API server's registry. Source: k8s.io/apimachinery v0.33 pkg/labels/selector.go, pkg/fields/selector.go
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NoReturn

from msgspec import Struct

from kubelite.api import meta
from kubelite.api.errors import BadRequest, FieldError
from kubelite.api.validation_field import invalid, label_value, qualified_name

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt"]

_OPERATORS: dict[str, Operator] = {
    "in": "in",
    "notin": "notin",
    "=": "=",
    "==": "==",
    "!=": "!=",
    ">": "gt",
    "<": "lt",
}
_SET_OPERATORS: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_TOKEN = re.compile(r"==|!=|[=!(),<>]|[^=!(),<> \t\r\n\0]+\0?|\0")
_SPECIAL = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


class Requirement(Struct, frozen=True):
    """One condition on a label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.key)
        match self.operator:
            case "in" | "=" | "==":
                return found is not None and found in self.values
            case "notin" | "!=":
                return found is None or found not in self.values
            case "exists":
                return found is not None
            case "!":
                return found is None
            case "gt" | "lt":
                if found is None or not _INTEGER.fullmatch(found):
                    return False
                (limit,) = self.values
                return int(found) > int(limit) if self.operator == "gt" else int(found) < int(limit)

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        match self.operator:
            case "in" | "notin":
                return f"{self.key} {self.operator} ({values})"
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "gt":
                return f"{self.key}>{values}"
            case "lt":
                return f"{self.key}<{values}"
            case "=" | "==" | "!=":
                return f"{self.key}{self.operator}{values}"


class LabelSelector:
    """A compiled selector. Without requirements it matches everything. `str()` is its canonical text, sorted by key.

    >>> parse_label_selector("tier in (web, db), !old, env=prod").matches({"env": "prod", "tier": "db"})
    True
    """

    __slots__ = ("_equal", "_other", "requirements")

    def __init__(self, requirements: Iterable[Requirement]) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda requirement: requirement.key))
        exact = [r for r in self.requirements if r.operator in ("=", "==", "in") and len(r.values) == 1]
        self._equal = tuple((r.key, next(iter(r.values))) for r in exact)
        self._other = tuple(r for r in self.requirements if r not in exact)

    def matches(self, labels: Mapping[str, str]) -> bool:
        for key, value in self._equal:
            if labels.get(key) != value:
                return False
        return all(requirement.matches(labels) for requirement in self._other) if self._other else True

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def matches(selector: meta.LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether an object's selector selects `labels`. None selects nothing, an empty selector everything."""
    if selector is None:
        return False
    for key, value in selector.match_labels.items():
        if labels.get(key) != value:
            return False
    return all(_expression_matches(expression, labels) for expression in selector.match_expressions)


def _expression_matches(expression: meta.LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    found = labels.get(expression.key)
    match expression.operator:
        case "In":
            return found is not None and found in expression.values
        case "NotIn":
            return found is None or found not in expression.values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    return False


def compile_selector(selector: meta.LabelSelector | None) -> Callable[[Mapping[str, str]], bool]:
    """A predicate over labels. Raises: BadRequest when the selector is not valid."""
    if selector is None:
        return lambda labels: False
    requirements = [_requirement(key, "=", (value,)) for key, value in selector.match_labels.items()]
    for expression in selector.match_expressions:
        if expression.operator not in _SET_OPERATORS:
            raise BadRequest(f'"{expression.operator}" is not a valid label selector operator')
        requirements.append(_requirement(expression.key, _SET_OPERATORS[expression.operator], expression.values))
    return LabelSelector(requirements).matches


def _requirement(key: str, operator: Operator, values: Iterable[str], prefix: str = "") -> Requirement:
    """Raises: BadRequest with all that is wrong with it."""
    listed = sorted(set(values))
    errors = [invalid("key", key, "; ".join(found))] if (found := qualified_name(key)) else []
    match operator:
        case "in" | "notin" if not listed:
            errors.append(invalid("values", listed, "for 'in', 'notin' operators, values set can't be empty"))
        case "exists" | "!" if listed:
            errors.append(invalid("values", listed, "values set must be empty for exists and does not exist"))
        case "gt" | "lt" if not _INTEGER.fullmatch(listed[0]):
            errors.append(invalid("values[0]", listed[0], "for 'Gt', 'Lt' operators, the value must be an integer"))
    for index, value in enumerate(listed):
        if found := label_value(value):
            errors.append(invalid(f"values[{index}][{key}]", value, "; ".join(found)))
    if errors:
        raise BadRequest(prefix + _aggregate(errors))
    return Requirement(key, operator, frozenset(listed))


def _aggregate(errors: list[FieldError]) -> str:
    texts = [f"{error.field}: {error.detail}" for error in errors]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def parse_label_selector(text: str) -> LabelSelector:
    """Parses `env=prod,tier in (web,db),!old,size>3`. Raises: BadRequest."""
    return _Parser(text).selector()


class _Parser:
    """Recursive descent over the tokens; the end of the text is an empty token."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        for token in _TOKEN.findall(text):
            if token == "\0":
                break
            self._tokens.append(token.removesuffix("\0"))
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _fail(self, text: str) -> NoReturn:
        raise BadRequest(text)

    def selector(self) -> LabelSelector:
        requirements: list[Requirement] = []
        if (first := self._peek()) in _SPECIAL and first != "!":
            self._fail(f"found '{first}', expected: !, identifier, or 'end of string'")
        while self._peek():
            requirements.append(self._requirement())
            found = self._next()
            if not found:
                break
            if found != ",":
                self._fail(f"found '{found}', expected: ',' or 'end of string'")
            if not (after := self._peek()) or (after in _SPECIAL and after != "!"):
                self._fail(f"found '{after}', expected: identifier after ','")
        return LabelSelector(requirements)

    def _fail_requirement(self, text: str) -> NoReturn:
        self._fail(f"unable to parse requirement: {text}")

    def _requirement(self) -> Requirement:
        key = self._next()
        negated = key == "!"
        if negated:
            key = self._next()
        if not key or key in _SPECIAL:
            self._fail_requirement(f"found '{key}', expected: identifier")
        if found := qualified_name(key):
            self._fail_requirement(f"<nil>: {invalid('', key, '; '.join(found)).detail}")
        if self._peek() in ("", ","):
            return Requirement(key, "!" if negated else "exists")
        token = self._next()
        operator = _OPERATORS.get(token)
        if operator is None:  # a "!" in front of a key with an operator is ignored, as upstream does
            self._fail_requirement(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if token in ("in", "notin") else self._value()
        return _requirement(key, operator, values, "unable to parse requirement: ")

    def _value(self) -> tuple[str]:
        if self._peek() in ("", ","):
            return ("",)
        value = self._next()
        if value in _SPECIAL:
            self._fail_requirement(f"found '{value}', expected: identifier")
        return (value,)

    def _values(self) -> set[str]:
        if (found := self._next()) != "(":
            self._fail_requirement(f"found '{found}' expected: '('")
        if (found := self._peek()) != "," and (not found or found in _SPECIAL - {")"}):
            self._fail_requirement(f"found '{found}', expected: ',', ')' or identifier")
        values: set[str] = set()
        expects_value = True
        while (token := self._next()) != ")":
            if token == ",":
                if expects_value:
                    values.add("")
                expects_value = True
            elif not token or token in _SPECIAL:
                self._fail_requirement(f"found '{token}', expected: ',', or identifier")
            elif not expects_value:
                self._fail_requirement(f"found '{token}', expected: ',' or ')'")
            else:
                values.add(token)
                expects_value = False
                if (after := self._peek()) not in (",", ")"):
                    self._fail_requirement(f"found '{after}', expected: ',' or ')'")
        if expects_value:
            values.add("")
        return values


class FieldTerm(Struct, frozen=True):
    """`key=value`, or with `equal` false `key!=value`."""

    key: str
    value: str
    equal: bool = True


class FieldSelector(Struct, frozen=True):
    """All terms must hold; without any it matches everything."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """`fields` maps the kind's selectable fields to an object's values; an absent one counts as empty."""
        return all((fields.get(term.key, "") == term.value) == term.equal for term in self.terms)


_TERM_SPLIT = re.compile(r"((?:[^\\,]|\\.)*\\?)(?:,|$)", re.DOTALL)
_ASSIGNMENT = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)


def parse_field_selector(text: str) -> FieldSelector:
    r"""Parses `spec.nodeName=a,status.phase!=Running`; `\` escapes `,`, `=` and itself in values. Raises: BadRequest."""
    terms = []
    for part in sorted(_TERM_SPLIT.findall(text)):
        if not part:
            continue
        matched = _ASSIGNMENT.fullmatch(part)
        if not matched:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        key, operator, value = matched.groups()
        terms.append(FieldTerm(key, _unescape(value), operator != "!="))
    return FieldSelector(tuple(terms))


def _unescape(value: str) -> str:
    if not re.search(r"[\\,=]", value):
        return value
    plain: list[str] = []
    chars = iter(value)
    for char in chars:
        if char == "\\":
            escaped = next(chars, "")
            if escaped not in ("\\", ",", "="):
                raise BadRequest(f"invalid field selector: invalid escape sequence: \\{escaped}")
            plain.append(escaped)
        elif char in ",=":
            raise BadRequest(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            plain.append(char)
    return "".join(plain)
