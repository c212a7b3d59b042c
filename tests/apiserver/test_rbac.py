"""What the rules allow, and to whom; what may be granted."""

from __future__ import annotations

import pytest

from kubelite.api import rbac_v1 as rbac
from kubelite.api.errors import Forbidden
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.admission import Attributes as Admitted
from kubelite.apiserver.authz import Attributes, forbidden
from kubelite.apiserver.interface import User
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.rbac_defaults import default_objects
from kubelite.apiserver.rbac_escalation import EscalationCheck
from tests.apiserver.registries import cluster

ALICE = User(name="alice", groups=("devs", "system:authenticated"))


def rule(verbs: str = "get", resources: str = "pods", groups: str = "", names: str = "") -> rbac.PolicyRule:
    return rbac.PolicyRule(
        verbs=tuple(verbs.split()),
        resources=tuple(resources.split()),
        api_groups=(groups,),
        resource_names=tuple(names.split()),
    )


def binding(kind: str, name: str, *subjects: rbac.Subject, namespace: str = "") -> rbac.RoleBinding:
    return rbac.RoleBinding(
        metadata=ObjectMeta(name="b", namespace=namespace),
        role_ref=rbac.RoleRef(kind=kind, name=name, api_group="rbac.authorization.k8s.io"),
        subjects=subjects,
    )


def rules_of(*held: rbac.PolicyRule) -> Rules:
    """One role, bound to alice."""
    rules = Rules()
    rules.apply(rbac.ClusterRole(metadata=ObjectMeta(name="role"), rules=held))
    bound = binding("ClusterRole", "role", rbac.Subject(kind="User", name="alice"))
    rules.apply(rbac.ClusterRoleBinding(metadata=bound.metadata, role_ref=bound.role_ref, subjects=bound.subjects))
    return rules


def defaults() -> Rules:
    rules = Rules()
    for obj in default_objects():
        rules.apply(obj)
    return rules


