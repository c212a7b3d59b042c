"""Expressions of admission: match conditions of webhooks and policies, and what policies validate by. Pure.

They see `object`, `oldObject`, `request`, `namespaceObject`, and where it is said `params`, `authorizer` and `variables`, which
are evaluated when they are first asked for.
Source: k8s.io/apiserver v0.33 pkg/admission/plugin/cel/{compile,activation,composition}.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.cel.errors import CelError, CompileError
from kubelite.api.cel.frame import Frame
from kubelite.api.cel.library_authorizer import AUTHORIZER, Authorizer, ResourceCheck
from kubelite.api.cel.program import PER_CALL, Outcome, Program, compile_expression
from kubelite.api.cel.types import BOOL, DYN, INT, NULL, STRING, TIMESTAMP, Type, list_of, map_of, object_type

#: What the expressions of a policy may cost for one object; the match conditions of a webhook or policy by themselves.
BUDGET = 10_000_000
MATCH_BUDGET = BUDGET // 4
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


def _object(name: str, /, **fields: Type) -> Type:
    return object_type(f"kubernetes.{name}", {key: (key, type_) for key, type_ in fields.items()})


_STRINGS = list_of(STRING)
_LABELS = map_of(STRING, STRING)
_KIND = _object("GroupVersionKind", group=STRING, version=STRING, kind=STRING)
_RESOURCE = _object("GroupVersionResource", group=STRING, version=STRING, resource=STRING)
_USER = _object("UserInfo", username=STRING, uid=STRING, groups=_STRINGS, extra=map_of(STRING, _STRINGS))
_REQUEST = _object(
    "AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)
_CONDITION = _object(
    "NamespaceCondition", status=STRING, type=STRING, message=STRING, reason=STRING, lastTransitionTime=TIMESTAMP
)
_METADATA = _object(
    "NamespaceMetadata",
    name=STRING,
    generateName=STRING,
    namespace=STRING,
    labels=_LABELS,
    annotations=_LABELS,
    UID=STRING,
    creationTimestamp=TIMESTAMP,
    deletionGracePeriodSeconds=INT,
    deletionTimestamp=TIMESTAMP,
    generation=INT,
    resourceVersion=STRING,
    finalizers=_STRINGS,
)
_NAMESPACE = _object(
    "Namespace",
    metadata=_METADATA,
    spec=_object("NamespaceSpec", finalizers=_STRINGS),
    status=_object("NamespaceStatus", phase=STRING, conditions=list_of(_CONDITION)),
)
_ALWAYS = {"object": DYN, "oldObject": DYN, "request": _REQUEST, "namespaceObject": _NAMESPACE}
_RIGHTS = {"authorizer": Type(Authorizer.type_name), "authorizer.requestResource": Type(ResourceCheck.type_name)}


class Compiled(Struct, frozen=True, kw_only=True):
    """An expression of a policy; `error` says why it is none."""

    source: str
    program: Program | None = None
    error: str = ""


class Declared(Struct, frozen=True, kw_only=True):
    """What expressions may refer to."""

    has_params: bool = False
    has_authorizer: bool = True
    variables: tuple[tuple[str, Type], ...] | None = None

    def types(self) -> dict[str, Type]:
        types = {**_ALWAYS, **(_RIGHTS if self.has_authorizer else {})}
        if self.has_params:
            types["params"] = DYN
        if self.variables is not None:
            types["variables"] = _object("variables", **dict(self.variables))
        return types


def compile_one(source: str, declared: Declared, returns: tuple[Type, ...] = ()) -> Compiled:
    """`returns`: the types of which it must be one; any, if there are none."""
    try:
        program = compile_expression(source, declared.types(), extra=AUTHORIZER)
    except CompileError as error:
        return Compiled(source=source, error=error.detail)
    if returns and program.type not in returns:
        wanted = f"to {returns[0]}" if len(returns) == 1 else f"to one of [{' '.join(map(str, returns))}]"
        return Compiled(source=source, error=f"must evaluate {wanted} but got {program.type}")
    return Compiled(source=source, program=program)


@lru_cache(maxsize=1024)
def compile_condition(source: str, *, has_params: bool = False) -> Compiled:
    """A match condition."""
    return compile_one(source, Declared(has_params=has_params), (BOOL,))


class Policy(Struct, frozen=True, kw_only=True):
    """A policy's expressions, in its own order. `messages` are None where there is none."""

    conditions: tuple[tuple[str, Compiled], ...]
    variables: tuple[tuple[str, Compiled], ...]
    validations: tuple[Compiled, ...]
    messages: tuple[Compiled | None, ...]
    annotations: tuple[tuple[str, Compiled], ...]


