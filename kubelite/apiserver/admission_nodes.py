"""What nodes may write: themselves, and what belongs to the pods that are bound to them. New nodes are not ready yet.

A node is a user named system:node:NAME in the group system:nodes.
Source: kubernetes plugin/pkg/admission/{noderestriction,nodetaint}, pkg/auth/nodeidentifier, https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.errors import not_found
from kubelite.apiserver.admission import Attributes, Finder
from kubelite.apiserver.interface import User

if TYPE_CHECKING:
    from kubelite.api.authentication_v1 import TokenRequest

NODES, _PREFIX = "system:nodes", "system:node:"
LEASES = "kube-node-lease"
_MIRROR = "kubernetes.io/config.mirror"
_RESTRICTED = "node-restriction.kubernetes.io"
#: What a node may say of itself under kubernetes.io and k8s.io. Source: k8s.io/kubelet pkg/apis/well_known_labels.go
_OWN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)
_CLAIM_STATUS = ("capacity", "conditions", "allocated_resources", "allocated_resource_statuses")
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def node_of(user: User) -> str | None:
    """The name of the node that `user` is; None for everybody else.

    >>> node_of(User(name="system:node:a", groups=("system:nodes",))), node_of(User(name="system:node:a"))
    ('a', None)
    """
    return user.name.removeprefix(_PREFIX) if user.name.startswith(_PREFIX) and NODES in user.groups else None


class TaintNodesByCondition:
    """A new node takes no pods until its lifecycle controller has seen it ready. Implements `admission.Plugin`."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.resource.type is not core.Node or attributes.operation != "CREATE":
            return obj
        taint = core.Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule")
        if any((item.key, item.effect) == (taint.key, taint.effect) for item in obj.spec.taints):
            return obj
        return replace(obj, spec=replace(obj.spec, taints=(*obj.spec.taints, taint)))


