"""What expressions of admission may ask about rights. Pure: whoever evaluates says how such a question is answered.

Source: k8s.io/apiserver pkg/cel/library/authz.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from msgspec.structs import replace

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.values import Opaque

_PREFIX = "kubernetes.authorization"


class Question(Opaque, frozen=True, kw_only=True):
    """`account`: the (namespace, name) of the service account that it is about, else it is about who asked."""

    type_name: ClassVar[str] = f"{_PREFIX}.ResourceCheck"
    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    account: tuple[str, str] | None = None


#: Answers with whether it is allowed, and why.
Ask = Callable[[Question], tuple[bool, str]]


class _Asking(Opaque, frozen=True):
    ask: Ask
    question: Question = Question()


class Authorizer(_Asking, frozen=True):
    type_name: ClassVar[str] = f"{_PREFIX}.Authorizer"


class PathCheck(_Asking, frozen=True):
    type_name: ClassVar[str] = f"{_PREFIX}.PathCheck"


class GroupCheck(_Asking, frozen=True):
    type_name: ClassVar[str] = f"{_PREFIX}.GroupCheck"


class ResourceCheck(_Asking, frozen=True):
    type_name: ClassVar[str] = f"{_PREFIX}.ResourceCheck"


class Decision(Opaque, frozen=True):
    type_name: ClassVar[str] = f"{_PREFIX}.Decision"
    allowed: bool
    reason: str


def _narrowed(name: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    return lambda check, value: ResourceCheck(check.ask, replace(check.question, **{name: value}))


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path:
        raise CelError("path must not be empty")
    return PathCheck(authorizer.ask, replace(authorizer.question, path=path))


def _group(authorizer: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(authorizer.ask, replace(authorizer.question, group=group))


def _account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if not namespace or not name:
        raise CelError("Invalid service account namespace or name")
    return Authorizer(authorizer.ask, replace(authorizer.question, account=(namespace, name)))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    return ResourceCheck(check.ask, replace(check.question, resource=resource))


def _check(check: _Asking, verb: str) -> Decision:
    allowed, reason = check.ask(replace(check.question, verb=verb))
    return Decision(allowed, reason)


def _signatures(text: str) -> str:
    """The names of types in full."""
    for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision"):
        text = text.replace(name, f"{_PREFIX}.{name}")
    return text


_SHORT: dict[str, Callable[..., Any]] = {
    "Authorizer.path(string): PathCheck": _path,
    "Authorizer.group(string): GroupCheck": _group,
    "Authorizer.serviceAccount(string, string): Authorizer": _account,
    "GroupCheck.resource(string): ResourceCheck": _resource,
    "ResourceCheck.subresource(string): ResourceCheck": _narrowed("subresource"),
    "ResourceCheck.namespace(string): ResourceCheck": _narrowed("namespace"),
    "ResourceCheck.name(string): ResourceCheck": _narrowed("name"),
    "ResourceCheck.fieldSelector(string): ResourceCheck": lambda check, _: check,
    "ResourceCheck.labelSelector(string): ResourceCheck": lambda check, _: check,
    "PathCheck.check(string): Decision": _check,
    "ResourceCheck.check(string): Decision": _check,
    "Decision.allowed(): bool": lambda decision: decision.allowed,
    "Decision.reason(): string": lambda decision: decision.reason,
    "Decision.errored(): bool": lambda _: False,
    "Decision.error(): string": lambda _: "",
}
AUTHORIZER: tuple[tuple[str, Callable[..., Any]], ...] = tuple((_signatures(text), run) for text, run in _SHORT.items())
