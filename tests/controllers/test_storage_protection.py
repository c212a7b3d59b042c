from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeStatus,
    Pod,
    PodSpec,
    Volume,
)
from kubelite.api.meta import ObjectMeta
from kubelite.client.cache import Cache
from kubelite.client.plan import Plan, Update
from kubelite.controllers.storage_protection import CLAIM_FINALIZER, VOLUME_FINALIZER, ClaimProtection, VolumeProtection

DELETED = "2026-01-01T00:00:00Z"


def seen(*objects: PersistentVolume | PersistentVolumeClaim | Pod) -> Cache:
    view = Cache({})
    for each in objects:
        view.put(each)
    return view


CLAIM = PersistentVolumeClaim(
    metadata=ObjectMeta(name="data", namespace="a", finalizers=(CLAIM_FINALIZER, "other"), deletion_timestamp=DELETED)
)
MOUNT = Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
USER = Pod(metadata=ObjectMeta(name="p", namespace="a"), spec=PodSpec(node_name="n", volumes=(MOUNT,)))
VOLUME = PersistentVolume(metadata=ObjectMeta(name="pv", finalizers=(VOLUME_FINALIZER,), deletion_timestamp=DELETED))


def finalizers(plan: Plan) -> tuple[str, ...] | None:
    """What the plan leaves; None if it does nothing."""
    if not plan.writes:
        return None
    write = plan.writes[0]
    assert isinstance(write, Update)
    return write.obj.metadata.finalizers


def test_a_claim_goes_when_no_scheduled_pod_uses_it() -> None:
    decide = ClaimProtection().decide
    assert finalizers(decide(seen(CLAIM, USER), "a/data", 0)) is None
    assert finalizers(decide(seen(CLAIM), "a/data", 0)) == ("other",)
    waiting = replace(USER, spec=replace(USER.spec, node_name=""))
    assert finalizers(decide(seen(CLAIM, waiting), "a/data", 0)) == ("other",)
    kept = replace(CLAIM, metadata=replace(CLAIM.metadata, deletion_timestamp=None))
    assert finalizers(decide(seen(kept), "a/data", 0)) is None


def test_a_volume_goes_when_no_claim_is_bound_to_it() -> None:
    decide = VolumeProtection().decide
    assert finalizers(decide(seen(VOLUME), "pv", 0)) == ()
    assert finalizers(decide(seen(replace(VOLUME, status=PersistentVolumeStatus(phase="Bound"))), "pv", 0)) is None
