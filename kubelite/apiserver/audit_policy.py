"""What the audit log holds of a request: the first rule of the policy that fits it. Pure.

Source: k8s.io/apiserver pkg/apis/audit/{v1/types,validation/validation}.go, pkg/audit/policy/checker.go,
https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Literal

import msgspec

from kubelite.apiserver.interface import User
from kubelite.apiserver.request import RequestInfo

Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


class Level(IntEnum):
    """How much: nothing, who did what, what was sent too, what was answered too."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def wire(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))


_LEVELS = {level.wire: level for level in Level}


class Resources(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def fit(self, info: RequestInfo) -> bool:
        if self.group != info.group:
            return False
        if not self.resources:
            return True
        if self.resource_names and info.name not in self.resource_names:
            return False
        sub = info.subresource
        fitting = {"*", f"{info.resource}/{sub}" if sub else info.resource, f"{info.resource}/*"}
        return not fitting.union({f"*/{sub}"} if sub else ()).isdisjoint(self.resources)


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Every list that is given must have what the request is; a rule about resources and one about paths are apart."""

    level: str
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    def fits(self, user: User | None, info: RequestInfo) -> bool:
        if self.users and (user is None or user.name not in self.users):
            return False
        if self.user_groups and (user is None or set(self.user_groups).isdisjoint(user.groups)):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            if not info.is_resource or (self.namespaces and info.namespace not in self.namespaces):
                return False
            return not self.resources or any(each.fit(info) for each in self.resources)
        if self.non_resource_urls:
            return not info.is_resource and any(_path_fits(each, info.path) for each in self.non_resource_urls)
        return True


def _path_fits(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.removesuffix("*")))


class Wanted(msgspec.Struct, frozen=True):
    """What is logged of one request."""

    level: Level = Level.NONE
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


class Policy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    rules: tuple[Rule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False

    def evaluate(self, user: User | None, info: RequestInfo) -> Wanted:
        for rule in self.rules:
            if rule.fits(user, info):
                omit = self.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
                return Wanted(_LEVELS[rule.level], frozenset((*rule.omit_stages, *self.omit_stages)), omit)
        return Wanted()


def parse_policy(value: Any) -> Policy:
    """Of a decoded policy file. Raises: ValueError, with what is wrong."""
    kind = (value.get("apiVersion"), value.get("kind")) if isinstance(value, dict) else None
    if kind != ("audit.k8s.io/v1", "Policy"):
        raise ValueError("it must be a Policy of audit.k8s.io/v1")
    try:
        policy = msgspec.convert(value, Policy)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    if not policy.rules:
        raise ValueError("it has no rules")
    for at, rule in enumerate(policy.rules):
        if problem := _problem(rule):
            raise ValueError(f"rules[{at}]: {problem}")
    return policy


def _problem(rule: Rule) -> str:
    if rule.level not in _LEVELS:
        return f"level must be one of {', '.join(_LEVELS)}"
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        return "rules cannot apply to both regular resources and non-resource URLs"
    return _paths_problem(rule.non_resource_urls)


def _paths_problem(patterns: Sequence[str]) -> str:
    for pattern in patterns:
        if pattern != "*" and not pattern.startswith("/"):
            return f"nonResourceURLs: {pattern!r} must begin with a slash or be *"
        if "*" in pattern[:-1]:
            return f"nonResourceURLs: {pattern!r} may have a * only at its end"
    return ""
