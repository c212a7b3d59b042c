"""The RBAC evaluator: roles and bindings in, a decision and its reason out. Pure.

Rules are additive, nothing denies. Bindings are found by subject, so that a decision costs what the user's bindings hold.
Source: kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kubelite.api import rbac_v1 as rbac
from kubelite.api.meta import LabelSelector, Object
from kubelite.apiserver.interface import User

if TYPE_CHECKING:
    from kubelite.apiserver.authz import Attributes

Binding = rbac.ClusterRoleBinding | rbac.RoleBinding
Role = rbac.ClusterRole | rbac.Role
_SubjectKey = tuple[str, str]
_SA = "system:serviceaccount:"
#: Questions whose rules are kept.
_QUESTIONS = 4096


class Rules:
    """Every role and binding."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._by_subject: dict[_SubjectKey, dict[tuple[str, str, str], Binding]] = {}
        self._found: dict[tuple[object, ...], list[tuple[str, rbac.PolicyRule]]] = {}

    def clear(self) -> None:
        self._objects.clear()
        self._by_subject.clear()
        self._found.clear()

    def like(self, obj: Object) -> Object | None:
        """The one of that kind and name."""
        return self._objects.get(_key(obj))

    def apply(self, obj: Object, *, deleted: bool = False) -> None:
        """One change of a role or binding."""
        self._found.clear()
        key = _key(obj)
        old = self._objects.pop(key, None)
        if isinstance(old, Binding):
            for subject in _subjects(old):
                self._by_subject[subject].pop(key, None)
        if deleted:
            return
        self._objects[key] = obj
        if isinstance(obj, Binding):
            for subject in _subjects(obj):
                self._by_subject.setdefault(subject, {})[key] = obj

    def allow(self, asked: Attributes) -> tuple[bool, str]:
        """Whether a rule allows it, and which binding did."""
        for why, rule in self._concerning(asked):
            if not rule.resource_names or asked.name in rule.resource_names:
                return True, f"RBAC: allowed by {why}"
        return False, ""

    def _concerning(self, asked: Attributes) -> list[tuple[str, rbac.PolicyRule]]:
        """The rules that allow it for all or some names. Clients ask the same again and again: kept until a rule changes."""
        user = asked.user
        where = asked.path or (asked.group, asked.resource, asked.subresource)
        question = (user.name, user.groups, asked.verb, where, asked.namespace)
        if (found := self._found.get(question)) is None:
            if len(self._found) >= _QUESTIONS:
                self._found.clear()
            found = [each for each in self.visit(user, asked.namespace) if rule_concerns(each[1], asked)]
            self._found[question] = found
        return found

    def visit(self, user: User, namespace: str) -> Iterator[tuple[str, rbac.PolicyRule]]:
        """(why, rule) of all that applies to `user` in `namespace`: cluster-wide bindings first."""
        subjects: list[_SubjectKey] = [("User", user.name), *(("Group", group) for group in user.groups)]
        found = [(subject, item) for subject in subjects for item in self._by_subject.get(subject, {}).values()]
        for subject, binding in found:
            if isinstance(binding, rbac.ClusterRoleBinding):
                yield from self._rules_of(binding, "", subject)
        for subject, binding in found if namespace else ():
            if isinstance(binding, rbac.RoleBinding) and binding.metadata.namespace == namespace:
                yield from self._rules_of(binding, namespace, subject)

    def _rules_of(
        self, binding: Binding, namespace: str, subject: _SubjectKey
    ) -> Iterator[tuple[str, rbac.PolicyRule]]:
        ref = binding.role_ref
        role = self._objects.get((ref.kind, namespace if ref.kind == "Role" else "", ref.name))
        if not isinstance(role, Role):
            return
        name = f"{binding.metadata.name}/{namespace}" if namespace else binding.metadata.name
        whom = f'{subject[0]} "{subject[1]}"'
        if subject[0] == "User" and subject[1].startswith(_SA):
            whom = f'ServiceAccount "{"/".join(reversed(subject[1].removeprefix(_SA).split(":")))}"'
        why = f'{binding.kind} "{name}" of {ref.kind} "{ref.name}" to {whom}'
        for rule in self.rules_of_role(role):
            yield why, rule

    def rules_of_role(self, role: Role) -> Iterator[rbac.PolicyRule]:
        """A role's rules, with those it aggregates."""
        yield from role.rules
        if isinstance(role, rbac.ClusterRole) and role.aggregation_rule:
            for other in list(self._objects.values()):
                if isinstance(other, rbac.ClusterRole) and not other.aggregation_rule:
                    selectors = role.aggregation_rule.cluster_role_selectors
                    if any(_selects(selector, other) for selector in selectors):
                        yield from other.rules


def rule_concerns(rule: rbac.PolicyRule, asked: Attributes) -> bool:
    """Whether the rule allows it, for the names that it is about.

    >>> from kubelite.apiserver.authz import Attributes
    >>> rule = rbac.PolicyRule(verbs=("get",), api_groups=("",), resources=("pods/*",))
    >>> rule_concerns(rule, Attributes(user=User(name="x"), verb="get", resource="pods", subresource="log"))
    False
    """
    if "*" not in rule.verbs and asked.verb not in rule.verbs:
        return False
    if not asked.resource:
        return any(_path_matches(pattern, asked.path) for pattern in rule.non_resource_urls)
    if "*" not in rule.api_groups and asked.group not in rule.api_groups:
        return False
    return _resource_matches(rule.resources, asked)


def _resource_matches(resources: tuple[str, ...], asked: Attributes) -> bool:
    if "*" in resources or asked.full_resource in resources:
        return True
    return bool(asked.subresource) and f"*/{asked.subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def _selects(selector: LabelSelector, role: rbac.ClusterRole) -> bool:
    return all(role.metadata.labels.get(key) == value for key, value in selector.match_labels.items())


def _key(obj: Object) -> tuple[str, str, str]:
    return obj.kind, obj.metadata.namespace, obj.metadata.name


def _subjects(binding: Binding) -> Iterator[_SubjectKey]:
    for subject in binding.subjects:
        if subject.kind == "ServiceAccount":
            namespace = subject.namespace or binding.metadata.namespace
            yield "User", f"{_SA}{namespace}:{subject.name}"
        else:
            yield subject.kind, subject.name
