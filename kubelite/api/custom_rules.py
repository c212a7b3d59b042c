"""The rules in a custom kind's schema: compiled once for each version, held against the objects. Pure.

A rule sees the value it stands at as `self`, and on updates the value that this replaces as `oldSelf`, where one can say which
that is. Rules about what did not change, and was wrong before, are let pass (ratcheting).
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/schema/cel/{compilation,validation}.go
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from kubelite.api.cel.errors import CompileError
from kubelite.api.cel.program import PER_CALL, Outcome, Program, compile_expression
from kubelite.api.cel.types import BOOL, STRING, Type, optional_of
from kubelite.api.cel.values import NONE, Optional
from kubelite.api.custom import Definition
from kubelite.api.custom_rules_schema import Convert, Schema, converter, declare, with_head
from kubelite.api.errors import FieldError
from kubelite.api.validation_field import Errors, forbidden, required, show

#: What all rules of an object may cost together. Source: k8s.io/apiserver pkg/apis/cel/config.go
_BUDGET = 10_000_000
_LONGEST_MESSAGE = 5 * 1024
_REASONS = {"FieldValueForbidden": forbidden, "FieldValueRequired": required}
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Rule(Struct, frozen=True, kw_only=True):
    """A rule as it is evaluated. `error`: why it cannot be."""

    text: str
    message: str
    reason: str = ""
    field_path: str = ""
    program: Program | None = None
    message_program: Program | None = None
    error: str = ""
    message_error: str = ""
    uses_old: bool = False
    is_old_optional: bool = False

    @property
    def shown(self) -> str:
        return self.message or self.text


class RuleNode(Struct, frozen=True, kw_only=True):
    """The rules of a schema, and those of its parts; parts without any are left out."""

    type: str
    rules: tuple[Rule, ...] = ()
    convert: Convert | None = None
    properties: dict[str, RuleNode] = {}
    additional: RuleNode | None = None
    items: RuleNode | None = None
    all_of: tuple[RuleNode, ...] = ()
    keys: tuple[str, ...] = ()  #: those of a list that is a map


# -- compiling -------------------------------------------------------------------------------------------------------------


class _Key:
    """A definition, told from others by its schema's text."""

    def __init__(self, definition: Definition) -> None:
        self.schema = definition.schema
        self._text = definition.etag or msgspec.json.encode(definition.schema)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text


@lru_cache(maxsize=256)
def _compiled(key: _Key) -> RuleNode | None:
    return compile_node(key.schema, key.schema, is_root=True)


def rules_of(definition: Definition) -> RuleNode | None:
    """The rules of a version; None if it has none."""
    return _compiled(_Key(definition))


def compile_node(schema: Schema, structure: Schema, *, is_root: bool = False) -> RuleNode | None:
    """`structure` says the form of the values where `schema` is a part of it under allOf."""
    is_whole = is_root or bool(structure.get("x-kubernetes-embedded-resource"))
    shape = with_head(structure) if is_whole else structure
    rules: tuple[Rule, ...] = ()
    if schema.get("x-kubernetes-validations"):
        type_ = declare(structure, is_root=is_root)
        rules = tuple(compile_rule(each, type_) for each in schema["x-kubernetes-validations"])
    properties: dict[str, RuleNode] = {}
    for name, part in schema.get("properties", {}).items():
        form = structure.get("properties", {}).get(name)
        if isinstance(form, dict) and (node := compile_node(part, form)) is not None:
            properties[name] = node
    inner: dict[str, RuleNode | None] = {}
    for name in ("items", "additionalProperties"):
        part, form = schema.get(name), structure.get(name)
        is_there = isinstance(part, dict) and isinstance(form, dict)
        inner[name] = compile_node(part, form) if is_there else None  # type: ignore[arg-type]  # both are dicts
    parts = (compile_node(part, structure, is_root=is_root) for part in schema.get("allOf", ()))
    all_of = tuple(node for node in parts if node is not None)
    if not (rules or properties or all_of or any(inner.values())):
        return None
    is_map = structure.get("x-kubernetes-list-type") == "map"
    return RuleNode(
        type=shape.get("type", ""),
        rules=rules,
        convert=converter(shape) if rules else None,
        properties=properties,
        additional=inner["additionalProperties"],
        items=inner["items"],
        all_of=all_of,
        keys=tuple(structure.get("x-kubernetes-list-map-keys", ())) if is_map else (),
    )


def compile_rule(plain: Schema, type_: Type | None) -> Rule:
    text, is_optional = str(plain.get("rule", "")).strip(), bool(plain.get("optionalOldSelf"))
    rule = Rule(
        text=text,
        message=plain.get("message", "").strip(),
        reason=plain.get("reason") or "",
        field_path=normal_path(plain.get("fieldPath", "")),
        is_old_optional=is_optional,
    )
    if not text:
        return rule
    if type_ is None:
        return msgspec.structs.replace(rule, error="failed to convert to declType for CEL validation rules")
    declared = {"self": type_, "oldSelf": optional_of(type_) if is_optional else type_}
    try:
        program = compile_expression(plain["rule"], declared)
    except CompileError as error:
        return msgspec.structs.replace(rule, error=error.detail)
    if program.type != BOOL:
        return msgspec.structs.replace(rule, error="cel expression must evaluate to a bool")
    rule = msgspec.structs.replace(rule, program=program, uses_old="oldSelf" in program.names)
    if not plain.get("messageExpression"):
        return rule
    try:
        message = compile_expression(plain["messageExpression"], declared)
    except CompileError as error:
        return msgspec.structs.replace(rule, message_error=f"messageExpression {error.detail}")
    if message.type != STRING:
        return msgspec.structs.replace(rule, message_error="messageExpression must evaluate to a string")
    return msgspec.structs.replace(rule, message_program=message)