def compile_policy(spec: registration.ValidatingAdmissionPolicySpec) -> Policy:
    has_params = spec.param_kind is not None
    types: list[tuple[str, Type]] = []
    variables: list[tuple[str, Compiled]] = []
    for variable in spec.variables:  # each sees those before it
        made = compile_one(variable.expression, Declared(has_params=has_params, variables=tuple(types)))
        variables.append((variable.name, made))
        types.append((variable.name, made.program.type if made.program is not None else DYN))
    declared = Declared(has_params=has_params, variables=tuple(types) if types else None)
    quiet = Declared(has_params=has_params, has_authorizer=False, variables=declared.variables)
    return Policy(
        conditions=tuple(
            (item.name, compile_condition(item.expression.strip(), has_params=has_params))
            for item in spec.match_conditions
        ),
        variables=tuple(variables),
        validations=tuple(compile_one(item.expression, declared, (BOOL,)) for item in spec.validations),
        messages=tuple(
            compile_one(item.message_expression, quiet, (STRING,)) if item.message_expression else None
            for item in spec.validations
        ),
        annotations=tuple(
            (item.key, compile_one(item.value_expression.strip(), declared, (STRING, NULL)))
            for item in spec.audit_annotations
        ),
    )


# -- evaluating ------------------------------------------------------------------------------------------------------------


class Spent(Exception):
    """There is no budget left for the other expressions."""


class Evaluation:
    """The expressions of one webhook or policy for one request; their cost adds up."""

    def __init__(
        self, values: Mapping[str, Any], *, variables: Iterable[tuple[str, Compiled]] = (), budget: int = BUDGET
    ) -> None:
        self._values = dict(values)
        self._values["variables"] = _Variables(dict(variables), self._values)
        self._left = budget

    def run(self, compiled: Compiled) -> Outcome:
        """The value, or an error as upstream words it. Raises: Spent."""
        if compiled.program is None:
            return Outcome(error=f"compilation error: {compiled.error}")
        outcome = compiled.program.evaluate(self._values, limit=min(PER_CALL, max(self._left, 0)))
        self._left -= outcome.cost
        if outcome.is_exceeded and self._left <= 0:
            raise Spent(_OUT_OF_BUDGET)
        if outcome.error:
            return Outcome(
                error=f"expression '{compiled.source}' resulted in error: {outcome.error}", cost=outcome.cost
            )
        return outcome


class _Variables:
    """Implements `frame.Fields`: a policy's variables, each evaluated once."""

    def __init__(self, compiled: Mapping[str, Compiled], values: Mapping[str, Any]) -> None:
        self._compiled = compiled
        self._values = values
        self._known: dict[str, Any] = {}

    def field(self, name: str, frame: Frame) -> Any:
        if name in self._known:
            return self._known[name]
        compiled = self._compiled[name]
        if compiled.program is None:
            raise CelError(f'composited variable "{name}" fails to compile: {compiled.error}')
        inner = Frame(dict(self._values), frame.left)
        try:
            self._known[name] = compiled.program.run(inner)
        except CelError as error:
            raise CelError(f'composited variable "{name}" fails to evaluate: {error}') from error
        finally:
            frame.left = inner.left
        return self._known[name]


def matches(conditions: Iterable[Compiled], evaluation: Evaluation, *, failure_policy: str | None) -> tuple[bool, str]:
    """(whether all hold, why that cannot be said). One that does not hold decides, whatever is wrong with others."""
    problems: list[str] = []
    try:
        for compiled in conditions:
            outcome = evaluation.run(compiled)
            if outcome.error:
                problems.append(outcome.error)
            elif outcome.value is False:
                return False, ""
    except Spent as error:
        problems = [str(error)]
    if not problems:
        return True, ""
    if failure_policy == "Ignore":
        return False, ""
    return False, problems[0] if len(problems) == 1 else f"[{', '.join(dict.fromkeys(problems))}]"
