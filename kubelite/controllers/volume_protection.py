"""Volumes and claims in use stay: their deletion ends when nothing needs them any more.

Called by `client/host` per claim and per volume. Admission adds the finalizers that are taken away here.
Source: k8s.io/kubernetes pkg/controller/volume/{pvcprotection,pvprotection}
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kubelite.api.meta import Object
from kubelite.api.volume_matching import claim_names
from kubelite.client.plan import Patch, Plan
from kubelite.client.view import Key, View, Watch, self_key, split_key

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


def claims_of_pod(pod: Pod) -> Iterable[str]:
    """Index "claim": pods by the claims they use."""
    return [f"{pod.metadata.namespace}/{name}" for name in claim_names(pod)]


def _uses(pod: Pod) -> bool:
    """A finished pod counts as long as it exists; one without a node does not, since no kubelet starts it any more."""
    return bool(pod.spec.node_name)


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    if old is not None and _uses(old) and (new is None or not _uses(new)):
        yield from claims_of_pod(old)


class PVCProtectionController:
    name = "persistentvolumeclaim-protection-controller"
    watches = (Watch(PersistentVolumeClaim, self_key), Watch(Pod, _pod_keys))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        claim = view.get(PersistentVolumeClaim, name, namespace)
        if claim is None or any(_uses(pod) for pod in view.indexed(Pod, "claim", key)):
            return Plan()
        return _released(claim, CLAIM_FINALIZER)


class PVProtectionController:
    name = "persistentvolume-protection-controller"
    watches = (Watch(PersistentVolume, self_key),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        volume = view.get(PersistentVolume, key)
        if volume is None or volume.status.phase == "Bound":
            return Plan()
        return _released(volume, VOLUME_FINALIZER)


def _released(obj: Object, finalizer: str) -> Plan:
    meta = obj.metadata
    if not meta.deletion_timestamp or finalizer not in meta.finalizers:
        return Plan()
    left = [entry for entry in meta.finalizers if entry != finalizer]
    patch = {"metadata": {"finalizers": left, "uid": meta.uid, "resourceVersion": meta.resource_version}}
    return Plan(writes=(Patch(type=type(obj), name=meta.name, namespace=meta.namespace, patch=patch),))
