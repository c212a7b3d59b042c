"""Volumes and claims that are being deleted go as soon as nothing uses them: their protection finalizer is taken away.

A claim is used by a scheduled pod that names it, a volume by the claim that it is bound to. (Admission set the finalizers.)
Called by `client/host` per claim and per volume.
Source: k8s.io/kubernetes pkg/controller/volume/{pvcprotection,pvprotection}
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kubelite.api.meta import Object
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch, self_key, split_key

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


def claims_of(pod: Pod) -> Iterable[str]:
    """The names of the claims that a pod mounts."""
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None:
            yield f"{pod.metadata.name}-{volume.name}"


def _claim_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    """The claims that a pod stops using."""
    if old is not None and new is None:
        for name in claims_of(old):
            yield f"{old.metadata.namespace}/{name}"


class ClaimProtection:
    name = "persistentvolumeclaim-protection-controller"
    watches = (Watch(PersistentVolumeClaim, self_key), Watch(Pod, _claim_keys))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        claim = view.get(PersistentVolumeClaim, name, namespace)
        if claim is None or not claim.metadata.deletion_timestamp or CLAIM_FINALIZER not in claim.metadata.finalizers:
            return Plan()
        users = (pod for pod in view.list(Pod, namespace) if pod.spec.node_name and name in claims_of(pod))
        return Plan() if any(users) else Plan(writes=(_released(claim, CLAIM_FINALIZER),))


class VolumeProtection:
    name = "persistentvolume-protection-controller"
    watches = (Watch(PersistentVolume, self_key),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        volume = view.get(PersistentVolume, key)
        if volume is None or not volume.metadata.deletion_timestamp or volume.status.phase == "Bound":
            return Plan()
        if VOLUME_FINALIZER not in volume.metadata.finalizers:
            return Plan()
        return Plan(writes=(_released(volume, VOLUME_FINALIZER),))


def _released(obj: PersistentVolume | PersistentVolumeClaim, finalizer: str) -> Update:
    left = tuple(each for each in obj.metadata.finalizers if each != finalizer)
    return Update(replace(obj, metadata=replace(obj.metadata, finalizers=left)))
