"""The volumes of a pod: which nodes they allow, and what has to be bound or provisioned for the node that is chosen.

Pure; built once per decision for a pod that has any. Plugins VolumeBinding, VolumeZone, VolumeRestrictions, NodeVolumeLimits.
Source: k8s.io/kubernetes pkg/scheduler/framework/plugins/{volumebinding,volumezone,volumerestrictions,nodevolumelimits}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    NodeSelectorRequirement,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    Volume,
)
from kubelite.api.meta import controller_of
from kubelite.api.placement import matches_requirement
from kubelite.api.quantity import value
from kubelite.api.selectors import matches
from kubelite.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from kubelite.api.volume_matching import (
    BOUND_BY_CONTROLLER,
    DELAYED,
    NO_PROVISIONER,
    SELECTED_NODE,
    admits_node,
    best_match,
    claim_names,
    class_of,
    is_fully_bound,
)
from kubelite.client.plan import Update, Write
from kubelite.client.view import View
from kubelite.scheduler.filters import Rejection
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo

_ZONES = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
_CONFLICT = Rejection("VolumeBinding", ("node(s) had volume node affinity conflict",), final=True)
_NONE = Rejection("VolumeBinding", ("node(s) didn't find available persistent volumes to bind",), final=True)
_SPACE = Rejection("VolumeBinding", ("node(s) did not have enough free storage",), final=True)
_LOST = Rejection(
    "VolumeBinding", ("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",), final=True
)
_ZONE = Rejection("VolumeZone", ("node(s) had no available volume zone",), final=True)
_DISK = Rejection("VolumeRestrictions", ("node(s) had no available disk",))
_ONE_POD = Rejection(
    "VolumeRestrictions",
    ("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",),
)
_LIMIT = Rejection("NodeVolumeLimits", ("node(s) exceed max volume count",))


class Binding(msgspec.Struct, frozen=True):
    """What a node would take: volumes set aside for claims, and claims to be provisioned."""

    matched: tuple[tuple[PersistentVolumeClaim, PersistentVolume], ...] = ()
    provisioned: tuple[PersistentVolumeClaim, ...] = ()

    def writes(self, node: str) -> tuple[Write, ...]:
        return (*(_set_aside(*pair) for pair in self.matched), *(_select(claim, node) for claim in self.provisioned))


class PodVolumes:
    """The state of one decision. `problem` (by `plugin`) rules out every node."""

    def __init__(self, view: View, nodes: Nodes, pod: PodInfo, taken: Mapping[str, str]) -> None:
        self._view = view
        self._nodes = nodes
        self._pod = pod
        self._taken = {name for name, claim in taken.items() if claim not in self._keys(pod)}
        self.problem = ""
        self._bound: list[PersistentVolume] = []
        self._lost = False
        self._delayed: list[tuple[PersistentVolumeClaim, StorageClass]] = []
        self._single: set[str] = set()  # claims that one pod may use
        self._disks = [volume for volume in pod.pod.spec.volumes if _disk(volume) is not None]
        for name in claim_names(pod.pod):
            self.problem = self.problem or self._look_up(name)

    @staticmethod
    def _keys(pod: PodInfo) -> set[str]:
        return {f"{pod.namespace}/{name}" for name in claim_names(pod.pod)}

    def _look_up(self, name: str) -> str:
        """Why the pod cannot run with this claim now, if so."""
        claim = self._view.get(PersistentVolumeClaim, name, self._pod.namespace)
        ephemeral = any(
            volume.ephemeral is not None and f"{self._pod.pod.metadata.name}-{volume.name}" == name
            for volume in self._pod.pod.spec.volumes
        )
        if claim is None:
            if ephemeral:
                return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            return f'persistentvolumeclaim "{name}" not found'
        if claim.status.phase == "Lost":
            lost = claim.spec.volume_name
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{lost}"'
        if claim.metadata.deletion_timestamp:
            return f'persistentvolumeclaim "{name}" is being deleted'
        owner = controller_of(claim.metadata)
        if ephemeral and (owner is None or owner.uid != self._pod.pod.metadata.uid):
            return f"PVC {claim.metadata.namespace}/{name} was not created for the pod (pod is not owner)"
        if "ReadWriteOncePod" in claim.spec.access_modes:
            self._single.add(name)
        if is_fully_bound(claim):
            volume = self._view.get(PersistentVolume, claim.spec.volume_name)
            if volume is None:
                self._lost = True
            else:
                self._bound.append(volume)
            return ""
        class_ = self._view.get(StorageClass, class_of(claim))
        if claim.spec.volume_name or class_ is None or class_.volume_binding_mode != DELAYED:
            return "pod has unbound immediate PersistentVolumeClaims"
        self._delayed.append((claim, class_))
        return ""

    def blocks(self, node: NodeInfo) -> Rejection | None:
        if self._single and any(
            other.namespace == self._pod.namespace
            and other.key != self._pod.key
            and self._single.intersection(claim_names(other.pod))
            for other in self._nodes.pods.values()
        ):
            return _ONE_POD
        if self._disks and any(
            _clash(mine, theirs)
            for other in node.pods.values()
            for theirs in other.pod.spec.volumes
            for mine in self._disks
        ):
            return _DISK
        if self._exceeds(node):
            return _LIMIT
        if self._lost:
            return _LOST
        if not all(admits_node(volume, node.name, node.labels) for volume in self._bound):
            return _CONFLICT
        if self._delayed:
            binding = self.choose(node)
            if binding is None:
                return _NONE
            if not all(self._has_space(claim, node) for claim in binding.provisioned):
                return _SPACE
        return None if all(_in_zone(volume, node) for volume in self._bound) else _ZONE

    def _has_space(self, claim: PersistentVolumeClaim, node: NodeInfo) -> bool:
        """Whether the driver says that it can make a volume of that size for this node, if it says such things at all."""
        class_ = self._view.get(StorageClass, class_of(claim))
        driver = self._view.get(CSIDriver, class_.provisioner) if class_ else None
        if class_ is None or driver is None or not driver.spec.storage_capacity:
            return True
        size = value(claim.spec.resources.requests.get("storage", "0"))
        for offered in self._view.list(CSIStorageCapacity):
            limit = offered.maximum_volume_size or offered.capacity
            reachable = offered.node_topology is not None and matches(offered.node_topology, node.labels)
            if offered.storage_class_name == class_.metadata.name and reachable and limit and value(limit) >= size:
                return True
        return False

    def _exceeds(self, node: NodeInfo) -> bool:
        """Whether the node would have more volumes of a driver than it can attach."""
        csi = self._view.get(CSINode, node.name)
        limits = {
            driver.name: driver.allocatable.count
            for driver in (csi.spec.drivers if csi else ())
            if driver.allocatable is not None and driver.allocatable.count is not None
        }
        if not limits:
            return False
        used: dict[str, set[str]] = {}
        for pod in (self._pod, *node.pods.values()):
            for volume in self._volumes(pod):
                if volume.spec.csi is not None:
                    used.setdefault(volume.spec.csi.driver, set()).add(volume.spec.csi.volume_handle)
        mine = {volume.spec.csi.driver for volume in self._bound if volume.spec.csi is not None}
        return any(len(used[driver]) > limits.get(driver, len(used[driver])) for driver in mine)

    def _volumes(self, pod: PodInfo) -> Iterable[PersistentVolume]:
        for name in claim_names(pod.pod):
            claim = self._view.get(PersistentVolumeClaim, name, pod.namespace)
            volume = self._view.get(PersistentVolume, claim.spec.volume_name) if claim else None
            if volume is not None:
                yield volume

    def choose(self, node: NodeInfo) -> Binding | None:
        """What the claims that wait for a pod would get on `node`; None if one gets nothing."""
        taken, matched, provisioned = set(self._taken), [], []
        volumes = self._view.list(PersistentVolume) if self._delayed else ()
        for claim, class_ in self._delayed:
            selected = claim.metadata.annotations.get(SELECTED_NODE)
            if selected and selected != node.name:
                return None
            found = None if selected else best_match(claim, volumes, taken=taken, node=(node.name, node.labels))
            if found is not None:
                taken.add(found.metadata.name)
                matched.append((claim, found))
            elif class_.provisioner in ("", NO_PROVISIONER) or not _allowed(class_, node):
                return None
            else:
                provisioned.append(claim)
        return Binding(tuple(matched), tuple(provisioned))


def _allowed(class_: StorageClass, node: NodeInfo) -> bool:
    terms = class_.allowed_topologies
    return not terms or any(
        all(
            matches_requirement(NodeSelectorRequirement(key=e.key, operator="In", values=e.values), node.labels)
            for e in term.match_label_expressions
        )
        for term in terms
    )


def _in_zone(volume: PersistentVolume, node: NodeInfo) -> bool:
    labels = volume.metadata.labels
    wanted = {key: labels[key] for key in _ZONES if key in labels}
    if not wanted or not any(key in node.labels for key in _ZONES):
        return True
    return all(node.labels.get(key) in text.split("__") for key, text in wanted.items())


def _disk(volume: Volume) -> tuple[object, bool] | None:
    """(identity, whether it is only read) of a disk that one node can have."""
    if (gce := volume.gce_persistent_disk) is not None:
        return ("gce", gce.pd_name), gce.read_only
    if (aws := volume.aws_elastic_block_store) is not None:
        return ("aws", aws.volume_id), False
    if (iscsi := volume.iscsi) is not None:
        return ("iscsi", iscsi.iqn), iscsi.read_only
    if (rbd := volume.rbd) is not None:
        return ("rbd", rbd.pool, rbd.image), rbd.read_only
    return None


def _clash(one: Volume, other: Volume) -> bool:
    mine, theirs = _disk(one), _disk(other)
    return mine is not None and theirs is not None and mine[0] == theirs[0] and not (mine[1] and theirs[1])


def _set_aside(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Update:
    """The binder completes it."""
    meta = claim.metadata
    ref = ObjectReference(
        kind="PersistentVolumeClaim",
        api_version="v1",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
    )
    annotations = {**volume.metadata.annotations, BOUND_BY_CONTROLLER: "yes"}
    metadata = replace(volume.metadata, annotations=annotations)
    return Update(replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=ref)))


def _select(claim: PersistentVolumeClaim, node: str) -> Update:
    annotations = {**claim.metadata.annotations, SELECTED_NODE: node}
    return Update(replace(claim, metadata=replace(claim.metadata, annotations=annotations)))
