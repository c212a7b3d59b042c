"""What is POSTed to an object: a pod's binding and eviction, a service account's token.

Source: k8s.io/kubernetes pkg/registry/core/pod/storage/{storage,eviction}.go, pkg/registry/core/serviceaccount/storage/token.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from kubelite.api import authentication_v1 as authentication, core_v1 as core, policy_v1 as policy
from kubelite.api.errors import MethodNotAllowed, Unknown, conflict
from kubelite.api.meta import DeleteOptions, Object, Status, TypedValue
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver import eviction
from kubelite.apiserver.admission import Attributes
from kubelite.apiserver.admission_nodes import NODES, NodeRestriction
from kubelite.apiserver.interface import Context, Entry
from kubelite.apiserver.request_body import check_address, typed_body
from kubelite.apiserver.tokens import ServiceAccountTokens


class Pods(eviction.Pods, Protocol):
    """What this file needs of the registry."""

    tokens: ServiceAccountTokens

    async def find(self, type_: type[Object], name: str, namespace: str = "") -> Any | None: ...
    async def get(self, resource: Resource, name: str, namespace: str = "", *, revision: int = 0) -> Entry: ...
    async def modify(
        self, resource: Resource, name: str, namespace: str, change: Callable[[Any], Any], ctx: Context
    ) -> Entry: ...
    async def delete(
        self, resource: Resource, name: str, namespace: str, options: DeleteOptions, ctx: Context
    ) -> Entry | Status: ...


def _body_of(type_: type[Object], resource: Resource) -> Resource:
    """How errors name a body of `type_` sent to a subresource of `resource`."""
    group, _, version = type_.api_version.rpartition("/")
    return Resource(
        type=type_,
        group=group,
        version=version,
        kind=type_.kind,
        plural=resource.plural,
        singular=resource.singular,
        namespaced=resource.namespaced,
    )


async def create_subresource(
    registry: Pods,
    resource: Resource,
    name: str,
    namespace: str,
    subresource: str,
    body: dict[str, Any] | Object,
    ctx: Context,
) -> TypedValue:
    """Raises: MethodNotAllowed when nothing can be POSTed there."""
    match resource.plural, subresource:
        case "pods", "binding":
            wanted = _typed(core.Binding, resource, body, name, namespace, ctx)
            return await bind_pod(registry, resource, name, namespace, wanted, ctx)
        case "pods", "eviction":
            wanted = _typed(policy.Eviction, resource, body, name, namespace, ctx)
            await _restrict_node(registry, resource, name, namespace, subresource, wanted, ctx)
            return await eviction.evict_pod(registry, resource, name, namespace, wanted, ctx)
        case "serviceaccounts", "token":
            account = await registry.get(resource, name, namespace)
            request = _typed(authentication.TokenRequest, resource, body, name, namespace, ctx)
            await _restrict_node(registry, resource, name, namespace, subresource, request, ctx)
            return await registry.tokens.issue(account.object, request)
        case _:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")


async def _restrict_node(
    registry: Pods, resource: Resource, name: str, namespace: str, subresource: str, obj: Any, ctx: Context
) -> None:
    """Nodes evict their own pods, and ask for tokens of these. Raises: Forbidden."""
    if NODES in ctx.user.groups:
        attributes = Attributes(
            resource=resource,
            namespace=namespace,
            name=name,
            operation="CREATE",
            subresource=subresource,
            user=ctx.user,
        )
        await NodeRestriction().admit(attributes, obj, None, registry)


def _typed(
    type_: type[Object], resource: Resource, body: dict[str, Any] | Object, name: str, namespace: str, ctx: Context
) -> Any:
    shape = _body_of(type_, resource)
    return check_address(shape, typed_body(shape, body, ctx), name, namespace)


async def bind_pod(
    registry: Pods, resource: Resource, name: str, namespace: str, binding: core.Binding, ctx: Context
) -> Status:
    """Gives a pod its node. Raises: NotFound, Conflict (it has one, or is another pod by now)."""
    problems = []
    if binding.target.kind not in ("", "Node"):
        problems.append(f'target.kind: Unsupported value: "{binding.target.kind}": supported values: "Node", "<empty>"')
    if not binding.target.name:
        problems.append("target.name: Required value")
    if problems:
        raise Unknown(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")

    def refuse(why: str) -> Exception:
        return conflict("", "pods/binding", name, why)

    def assign(pod: core.Pod) -> core.Pod:
        if binding.metadata.uid and binding.metadata.uid != pod.metadata.uid:
            uids = f"UID in precondition: {binding.metadata.uid}, UID in object meta: {pod.metadata.uid}"
            raise refuse(f"Precondition failed: {uids}")
        if binding.metadata.resource_version not in ("", pod.metadata.resource_version):
            versions = f"{binding.metadata.resource_version}, current: {pod.metadata.resource_version}"
            raise refuse(f"Precondition failed: ResourceVersion in precondition: {versions}")
        if pod.metadata.deletion_timestamp is not None:
            raise refuse(f"pod {name} is being deleted, cannot be assigned to a host")
        if pod.spec.node_name:
            raise refuse(f'pod {name} is already assigned to node "{pod.spec.node_name}"')
        if pod.spec.scheduling_gates:
            raise refuse(f"pod {name} has non-empty .spec.schedulingGates")
        meta = pod.metadata
        metadata = replace(
            meta,
            labels={**meta.labels, **_topology(binding.metadata.labels)},
            annotations={**meta.annotations, **binding.metadata.annotations},
        )
        scheduled = core.PodCondition(
            type="PodScheduled", status="True", last_transition_time=rfc3339(registry.clock.now())
        )
        others = tuple(item for item in pod.status.conditions if item.type != "PodScheduled")
        status = replace(pod.status, conditions=(*others, scheduled))
        return replace(pod, metadata=metadata, spec=replace(pod.spec, node_name=binding.target.name), status=status)

    await registry.modify(resource, name, namespace, assign, ctx)
    return Status(status="Success", code=201)


def _topology(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a binding that become the pod's: where its node is. Source: KEP-4742"""
    return {key: value for key, value in labels.items() if key.startswith("topology.kubernetes.io/")}
