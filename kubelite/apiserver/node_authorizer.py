"""What nodes may read: what belongs to the pods that are bound to them, and the few things that all of them need.

Asked before the roles, and only about nodes. Relations are looked up when they are asked for: a node reads rarely, and nothing
has to be followed for it. Source: kubernetes plugin/pkg/auth/authorizer/node/{node_authorizer,graph}.go
"""

from __future__ import annotations

from typing import Any

from kubelite.api import core_v1 as core, storage_v1 as storage
from kubelite.api.errors import NotFound, StatusError
from kubelite.api.references import claims_of, config_maps_of, secrets_of, secrets_of_volume
from kubelite.api.selectors import parse_field_selector
from kubelite.apiserver.admission_nodes import LEASES
from kubelite.apiserver.authz import Attributes, Decision
from kubelite.apiserver.interface import ListParams, Registry
from kubelite.apiserver.rbac_defaults import node_rules

_READS = ("get", "list", "watch")
_WRITES = ("get", "create", "update", "patch", "delete")
_ALLOWED = Decision(True)


class NodeAuthorizer:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def authorize(self, node: str, asked: Attributes) -> Decision:
        """Not allowed means only that the roles may still allow it."""
        if not node:
            return Decision(False, f'unknown node for user "{asked.user.name}"')
        match asked.group, asked.resource:
            case "", "secrets" | "configmaps":
                return await self._read_in_namespace(node, asked)
            case "", "persistentvolumeclaims" if asked.subresource == "status":
                if asked.verb not in ("update", "patch"):
                    return Decision(False, "can only get/update/patch this type")
                return await self._related(node, asked)
            case ("", "persistentvolumeclaims" | "persistentvolumes") | ("storage.k8s.io", "volumeattachments"):
                return await self._get(node, asked)
            case "", "serviceaccounts":
                if asked.verb != "create" or not asked.name:
                    return Decision(False, "can only create tokens for individual service accounts")
                if asked.subresource != "token":
                    return Decision(False, "can only create token subresource of serviceaccount")
                return await self._related(node, asked)
            case "coordination.k8s.io", "leases":
                return _lease(node, asked)
            case "storage.k8s.io", "csinodes":
                return _csi_node(node, asked)
            case "", "nodes":
                return _node(node, asked)
            case "", "pods":
                return await self._pod(node, asked)
        return Decision(
            any(
                asked.verb in rule.verbs and asked.group in rule.api_groups and asked.full_resource in rule.resources
                for rule in node_rules()
            )
        )

    async def _read_in_namespace(self, node: str, asked: Attributes) -> Decision:
        if asked.verb not in _READS:
            return Decision(False, "can only read resources of this type")
        if asked.subresource:
            return Decision(False, "cannot read subresource")
        if not asked.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return await self._related(node, asked)

    async def _get(self, node: str, asked: Attributes) -> Decision:
        if asked.verb != "get":
            return Decision(False, "can only get individual resources of this type")
        if asked.subresource:
            return Decision(False, "cannot get subresource")
        return await self._related(node, asked)

    async def _pod(self, node: str, asked: Attributes) -> Decision:
        match asked.subresource, asked.verb:
            case "", "get":
                return await self._related(node, asked)
            case "", "list" | "watch":
                if _selects_node(asked.field_selector, node):
                    return _ALLOWED
                if asked.name:
                    return await self._related(node, asked)
                return Decision(False, "can only list/watch pods with spec.nodeName field selector")
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return _ALLOWED  # NodeRestriction sees which pod it is
        return Decision(False)

    # -- relations -----------------------------------------------------------------------------------------------------

    async def _related(self, node: str, asked: Attributes) -> Decision:
        if not asked.name:
            return Decision(False, "No Object name found")
        if await self._is_related(node, asked):
            return _ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    async def _is_related(self, node: str, asked: Attributes) -> bool:
        name, namespace = asked.name, asked.namespace
        match asked.resource:
            case "volumeattachments":
                found = await self._find(storage.VolumeAttachment, name)
                return bool(found and found.spec.node_name == node)
            case "persistentvolumes":
                volume = await self._find(core.PersistentVolume, name)
                return volume is not None and await self._mounts(node, volume)
            case "secrets":
                pods = await self._pods(node, namespace)
                return any(name in secrets_of(pod) for pod in pods) or await self._needs(node, namespace, name, pods)
        pods = await self._pods(node, namespace)
        match asked.resource:
            case "pods":
                found_pod = await self._find(core.Pod, name, namespace)
                return bool(found_pod and found_pod.spec.node_name == node)
            case "configmaps":
                return any(name in config_maps_of(pod) for pod in pods)
            case "persistentvolumeclaims":
                return any(name in claims_of(pod) for pod in pods)
            case "serviceaccounts":
                return any(pod.spec.service_account_name == name for pod in pods)
        return False

    async def _mounts(self, node: str, volume: core.PersistentVolume) -> bool:
        claim = volume.spec.claim_ref
        pods = await self._pods(node, claim.namespace) if claim else []
        return any(claim is not None and claim.name in claims_of(pod) for pod in pods)

    async def _needs(self, node: str, namespace: str, name: str, pods: list[core.Pod]) -> bool:
        """Whether a volume that the node mounts refers to the secret; usually one of a claim in the same namespace."""
        page = await self._registry.list(self._registry.scheme.of(core.PersistentVolume), "", ListParams())
        for entry in page.entries:
            volume: core.PersistentVolume = entry.object
            if (namespace, name) in secrets_of_volume(volume) and await self._mounts(node, volume):
                return True
        return False

    async def _find(self, type_: Any, name: str, namespace: str = "") -> Any:
        try:
            return (await self._registry.get(self._registry.scheme.of(type_), name, namespace)).object
        except NotFound:
            return None

    async def _pods(self, node: str, namespace: str) -> list[core.Pod]:
        """Those of a namespace that are bound to the node; mirrors refer to nothing."""
        page = await self._registry.list(self._registry.scheme.of(core.Pod), namespace, ListParams())
        pods: list[core.Pod] = [entry.object for entry in page.entries]
        mirror = "kubernetes.io/config.mirror"
        return [pod for pod in pods if pod.spec.node_name == node and mirror not in pod.metadata.annotations]


def _selects_node(selector: str, node: str) -> bool:
    try:
        terms = parse_field_selector(selector).terms
    except StatusError:
        return False
    return any((term.key, term.value, term.equal) == ("spec.nodeName", node, True) for term in terms)


def _lease(node: str, asked: Attributes) -> Decision:
    if asked.verb not in _WRITES:
        return Decision(False, "can only get, create, update, patch, or delete a node lease")
    if asked.namespace != LEASES:
        return Decision(False, f'can only access leases in the "{LEASES}" system namespace')
    if asked.verb != "create" and asked.name != node:  # of a new one NodeRestriction sees the name
        return Decision(False, "can only access node lease with the same name as the requesting node")
    return _ALLOWED


def _csi_node(node: str, asked: Attributes) -> Decision:
    if asked.verb not in _WRITES:
        return Decision(False, "can only get, create, update, patch, or delete a CSINode")
    if asked.subresource:
        return Decision(False, "cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return Decision(False, "can only access CSINode with the same name as the requesting node")
    return _ALLOWED


def _node(node: str, asked: Attributes) -> Decision:
    match asked.subresource, asked.verb:
        case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
            return _ALLOWED  # NodeRestriction sees which node it is
        case "", "get" | "list" | "watch":
            if asked.name == node:
                return _ALLOWED
            what = f"'{asked.name}'" if asked.name else "all nodes"
            return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
    return Decision(False)
