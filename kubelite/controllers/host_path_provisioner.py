"""The built-in provisioner `kubelite.io/host-path`: a claim becomes a directory on the node that its pod was given.

Called by `client/host` per claim. The kubelet makes the directory when it is first mounted, and its `volume_reclaimer` removes
it when the claim is gone, if the class says so. Claims may grow, since a directory has no size.
Source: sigs.k8s.io/sig-storage-lib-external-provisioner/controller (the events and the claim's annotations)
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import (
    HostPathVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.quantity import parse
from kubelite.api.storage_v1 import StorageClass
from kubelite.api.volume_matching import (
    HOST_PATH,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    class_of,
    is_fully_bound,
)
from kubelite.client.plan import Create, Plan, Report, Update
from kubelite.client.view import Key, View, Watch, self_key, split_key

HOSTNAME = "kubernetes.io/hostname"


class HostPathProvisioner:
    """`root` is the directory on the nodes in which volumes are directories."""

    name = "hostpath-provisioner-controller"
    watches = (Watch(PersistentVolumeClaim, self_key),)
    reads: tuple[type[Object], ...] = (PersistentVolume, StorageClass, Node)

    def __init__(self, root: str) -> None:
        self._root = root

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        claim = view.get(PersistentVolumeClaim, name, namespace)
        if claim is None or claim.metadata.deletion_timestamp:
            return Plan()
        if is_fully_bound(claim):
            return _grow(view, claim)
        class_ = view.get(StorageClass, class_of(claim))
        mine = claim.metadata.annotations.get(PROVISIONER) == HOST_PATH
        if not mine or claim.spec.volume_name or class_ is None:
            return Plan()
        if view.get(PersistentVolume, f"pvc-{claim.metadata.uid}") is not None:
            return Plan()
        if (claim.spec.volume_mode or "Filesystem") != "Filesystem":
            return _failed(claim, "a directory is no block device")
        chosen = claim.metadata.annotations.get(SELECTED_NODE)
        nodes = sorted(view.list(Node), key=lambda each: each.metadata.name)
        node = view.get(Node, chosen) if chosen else next(iter(nodes), None)
        if node is None:
            return _failed(claim, f'node "{chosen}" not found') if chosen else Plan(requeue_after_s=15.0)
        return self._provision(claim, class_, node)

    def _provision(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node) -> Plan:
        volume = self._volume(claim, class_, node)
        meta = claim.metadata
        begun = f'External provisioner is provisioning volume for claim "{meta.namespace}/{meta.name}"'
        done = f"Successfully provisioned volume {volume.metadata.name}"
        return Plan(
            writes=(Create(volume, Report(regarding=claim, reason="ProvisioningSucceeded", message=done)),),
            reports=(Report(regarding=claim, reason="Provisioning", message=begun),),
        )

    def _volume(self, claim: PersistentVolumeClaim, class_: StorageClass, node: Node) -> PersistentVolume:
        meta = claim.metadata
        name = f"pvc-{meta.uid}"
        hostname = node.metadata.labels.get(HOSTNAME, node.metadata.name)
        requirement = NodeSelectorRequirement(key=HOSTNAME, operator="In", values=(hostname,))
        required = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(requirement,)),))
        return PersistentVolume(
            metadata=ObjectMeta(name=name, annotations={PROVISIONED_BY: HOST_PATH}),
            spec=PersistentVolumeSpec(
                host_path=HostPathVolumeSource(
                    path=f"{self._root}/{name}_{meta.namespace}_{meta.name}", type="DirectoryOrCreate"
                ),
                capacity={"storage": claim.spec.resources.requests.get("storage", "0")},
                access_modes=claim.spec.access_modes,
                claim_ref=ObjectReference(
                    kind="PersistentVolumeClaim",
                    api_version="v1",
                    namespace=meta.namespace,
                    name=meta.name,
                    uid=meta.uid,
                    resource_version=meta.resource_version,
                ),
                persistent_volume_reclaim_policy=class_.reclaim_policy or "Delete",
                storage_class_name=class_.metadata.name,
                mount_options=class_.mount_options,
                volume_mode=claim.spec.volume_mode,
                node_affinity=VolumeNodeAffinity(required=required),
            ),
        )


def _failed(claim: PersistentVolumeClaim, why: str) -> Plan:
    """Gives the choice of the node back to the scheduler."""
    message = f'failed to provision volume with StorageClass "{class_of(claim)}": {why}'
    report = Report(regarding=claim, type="Warning", reason="ProvisioningFailed", message=message)
    annotations = {key: text for key, text in claim.metadata.annotations.items() if key != SELECTED_NODE}
    if annotations == claim.metadata.annotations:
        return Plan(reports=(report,))
    freed = replace(claim, metadata=replace(claim.metadata, annotations=annotations))
    return Plan(writes=(Update(freed),), reports=(report,))


def _grow(view: View, claim: PersistentVolumeClaim) -> Plan:
    volume = view.get(PersistentVolume, claim.spec.volume_name)
    wanted = claim.spec.resources.requests.get("storage", "0")
    if volume is None or volume.metadata.annotations.get(PROVISIONED_BY) != HOST_PATH or claim.status.phase != "Bound":
        return Plan()
    if parse(volume.spec.capacity.get("storage", "0")) < parse(wanted):
        grown = replace(volume, spec=replace(volume.spec, capacity={**volume.spec.capacity, "storage": wanted}))
        return Plan(writes=(Update(grown),), requeue_after_s=0.0)
    if parse(claim.status.capacity.get("storage", "0")) >= parse(wanted):
        return Plan()
    status = replace(claim.status, capacity={**claim.status.capacity, "storage": wanted})
    return Plan(writes=(Update(replace(claim, status=status), subresource="status"),))
