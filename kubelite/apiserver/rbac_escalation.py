"""Nobody grants what he does not hold: the check of roles and bindings that are written. An admission plugin.

Who may `escalate` a role or `bind` to one is exempt, and so is who may do everything.
Source: kubernetes pkg/registry/rbac/{role,rolebinding}/policybased, pkg/registry/rbac/validation/policy_comparator.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import msgspec

from kubelite.api import rbac_v1 as rbac
from kubelite.api.errors import forbidden
from kubelite.apiserver import authz
from kubelite.apiserver.admission import Attributes, Finder
from kubelite.apiserver.rbac import Role, Rules

_GROUP = "rbac.authorization.k8s.io"


class EscalationCheck:
    """Implements `admission.Plugin`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        """Raises: Forbidden."""
        if attributes.resource.group != _GROUP or attributes.operation not in ("CREATE", "UPDATE"):
            return obj
        if authz.MASTERS in attributes.user.groups:
            return obj
        if isinstance(obj, Role):
            changed = old is None or obj.rules != old.rules
            if changed and not self._may(attributes, "escalate", attributes.resource.plural, obj.metadata.name):
                self._check(attributes, obj.metadata.name, obj.rules)
        elif isinstance(obj, rbac.RoleBinding | rbac.ClusterRoleBinding):
            ref = obj.role_ref
            changed = old is None or (ref, obj.subjects) != (old.role_ref, old.subjects)
            plural = "roles" if ref.kind == "Role" else "clusterroles"
            if changed and not self._may(attributes, "bind", plural, ref.name):
                type_: Any = rbac.Role if ref.kind == "Role" else rbac.ClusterRole
                role = await finder.find(type_, ref.name, attributes.namespace if ref.kind == "Role" else "")
                self._check(attributes, obj.metadata.name, role.rules if role is not None else ())
        return obj

    def _may(self, attributes: Attributes, verb: str, plural: str, name: str) -> bool:
        asked = authz.Attributes(
            user=attributes.user,
            verb=verb,
            group=_GROUP,
            resource=plural,
            namespace=attributes.namespace,
            name=name,
        )
        return self._rules.allow(asked)[0]

    def _check(self, attributes: Attributes, name: str, wanted: Sequence[rbac.PolicyRule]) -> None:
        held = [rule for _, rule in self._rules.visit(attributes.user, attributes.namespace)]
        missing = [simple for rule in wanted for simple in break_down(rule) if not is_covered(simple, held)]
        if missing:
            user = attributes.user
            groups = " ".join(f'"{group}"' for group in user.groups)
            what = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:'
            listed = "\n".join(_describe(rule) for rule in compact(missing))
            raise forbidden(_GROUP, attributes.resource.plural, name, f"{what}\n{listed}")


def break_down(rule: rbac.PolicyRule) -> Iterator[rbac.PolicyRule]:
    """Rules of one verb, group, resource and name each."""
    names: list[tuple[str, ...]] = [(name,) for name in rule.resource_names] or [()]
    for verb, group, resource, named in product(rule.verbs, rule.api_groups, rule.resources, names):
        yield rbac.PolicyRule(verbs=(verb,), api_groups=(group,), resources=(resource,), resource_names=named)
    for verb, path in product(rule.verbs, rule.non_resource_urls):
        yield rbac.PolicyRule(verbs=(verb,), non_resource_urls=(path,))


def is_covered(simple: rbac.PolicyRule, held: Iterable[rbac.PolicyRule]) -> bool:
    return any(_covers(rule, simple) for rule in held)


def _covers(rule: rbac.PolicyRule, simple: rbac.PolicyRule) -> bool:
    if not _has(rule.verbs, simple.verbs[0]):
        return False
    if simple.non_resource_urls:
        path = simple.non_resource_urls[0]
        return any(
            pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))
            for pattern in rule.non_resource_urls
        )
    resource = simple.resources[0]
    _, slash, subresource = resource.partition("/")
    of_any = bool(slash) and f"*/{subresource}" in rule.resources
    named = not rule.resource_names or (bool(simple.resource_names) and simple.resource_names[0] in rule.resource_names)
    return _has(rule.api_groups, simple.api_groups[0]) and (_has(rule.resources, resource) or of_any) and named


def _has(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values


def compact(rules: Iterable[rbac.PolicyRule]) -> list[rbac.PolicyRule]:
    """One rule per group and resource, with all its verbs."""
    merged: dict[Any, rbac.PolicyRule] = {}
    for rule in rules:
        key = (rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls)
        known = merged.get(key)
        verbs = tuple(dict.fromkeys((*(known.verbs if known else ()), *rule.verbs)))
        merged[key] = msgspec.structs.replace(rule, verbs=verbs)
    return list(merged.values())


def _describe(rule: rbac.PolicyRule) -> str:
    def quoted(values: Sequence[str]) -> str:
        return "[" + ", ".join(f'"{value}"' for value in values) + "]"

    parts = {
        "APIGroups": rule.api_groups,
        "Resources": rule.resources,
        "ResourceNames": rule.resource_names,
        "NonResourceURLs": rule.non_resource_urls,
        "Verbs": rule.verbs,
    }
    return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in parts.items() if values) + "}"
