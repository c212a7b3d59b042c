"""Which PersistentVolume fits a claim, which claims a pod uses, and the annotations that say who bound what. Pure.

The binder, the kubelet and the scheduler must agree on it.
Source: k8s.io/component-helpers/storage/volume/pv_helpers.go, k8s.io/kubernetes pkg/controller/volume/persistentvolume/index.go
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from kubelite.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kubelite.api.meta import Quantity
from kubelite.api.placement import matches_term
from kubelite.api.quantity import parse
from kubelite.api.selectors import matches

BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLD_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
DELAYED = "WaitForFirstConsumer"
HOST_PATH = "kubelite.io/host-path"  #: the built-in provisioner: a directory on the node


def class_of(obj: PersistentVolumeClaim | PersistentVolume) -> str:
    """The name of its storage class; empty without one."""
    return obj.metadata.annotations.get(OLD_CLASS) or obj.spec.storage_class_name or ""


def claim_names(pod: Pod) -> list[str]:
    """The claims that the pod's volumes are."""
    names = []
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            names.append(volume.persistent_volume_claim.claim_name)
        elif volume.ephemeral is not None:
            names.append(f"{pod.metadata.name}-{volume.name}")
    return names


def is_bound_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether the volume is set aside for this claim."""
    ref, meta = volume.spec.claim_ref, claim.metadata
    return ref is not None and (ref.name, ref.namespace) == (meta.name, meta.namespace) and ref.uid in ("", meta.uid)


def is_fully_bound(claim: PersistentVolumeClaim) -> bool:
    return bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotations


def admits_node(volume: PersistentVolume, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the volume can be reached from a node."""
    affinity = volume.spec.node_affinity
    if affinity is None or affinity.required is None:
        return True
    return any(matches_term(term, name, labels) for term in affinity.required.node_selector_terms)


def best_match(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    *,
    taken: Container[str] = (),
    node: tuple[str, Mapping[str, str]] | None = None,
    delayed: bool = False,
) -> PersistentVolume | None:
    """The volume set aside for the claim, else the smallest that fits; a `delayed` claim needs a node (name, labels)."""
    wanted = parse(claim.spec.resources.requests.get("storage", "0"))
    best: PersistentVolume | None = None
    for volume in volumes:
        spec = volume.spec
        mine = is_bound_to(volume, claim)
        if volume.metadata.name in taken or (spec.claim_ref is not None and not mine):
            continue
        fits = parse(_size(volume)) >= wanted and (spec.volume_mode or "Filesystem") == (
            claim.spec.volume_mode or "Filesystem"
        )
        if not fits or volume.metadata.deletion_timestamp:
            continue
        reachable = node is None or admits_node(volume, *node)
        if mine:
            return volume if reachable else None
        if (node is None and delayed) or not reachable or volume.status.phase != "Available":
            continue
        if class_of(volume) != class_of(claim) or not set(claim.spec.access_modes) <= set(spec.access_modes):
            continue
        if claim.spec.selector is not None and not matches(claim.spec.selector, volume.metadata.labels):
            continue
        if best is None or parse(_size(volume)) < parse(_size(best)):
            best = volume
    return best


def _size(volume: PersistentVolume) -> Quantity:
    return volume.spec.capacity.get("storage", "0")