class NodeRestriction:
    """Implements `admission.Plugin`; changes nothing."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        """Raises: Forbidden."""
        node = node_of(attributes.user)
        if node == "":
            raise attributes.refusal(f'could not determine node from user "{attributes.user.name}"')
        if node is not None and (problem := await self._problem(node, attributes, obj, old, finder)):
            raise attributes.refusal(problem)
        return obj

    async def _problem(self, node: str, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> str:
        type_ = attributes.resource.type
        if type_ is core.Pod:
            return await _pod_problem(node, attributes, obj, old, finder)
        if type_ is core.Node:
            return _node_problem(node, attributes, obj, old)
        if type_ is core.PersistentVolumeClaim:
            return _claim_problem(node, attributes, obj, old)
        if type_ is core.ServiceAccount and attributes.subresource == "token":
            return await _token_problem(node, attributes, obj, finder)
        kind = attributes.resource.group_resource
        if kind == "leases.coordination.k8s.io":
            if attributes.namespace != LEASES:
                return f'can only access leases in the "{LEASES}" system namespace'
            same = attributes.name == node
            return "" if same else "can only access node lease with the same name as the requesting node"
        if kind == "csinodes.storage.k8s.io" and attributes.name != node:
            return "can only access CSINode with the same name as the requesting node"
        return ""


async def _pod_problem(node: str, attributes: Attributes, new: Any, old: Any, finder: Finder) -> str:
    operation, subresource = attributes.operation, attributes.subresource
    if subresource == "eviction":
        pod = await finder.find(core.Pod, attributes.name, attributes.namespace)
        if pod is None:
            raise not_found("", "pods", attributes.name)
        same = pod.spec.node_name == node
        return "" if same else f"node {node} can only evict pods with spec.nodeName set to itself"
    if subresource == "status":
        if old.spec.node_name != node:
            return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
        if old.metadata.labels != new.metadata.labels:
            return f'node "{node}" cannot update labels through pod status'
        if old.status.resource_claim_statuses != new.status.resource_claim_statuses:
            return f'node "{node}" cannot update resource claim statues'
        return ""
    if subresource:
        return f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
    if operation == "DELETE":
        same = old.spec.node_name == node
        return "" if same else f'node "{node}" can only delete pods with spec.nodeName set to itself'
    if operation == "UPDATE":
        return f'unexpected operation "UPDATE", node "{node}" can only create and delete mirror pods'
    return await _mirror_problem(node, new, finder)


async def _mirror_problem(node: str, pod: core.Pod, finder: Finder) -> str:
    """Nodes make only mirrors of their static pods, which refer to nothing in the API but their node."""
    only = f'node "{node}" can only create pods with'
    if _MIRROR not in pod.metadata.annotations:
        return f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods'
    if pod.spec.node_name != node:
        return f"{only} spec.nodeName set to itself"
    owners = pod.metadata.owner_references
    if len(owners) > 1:
        return f"{only} a single owner reference set to itself"
    if not owners or (owners[0].api_version, owners[0].kind, owners[0].name) != ("v1", "Node", node):
        return f"{only} an owner reference set to itself"
    if not owners[0].controller:
        return f"{only} a controller owner reference set to itself"
    if owners[0].block_owner_deletion:
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    found = await finder.find(core.Node, node)
    if found is None:
        raise not_found("", "nodes", node)
    if found.metadata.uid != owners[0].uid:
        return f"node {node} UID mismatch: expected {owners[0].uid} got {found.metadata.uid}"
    return next((f'node "{node}" can not create pods that reference {what}' for what in _references(pod)), "")


def _references(pod: core.Pod) -> Iterator[str]:
    from kubelite.api.references import config_maps_of, secrets_of

    if pod.spec.service_account_name:
        yield "a service account"
    if secrets_of(pod):
        yield "secrets"
    if config_maps_of(pod):
        yield "configmaps"
    if any(volume.persistent_volume_claim for volume in pod.spec.volumes):
        yield "persistentvolumeclaims"


def _claim_problem(node: str, attributes: Attributes, new: Any, old: Any) -> str:
    """How large a volume is, is for its node to say."""
    if attributes.subresource != "status" or new is None:
        return "may only update PVC status"
    said = {name: getattr(new.status, name) for name in _CLAIM_STATUS}
    meta = replace(
        old.metadata, managed_fields=new.metadata.managed_fields, resource_version=new.metadata.resource_version
    )
    if new != replace(old, metadata=meta, status=replace(old.status, **said)):
        return f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions'
    return ""


def _node_problem(node: str, attributes: Attributes, new: Any, old: Any) -> str:
    if attributes.name != node:
        return f'node "{node}" is not allowed to modify node "{attributes.name}"'
    if attributes.operation == "CREATE":
        if wrong := _forbidden_labels(new.metadata.labels, {}):
            return f'node "{node}" is not allowed to set the following labels: {wrong}'
    elif attributes.operation == "UPDATE":
        if new.spec.taints != old.spec.taints:
            return f'node "{node}" is not allowed to modify taints'
        if wrong := _forbidden_labels(new.metadata.labels, old.metadata.labels):
            return f"is not allowed to modify labels: {wrong}"
    return ""


def _forbidden_labels(new: Mapping[str, str], old: Mapping[str, str]) -> str:
    changed = {key for key in (*new, *old) if new.get(key) != old.get(key)}
    return ", ".join(sorted(key for key in changed if not _is_own_label(key)))


def _is_own_label(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    if not slash:
        return True
    if _is_below(domain, _RESTRICTED):
        return False
    is_kubernetes = any(_is_below(domain, root) for root in ("kubernetes.io", "k8s.io"))
    return not is_kubernetes or key in _OWN_LABELS or any(_is_below(domain, own) for own in _OWN_DOMAINS)


def _is_below(domain: str, root: str) -> bool:
    return domain == root or domain.endswith(f".{root}")


async def _token_problem(node: str, attributes: Attributes, request: TokenRequest, finder: Finder) -> str:
    ref = request.spec.bound_object_ref
    if ref is None or (ref.api_version, ref.kind) != ("v1", "Pod") or not ref.name:
        return "node requested token not bound to a pod"
    if not ref.uid:
        return "node requested token with a pod binding without a uid"
    pod = await finder.find(core.Pod, ref.name, attributes.namespace)
    if pod is None:
        raise not_found("", "pods", ref.name)
    if ref.uid != pod.metadata.uid:
        why = f"the UID in the bound object reference ({ref.uid}) does not match the UID in record."
        return f"{why} The object might have been deleted and then recreated"
    return "" if pod.spec.node_name == node else "node requested token bound to a pod scheduled on a different node"