@pytest.mark.parametrize(
    ("held", "asked", "allowed"),
    [
        (rule(), {"verb": "get", "resource": "pods"}, True),
        (rule(), {"verb": "list", "resource": "pods"}, False),
        (rule(), {"verb": "get", "resource": "pods", "subresource": "log"}, False),
        (rule(resources="pods/log"), {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        (rule(resources="*/scale"), {"verb": "get", "resource": "deployments", "subresource": "scale"}, True),
        (rule(resources="*"), {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        (rule(names="a"), {"verb": "get", "resource": "pods", "name": "a"}, True),
        (rule(names="a"), {"verb": "get", "resource": "pods"}, False),
        (rule(groups="apps"), {"verb": "get", "resource": "pods"}, False),
        (rbac.PolicyRule(verbs=("get",), non_resource_urls=("/api/*",)), {"verb": "get", "path": "/api/v1"}, True),
        (rbac.PolicyRule(verbs=("get",), non_resource_urls=("/api",)), {"verb": "get", "path": "/api/v1"}, False),
    ],
)
def test_rule_allows_what_it_names(held: rbac.PolicyRule, asked: dict[str, str], allowed: bool) -> None:
    assert rules_of(held).allow(Attributes(user=ALICE, **asked))[0] is allowed


def test_answers_follow_the_rules_and_differ_by_name() -> None:
    rules = rules_of(rule(names="a"))
    asked = [Attributes(user=ALICE, verb="get", resource="pods", name=name) for name in ("a", "b", "a")]
    assert [rules.allow(each)[0] for each in asked] == [True, False, True]
    rules.apply(rbac.ClusterRole(metadata=ObjectMeta(name="role"), rules=(rule(names="b"),)))
    assert [rules.allow(each)[0] for each in asked] == [False, True, False]
    rules.apply(rbac.ClusterRole(metadata=ObjectMeta(name="role")), deleted=True)
    assert not any(rules.allow(each)[0] for each in asked)


def test_binding_in_a_namespace_counts_there_only_and_ends_with_its_deletion() -> None:
    rules = Rules()
    rules.apply(rbac.Role(metadata=ObjectMeta(name="r", namespace="a"), rules=(rule(),)))
    bound = binding("Role", "r", rbac.Subject(kind="User", name="alice"), namespace="a")
    rules.apply(bound)
    here, there = (Attributes(user=ALICE, verb="get", resource="pods", namespace=name) for name in ("a", "b"))
    assert rules.allow(here) == (True, 'RBAC: allowed by RoleBinding "b/a" of Role "r" to User "alice"')
    assert rules.allow(there) == (False, "")
    rules.apply(bound, deleted=True)
    assert rules.allow(here) == (False, "")


def test_service_account_is_a_subject_of_its_own_namespace() -> None:
    rules = Rules()
    rules.apply(rbac.ClusterRole(metadata=ObjectMeta(name="r"), rules=(rule(),)))
    rules.apply(binding("ClusterRole", "r", rbac.Subject(kind="ServiceAccount", name="bot"), namespace="a"))
    asked = Attributes(user=User(name="system:serviceaccount:a:bot"), verb="get", resource="pods", namespace="a")
    why = 'RBAC: allowed by RoleBinding "b/a" of ClusterRole "r" to ServiceAccount "bot/a"'
    assert rules.allow(asked) == (True, why)


@pytest.mark.parametrize(
    ("role", "verb", "resource", "allowed"),
    [
        ("view", "list", "pods", True),
        ("view", "get", "secrets", False),
        ("view", "delete", "pods", False),
        ("edit", "get", "secrets", True),
        ("edit", "delete", "pods", True),
        ("edit", "create", "roles", False),
        ("admin", "create", "roles", True),
        ("admin", "list", "nodes", False),
        ("cluster-admin", "list", "nodes", True),
    ],
)
def test_default_roles_aggregate(role: str, verb: str, resource: str, allowed: bool) -> None:
    rules = defaults()
    rules.apply(binding("ClusterRole", role, rbac.Subject(kind="Group", name="devs"), namespace="a"))
    group = "rbac.authorization.k8s.io" if resource == "roles" else ""
    asked = Attributes(user=ALICE, verb=verb, group=group, resource=resource, namespace="a")
    assert rules.allow(asked)[0] is allowed


def test_forbidden_says_who_what_and_where() -> None:
    asked = Attributes(user=ALICE, verb="get", group="apps", resource="deployments", subresource="scale", name="d")
    expected = (
        'deployments.apps "d" is forbidden: User "alice" cannot get resource "deployments/scale" in API group "apps"'
    )
    assert forbidden(asked).message == f"{expected} at the cluster scope"
    path = Attributes(user=ALICE, verb="get", path="/metrics")
    assert forbidden(path).message == 'forbidden: User "alice" cannot get path "/metrics"'


async def test_only_held_rights_can_be_granted() -> None:
    rules = defaults()
    rules.apply(binding("ClusterRole", "view", rbac.Subject(kind="Group", name="devs"), namespace="default"))
    check = EscalationCheck(rules)
    async with cluster() as c:
        admitted = Admitted(
            resource=c.scheme.of(rbac.Role), namespace="default", name="r", operation="CREATE", user=ALICE
        )
        held = rbac.Role(metadata=ObjectMeta(name="r", namespace="default"), rules=(rule("get list", "pods"),))
        assert await check.admit(admitted, held, None, c.registry) == held
        more = rbac.Role(metadata=held.metadata, rules=(rule("get delete", "pods secrets"),))
        with pytest.raises(Forbidden) as caught:
            await check.admit(admitted, more, None, c.registry)
        assert 'APIGroups:[""], Resources:["pods"], Verbs:["delete"]' in caught.value.message
        assert 'Resources:["secrets"], Verbs:["get", "delete"]' in caught.value.message
        admin = Admitted(
            resource=admitted.resource,
            namespace="default",
            name="r",
            operation="CREATE",
            user=User(name="root", groups=("system:masters",)),
        )
        assert await check.admit(admin, more, None, c.registry) == more
