"""ClusterRoles with an aggregation rule have the rules of all that it selects.

Called by `client/host` per ClusterRole. Source: k8s.io/kubernetes pkg/controller/clusterroleaggregation
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.meta import Object
from kubelite.api.rbac_v1 import ClusterRole, PolicyRule
from kubelite.api.selectors import matches
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch


def _keys(view: View, old: ClusterRole | None, new: ClusterRole | None) -> Iterable[Key]:
    if old is not None and new is not None and old.rules == new.rules and old.metadata.labels == new.metadata.labels:
        if old.aggregation_rule != new.aggregation_rule:
            yield new.metadata.name
        return
    yield from (role.metadata.name for role in view.list(ClusterRole) if role.aggregation_rule is not None)


class ClusterRoleAggregator:
    name = "clusterrole-aggregation-controller"
    watches = (Watch(ClusterRole, _keys),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        role = view.get(ClusterRole, key)
        if role is None or role.aggregation_rule is None:
            return Plan()
        roles = sorted(view.list(ClusterRole), key=lambda entry: entry.metadata.name)
        found: list[PolicyRule] = []
        for selector in role.aggregation_rule.cluster_role_selectors:
            for other in roles:
                if other.metadata.name != key and matches(selector, other.metadata.labels):
                    found += [rule for rule in other.rules if rule not in found]
        if tuple(found) == role.rules:
            return Plan()
        return Plan(writes=(Update(replace(role, rules=tuple(found))),))
