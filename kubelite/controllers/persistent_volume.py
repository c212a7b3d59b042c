"""PersistentVolumes and their claims: bound to each other, released, and lost.

Called by `client/host` with `namespace/name` of a claim or the name of a volume. A binding is written on both sides: the volume
names the claim first, so that two claims never have one volume. Each decision changes an object once; what it changed brings
the next one. Provisioning is somebody else's (`host_path_provisioner`): here the claim is only marked for it.
Source: k8s.io/kubernetes pkg/controller/volume/persistentvolume/pv_controller.go
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim
from kubelite.api.meta import Object
from kubelite.api.storage_v1 import StorageClass
from kubelite.api.timestamp import rfc3339
from kubelite.api.volume_matching import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    DELAYED,
    NO_PROVISIONER,
    OLD_PROVISIONER,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    best_match,
    class_of,
    is_bound_to,
)
from kubelite.client.plan import Plan, Report, Update
from kubelite.client.view import Key, View, Watch, key_of, split_key

ABSENT_S = 2.0  #: kinds arrive independently: for so long a claim may only be late
KNOWN_DELETED = 4096
_UNSET = "no persistent volumes available for this claim and no storage class is set"
_FIRST_CONSUMER = "waiting for first consumer to be created before binding"
_EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. "
    "If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)
_LOST = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
_LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
_MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"


class PersistentVolumeBinder:
    name = "persistentvolume-binder-controller"

    def __init__(self) -> None:
        self._deleted: OrderedDict[str, None] = OrderedDict()  # uids of claims that were seen to go
        self._absent: dict[str, float] = {}  # name of a volume to when its claim was first missed

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (
            Watch(PersistentVolumeClaim, self._claim_keys),
            Watch(PersistentVolume, _volume_keys),
            Watch(StorageClass, _class_keys),
        )

    reads: tuple[type[Object], ...] = ()

    def _claim_keys(
        self, view: View, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None
    ) -> Iterable[Key]:
        if new is not None:
            yield key_of(new)
        elif old is not None:
            self._deleted[old.metadata.uid] = None
            if len(self._deleted) > KNOWN_DELETED:
                self._deleted.popitem(last=False)
        claim = new or old
        if claim is not None:
            yield from _volumes_of(view, claim)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        if namespace:
            claim = view.get(PersistentVolumeClaim, name, namespace)
            return _claim(view, claim) if claim is not None else Plan()
        volume = view.get(PersistentVolume, name)
        return self._volume(view, volume, now) if volume is not None else Plan()

    def _volume(self, view: View, volume: PersistentVolume, now: float) -> Plan:
        ref, name = volume.spec.claim_ref, volume.metadata.name
        if ref is None or not ref.uid:
            return _phase(volume, "Available", now)
        claim = view.get(PersistentVolumeClaim, ref.name, ref.namespace)
        if claim is None or claim.metadata.uid != ref.uid:
            if ref.uid not in self._deleted and volume.status.phase not in ("Released", "Failed"):
                left = self._absent.setdefault(name, now) + ABSENT_S - now
                if left > 0:
                    return Plan(requeue_after_s=left)
            self._absent.pop(name, None)
            return _phase(volume, "Released", now) if volume.status.phase != "Failed" else Plan()
        self._absent.pop(name, None)
        if claim.spec.volume_name == name:
            return _phase(volume, "Bound", now)
        if not claim.spec.volume_name:
            return Plan()  # the claim's decision completes it
        if PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
            return _phase(volume, "Released", now)
        return Plan(writes=(_unbound(volume),))


def _volumes_of(view: View, claim: PersistentVolumeClaim) -> Iterable[Key]:
    """The volumes that name the claim, or that it names."""
    names = {volume.metadata.name for volume in view.indexed(PersistentVolume, "claim", key_of(claim))}
    return names | {claim.spec.volume_name} if claim.spec.volume_name else names


def claim_of_volume(volume: PersistentVolume) -> Iterable[str]:
    """Index "claim": volumes by the claim that they are set aside for."""
    ref = volume.spec.claim_ref
    return (f"{ref.namespace}/{ref.name}",) if ref else ()


def _volume_keys(view: View, old: PersistentVolume | None, new: PersistentVolume | None) -> Iterable[Key]:
    if new is not None:
        yield new.metadata.name
    for volume in (old, new):
        if volume is not None:
            yield from claim_of_volume(volume)
    if new is not None and new.spec.claim_ref is None and new.status.phase == "Available":
        yield from _pending(view, class_of(new))


def _class_keys(view: View, old: StorageClass | None, new: StorageClass | None) -> Iterable[Key]:
    if new is not None:
        yield from _pending(view, new.metadata.name)


def _pending(view: View, class_: str) -> Iterable[Key]:
    for claim in view.list(PersistentVolumeClaim):
        if not claim.spec.volume_name and class_of(claim) == class_:
            yield key_of(claim)


# Claims


def _claim(view: View, claim: PersistentVolumeClaim) -> Plan:
    name = claim.spec.volume_name
    if BIND_COMPLETED in claim.metadata.annotations:
        return _bound_claim(view, claim)
    if not name:
        return _unbound_claim(view, claim)
    volume = view.get(PersistentVolume, name)
    if volume is None:
        return Plan()
    if volume.spec.claim_ref is None or is_bound_to(volume, claim):
        return _bind(claim, volume)
    message = f'volume "{name}" already bound to a different claim.'
    return Plan(reports=(Report(regarding=claim, type="Warning", reason="FailedBinding", message=message),))


def _bound_claim(view: View, claim: PersistentVolumeClaim) -> Plan:
    if not claim.spec.volume_name:
        return _lost(claim, "ClaimLost", _LOST_REFERENCE)
    volume = view.get(PersistentVolume, claim.spec.volume_name)
    if volume is None:
        # one that was provisioned for it cannot be late: the claim names it because it was seen
        return _lost(claim, "ClaimLost", _LOST)
    if volume.spec.claim_ref is None or is_bound_to(volume, claim):
        return _bind(claim, volume)
    return _lost(claim, "ClaimMisbound", _MISBOUND)


def _lost(claim: PersistentVolumeClaim, reason: str, message: str) -> Plan:
    if claim.status.phase == "Lost":
        return Plan()
    status = replace(claim.status, phase="Lost", access_modes=(), capacity={})
    report = Report(regarding=claim, type="Warning", reason=reason, message=message)
    return Plan(writes=(Update(replace(claim, status=status), subresource="status"),), reports=(report,))


def _unbound_claim(view: View, claim: PersistentVolumeClaim) -> Plan:
    class_ = view.get(StorageClass, class_of(claim)) if class_of(claim) else None
    delayed = class_ is not None and class_.volume_binding_mode == DELAYED
    selected = SELECTED_NODE in claim.metadata.annotations
    volume = best_match(claim, view.list(PersistentVolume), delayed=delayed)
    if volume is not None:
        return _bind(claim, volume)
    if claim.metadata.deletion_timestamp:
        return Plan()
    if delayed and not selected:
        return _says(claim, "WaitForFirstConsumer", _FIRST_CONSUMER)
    if not class_of(claim):
        return _says(claim, "FailedBinding", _UNSET)
    if class_ is None:
        message = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
        report = Report(regarding=claim, type="Warning", reason="ProvisioningFailed", message=message)
        return Plan(reports=(report,))
    if class_.provisioner in ("", NO_PROVISIONER):
        return Plan()
    return _provision(claim, class_.provisioner)


def _says(claim: PersistentVolumeClaim, reason: str, message: str) -> Plan:
    return Plan(reports=(Report(regarding=claim, reason=reason, message=message),))


def _provision(claim: PersistentVolumeClaim, provisioner: str) -> Plan:
    """Marks the claim for its provisioner."""
    told = _says(claim, "ExternalProvisioning", _EXTERNAL.format(provisioner))
    annotations = {**claim.metadata.annotations, PROVISIONER: provisioner, OLD_PROVISIONER: provisioner}
    if annotations == claim.metadata.annotations:
        return Plan()
    marked = replace(claim, metadata=replace(claim.metadata, annotations=annotations))
    return Plan(writes=(Update(marked),), reports=told.reports)


def _bind(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Plan:
    """The next write on each side of the binding."""
    ref = volume.spec.claim_ref
    if ref is None or not ref.uid:
        return Plan(writes=(Update(_set_aside(volume, claim)),))
    name, annotations = volume.metadata.name, dict(claim.metadata.annotations)
    if not claim.spec.volume_name:
        annotations[BOUND_BY_CONTROLLER] = "yes"
    annotations[BIND_COMPLETED] = "yes"
    if annotations != claim.metadata.annotations or claim.spec.volume_name != name:
        metadata = replace(claim.metadata, annotations=annotations)
        return Plan(writes=(Update(replace(claim, metadata=metadata, spec=replace(claim.spec, volume_name=name))),))
    if claim.status.phase == "Bound":
        return Plan()
    storage = {key: amount for key, amount in volume.spec.capacity.items() if key == "storage"}
    status = replace(claim.status, phase="Bound", access_modes=volume.spec.access_modes, capacity=storage)
    return Plan(writes=(Update(replace(claim, status=status), subresource="status"),))


# Volumes


def _set_aside(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    meta, annotations = claim.metadata, dict(volume.metadata.annotations)
    if volume.spec.claim_ref is None:
        annotations[BOUND_BY_CONTROLLER] = "yes"
    ref = ObjectReference(
        kind="PersistentVolumeClaim",
        api_version="v1",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
    )
    metadata = replace(volume.metadata, annotations=annotations)
    return replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=ref))


def _unbound(volume: PersistentVolume) -> Update:
    """Frees a volume whose claim has another; one that a user set aside keeps the claim's name."""
    annotations = dict(volume.metadata.annotations)
    ref = volume.spec.claim_ref
    assert ref is not None
    kept = None if annotations.pop(BOUND_BY_CONTROLLER, "") else replace(ref, uid="", resource_version="")
    metadata = replace(volume.metadata, annotations=annotations)
    return Update(replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=kept)))


def _phase(volume: PersistentVolume, phase: str, now: float) -> Plan:
    if volume.status.phase == phase:
        return Plan()
    status = replace(volume.status, phase=phase, message="", last_phase_transition_time=rfc3339(now))
    return Plan(writes=(Update(replace(volume, status=status), subresource="status"),))
