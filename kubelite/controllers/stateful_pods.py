"""The pods and claims of a StatefulSet: what an ordinal's pod is called, looks like and keeps.

Pure; called by `statefulset`. Source: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_utils.go, KEP-1847, KEP-3335
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.apps_v1 import StatefulSet
from kubelite.api.core_v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodTemplateSpec,
    Volume,
)
from kubelite.api.meta import OwnerReference, controlled_by
from kubelite.controllers.history import HASH
from kubelite.controllers.pods import from_template, with_labels

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def ordinals(workload: StatefulSet) -> range:
    start = workload.spec.ordinals.start if workload.spec.ordinals else 0
    return range(start, start + (1 if workload.spec.replicas is None else workload.spec.replicas))


def ordinal_of(pod: Pod, workload: StatefulSet) -> int | None:
    prefix, _, number = pod.metadata.name.rpartition("-")
    return int(number) if prefix == workload.metadata.name and number.isdecimal() else None


def identity(workload: StatefulSet, ordinal: int) -> dict[str, str]:
    """The labels that say which of the set's pods it is."""
    return {POD_NAME: f"{workload.metadata.name}-{ordinal}", POD_INDEX: str(ordinal)}


def new_pod(workload: StatefulSet, template: PodTemplateSpec, revision: str, ordinal: int) -> Pod:
    """The pod of an ordinal, with its name, host name, claims and revision."""
    name = f"{workload.metadata.name}-{ordinal}"
    pod = from_template(workload, with_labels(template, {HASH: revision, **identity(workload, ordinal)}))
    claims = {
        claim.metadata.name: claim_name(claim, workload, ordinal) for claim in workload.spec.volume_claim_templates
    }
    volumes = [
        *(
            Volume(name=volume, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=claim))
            for volume, claim in claims.items()
        ),
        *(volume for volume in pod.spec.volumes if volume.name not in claims),
    ]
    spec = replace(pod.spec, hostname=name, subdomain=workload.spec.service_name, volumes=tuple(volumes))
    return replace(
        pod, metadata=replace(pod.metadata, name=name, generate_name=f"{workload.metadata.name}-"), spec=spec
    )


def claim_name(template: PersistentVolumeClaim, workload: StatefulSet, ordinal: int) -> str:
    return f"{template.metadata.name}-{workload.metadata.name}-{ordinal}"


def new_claims(workload: StatefulSet, ordinal: int) -> list[PersistentVolumeClaim]:
    selector = workload.spec.selector.match_labels if workload.spec.selector else {}
    return [
        replace(
            template,
            metadata=replace(
                template.metadata,
                name=claim_name(template, workload, ordinal),
                namespace=workload.metadata.namespace,
                labels={**template.metadata.labels, **selector},
                owner_references=((_weak(controlled_by(workload)),) if _deletes_with_set(workload) else ()),
            ),
        )
        for template in workload.spec.volume_claim_templates
    ]


def _weak(reference: OwnerReference) -> OwnerReference:
    """Claims follow their owner without holding it up or being managed by it."""
    return replace(reference, controller=None, block_owner_deletion=None)


def _policy(workload: StatefulSet) -> tuple[str, str]:
    policy = workload.spec.persistent_volume_claim_retention_policy
    return (policy.when_deleted or "Retain", policy.when_scaled or "Retain") if policy else ("Retain", "Retain")


def _deletes_with_set(workload: StatefulSet) -> bool:
    return _policy(workload)[0] == "Delete"


def owned_claim(
    claim: PersistentVolumeClaim, workload: StatefulSet, pod: Pod, *, condemned: bool
) -> PersistentVolumeClaim:
    """The claim with the owner that the retention policy asks for: the set, the condemned pod, or nobody."""
    when_deleted, when_scaled = _policy(workload)
    ours = {workload.metadata.uid, pod.metadata.uid}
    owners = [entry for entry in claim.metadata.owner_references if entry.uid not in ours]
    if condemned and when_scaled == "Delete":
        owners.append(_weak(controlled_by(pod)))
    elif when_deleted == "Delete":
        owners.append(_weak(controlled_by(workload)))
    if tuple(owners) == claim.metadata.owner_references:
        return claim
    return replace(claim, metadata=replace(claim.metadata, owner_references=tuple(owners)))
