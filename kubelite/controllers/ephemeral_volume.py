"""Generic ephemeral volumes: a claim per pod and volume, which lives as long as the pod.

Called by `client/host` per pod. Source: k8s.io/kubernetes pkg/controller/volume/ephemeral, KEP-1698
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import PersistentVolumeClaim, Pod
from kubelite.api.meta import Object, controlled_by, controller_of
from kubelite.client.plan import Create, Plan, Report, Write
from kubelite.client.view import Key, View, Watch, key_of, owner_key, split_key
from kubelite.controllers.pods import is_terminal


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    if new is not None and old is None and any(volume.ephemeral is not None for volume in new.spec.volumes):
        yield key_of(new)


class EphemeralVolumeController:
    name = "ephemeral-volume-controller"
    watches = (Watch(Pod, _pod_keys), Watch(PersistentVolumeClaim, owner_key("Pod")))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        pod = view.get(Pod, name, namespace)
        if pod is None or pod.metadata.deletion_timestamp or is_terminal(pod):
            return Plan()
        writes: list[Write] = []
        reports: list[Report] = []
        for volume in pod.spec.volumes:
            template = volume.ephemeral.volume_claim_template if volume.ephemeral else None
            if template is None:
                continue
            claim_name = f"{name}-{volume.name}"
            found = view.get(PersistentVolumeClaim, claim_name, namespace)
            if found is None:
                meta = replace(
                    template.metadata, name=claim_name, namespace=namespace, owner_references=(controlled_by(pod),)
                )
                writes.append(Create(PersistentVolumeClaim(metadata=meta, spec=template.spec)))
                continue
            owner = controller_of(found.metadata)
            if owner is None or owner.uid != pod.metadata.uid:
                message = (
                    f"ephemeral volume {volume.name}: PVC {namespace}/{claim_name} was not created for pod {key} "
                    "(pod is not owner)"
                )
                reports.append(Report(regarding=pod, type="Warning", reason="EphemeralVolumeConflict", message=message))
        return Plan(writes=tuple(writes), reports=tuple(reports))