def normal_path(path: str) -> str:
    """A rule's field path as errors show it.

    >>> normal_path(".a.b['c.d']")
    'a.b[c.d]'
    """
    return path.strip().removeprefix(".").replace("['", "[").replace("']", "]")


# -- evaluating ------------------------------------------------------------------------------------------------------------


def check_rules(node: RuleNode, value: Any, old: Any) -> Errors:
    """What is wrong with `value`, which is to replace `old`; that is None if there is none."""
    run = _Run()
    state = _Old(old, is_known=True) if old is not None else _Old(None)
    with suppress(_Spent):  # what was found until then is told
        run.check(node, value, state, "")
    return run.found


class _Spent(Exception):
    """No further rules are evaluated."""


class _Old(Struct, frozen=True):
    """What a value replaces. `is_known`: one can say what; if not, whether something above it is unchanged."""

    value: Any
    is_known: bool = False
    is_inside_same: bool = False

    def is_same(self, value: Any) -> bool:
        return value == self.value if self.is_known else self.is_inside_same

    def part(self, whole: Any, old: Any) -> _Old:
        """`old`: None where nothing corresponds."""
        if old is not None:
            return _Old(old, is_known=True)
        return _Old(None, is_inside_same=self.is_same(whole))


class _Run:
    """Holds rules against one object."""

    def __init__(self) -> None:
        self.found: Errors = []
        self._left = _BUDGET

    def check(self, node: RuleNode, value: Any, old: _Old, path: str) -> None:
        if value is None:
            return
        self._apply(node, value, old, path)
        for part in node.all_of:
            self.check(part, value, old, path)
        if isinstance(value, list) and node.items is not None:
            known = _by_keys(old.value, node.keys)
            for index, item in enumerate(value):
                before = known.get(_key(item, node.keys)) if node.keys else None
                self.check(node.items, item, old.part(value, before), f"{path}[{index}]")
        elif isinstance(value, dict):
            before = old.value if isinstance(old.value, dict) else {}
            for key, item in value.items():
                if (inner := node.properties.get(key)) is not None:
                    self.check(inner, item, old.part(value, before.get(key)), f"{path}.{key}" if path else key)
                elif node.additional is not None and key not in node.properties:
                    self.check(node.additional, item, old.part(value, before.get(key)), f"{path}[{key}]")

    def _apply(self, node: RuleNode, value: Any, old: _Old, path: str) -> None:
        if not node.rules:
            return
        convert = node.convert or (lambda each: each)
        own, before = convert(value), convert(old.value)
        for rule in node.rules:
            if rule.error:
                self._tell(node, path, f"rule compile error: {rule.error}")
            if rule.program is None or (rule.uses_old and old.value is None and not rule.is_old_optional):
                continue
            given = before
            if rule.is_old_optional:
                given = Optional(before, True) if old.value is not None else NONE
            variables = {"self": own, "oldSelf": given}
            outcome = self._evaluate(rule.program, variables, node, path, f"rule: {rule.shown}")
            if outcome.error:
                if outcome.error.startswith("no such overload"):
                    why = "call arguments did not match a supported operator, function or macro signature for rule"
                    self._tell(node, path, f"'{outcome.error}': {why}: {rule.shown}")
                else:
                    self._tell(node, path, f"{outcome.error} evaluating rule: {rule.shown}")
            elif outcome.value is not True and (rule.uses_old or not old.is_same(value)):
                self._refuse(rule, variables, node, path)

    def _evaluate(self, program: Program, variables: dict[str, Any], node: RuleNode, path: str, what: str) -> Outcome:
        """Raises: _Spent."""
        if self._left <= 0:
            self._tell(node, path, _OUT_OF_BUDGET)
            raise _Spent
        outcome = program.evaluate(variables, limit=min(PER_CALL, self._left))
        self._left -= outcome.cost
        if outcome.is_exceeded:
            if self._left <= 0:
                self._tell(node, path, _OUT_OF_BUDGET)
            else:
                why = "no further validation rules will be run due to call cost exceeds limit for"
                self._tell(node, path, f"'{outcome.error}': {why} {what}")
            raise _Spent
        return outcome

    def _refuse(self, rule: Rule, variables: dict[str, Any], node: RuleNode, path: str) -> None:
        message = rule.message or f"failed rule: {rule.text}"
        where = f"{path}.{rule.field_path}".removeprefix(".") if rule.field_path else path
        if rule.message_program is not None:
            what = f'messageExpression: "{rule.message_program.source}"'
            outcome = self._evaluate(rule.message_program, variables, node, where, what)
            text = outcome.value.strip() if isinstance(outcome.value, str) else ""
            if text and len(text.encode()) <= _LONGEST_MESSAGE and "\n" not in text and "\r" not in text:
                message = text
        where = where or "<nil>"
        if (make := _REASONS.get(rule.reason)) is not None:
            self.found.append(make(where, message))
        elif rule.reason == "FieldValueDuplicate":
            self.found.append(FieldError(rule.reason, where, f"Duplicate value: {show(node.type)}"))
        else:
            self._tell(node, where, message)

    def _tell(self, node: RuleNode, path: str, text: str) -> None:
        self.found.append(FieldError("FieldValueInvalid", path or "<nil>", f"Invalid value: {show(node.type)}: {text}"))


def _key(item: Any, keys: tuple[str, ...]) -> str:
    return repr([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _by_keys(items: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(items, list) or not keys:
        return {}
    return {_key(item, keys): item for item in items if isinstance(item, dict)}
