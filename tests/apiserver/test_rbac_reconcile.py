"""Default roles and bindings at a second start: what was taken from them is put back, what was added stays."""

from __future__ import annotations

import anyio
from msgspec.structs import replace

from kubelite.api import rbac_v1 as rbac
from kubelite.api.core_v1 import Namespace
from kubelite.apiserver.authz import RbacAuthorizer
from kubelite.apiserver.rbac_defaults import default_objects
from kubelite.apiserver.rbac_reconcile import reconciled
from tests.apiserver.registries import Cluster, cluster

DISCOVERY = next(
    item
    for item in default_objects()
    if isinstance(item, rbac.ClusterRole) and item.metadata.name == "system:discovery"
)
OWN = rbac.PolicyRule(verbs=("get",), api_groups=("",), resources=("pods",))


async def start(c: Cluster) -> None:
    """A server's authorizer starts, and ends."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(RbacAuthorizer(c.registry).run)
        tasks.cancel_scope.cancel()


async def test_a_second_start_puts_back_what_is_missing_and_else_writes_nothing() -> None:
    async with cluster() as c:
        await start(c)
        before = c.store.revision
        await start(c)
        assert c.store.revision == before
        role = await c.client.get(rbac.ClusterRole, "system:discovery")
        binding = await c.client.get(rbac.ClusterRoleBinding, "system:discovery")
        await c.client.update(replace(role, rules=(OWN,)))
        await c.client.update(replace(binding, subjects=()))
        await start(c)
        role = await c.client.get(rbac.ClusterRole, "system:discovery")
        assert role.rules[0] == OWN
        assert {path for rule in role.rules for path in rule.non_resource_urls} >= {"/api", "/version"}
        assert [item.name for item in (await c.client.get(rbac.ClusterRoleBinding, "system:discovery")).subjects] == [
            "system:authenticated"
        ]


async def test_components_have_their_roles_in_their_namespaces() -> None:
    async with cluster() as c:
        await start(c)
        assert await c.client.get(Namespace, "kube-public")
        reader = await c.client.get(rbac.Role, "extension-apiserver-authentication-reader", "kube-system")
        assert reader.rules[0].resource_names == ("extension-apiserver-authentication",)
        bound = await c.client.get(rbac.ClusterRoleBinding, "system:controller:job-controller")
        assert (bound.subjects[0].kind, bound.subjects[0].namespace) == ("ServiceAccount", "kube-system")


def test_who_wants_a_role_left_alone_says_so() -> None:
    alone = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    emptied = replace(DISCOVERY, rules=())
    restored = reconciled(emptied, DISCOVERY)
    assert restored is not None
    assert len(restored.rules) == len(DISCOVERY.rules[0].non_resource_urls)  # each by itself
    kept = replace(emptied, metadata=replace(emptied.metadata, annotations=alone))
    assert reconciled(kept, DISCOVERY) is None
