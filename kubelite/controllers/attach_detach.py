"""CSI volumes that pods need on a node: attached to it, and detached when no pod needs them any more.

Called by `client/host` per Node. A VolumeAttachment asks the driver's own attacher; that it was done is told in the node's
`volumesAttached`, which goes before the volume does. Directories and other volumes without a driver are never attached.
Source: k8s.io/kubernetes pkg/controller/volume/attachdetach, pkg/volume/csi/csi_attacher.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from kubelite.api.core_v1 import AttachedVolume, Node, PersistentVolume, PersistentVolumeClaim, Pod
from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.storage_v1 import CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec
from kubelite.api.volume_matching import claim_names
from kubelite.client.plan import Create, Delete, Patch, Plan, Report, Write
from kubelite.client.view import Key, View, Watch, key_of
from kubelite.controllers.pod_gc import is_out_of_service
from kubelite.controllers.pods import is_terminal

MANAGED = "volumes.kubernetes.io/controller-managed-attach-detach"
REPORTER = "attachdetach-controller"
_PREFIX = "kubernetes.io/csi/"

Users = dict[str, list[Pod]]  #: volume name to the pods of a node that need it


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    """The node, when a pod with claims comes to it, ends or goes."""
    pod = new or old
    if pod is None or not pod.spec.node_name or not claim_names(pod):
        return
    if old is None or new is None or not old.spec.node_name or is_terminal(old) != is_terminal(new):
        yield pod.spec.node_name


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    node = new or old
    if node is None:
        return
    if old is None or new is None or (old.status.volumes_in_use, old.spec) != (new.status.volumes_in_use, new.spec):
        yield node.metadata.name


def _nodes_of_claim(view: View, claim: PersistentVolumeClaim) -> Iterable[Key]:
    return (pod.spec.node_name for pod in view.indexed(Pod, "claim", key_of(claim)) if pod.spec.node_name)


def _claim_keys(view: View, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterable[Key]:
    if new is not None and (old is None or old.spec.volume_name != new.spec.volume_name):
        yield from _nodes_of_claim(view, new)


def _attachment_keys(view: View, old: VolumeAttachment | None, new: VolumeAttachment | None) -> Iterable[Key]:
    """Its node, and when it is gone those that wait for the volume."""
    attachment = new or old
    if attachment is None:
        return
    yield attachment.spec.node_name
    volume = view.get(PersistentVolume, attachment.spec.source.persistent_volume_name or "")
    ref = volume.spec.claim_ref if volume is not None and new is None else None
    claim = view.get(PersistentVolumeClaim, ref.name, ref.namespace) if ref else None
    if claim is not None:
        yield from _nodes_of_claim(view, claim)


class AttachDetachController:
    name = "persistentvolume-attach-detach-controller"
    watches = (
        Watch(Pod, _pod_keys),
        Watch(Node, _node_keys),
        Watch(PersistentVolumeClaim, _claim_keys),
        Watch(VolumeAttachment, _attachment_keys),
    )
    reads: tuple[type[Object], ...] = (PersistentVolume, CSIDriver)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        node = view.get(Node, key)
        present = {
            attachment.spec.source.persistent_volume_name or "": attachment
            for attachment in view.list(VolumeAttachment)
            if attachment.spec.node_name == key
        }
        users = _users(view, key) if node is not None and node.metadata.annotations.get(MANAGED) == "true" else {}
        reports: list[Report] = []
        creates: list[Write] = []
        attached: dict[str, str] = {}
        for name in sorted(users):
            volume = view.get(PersistentVolume, name)
            attachment = present.pop(name, None)
            if volume is None:
                continue
            if attachment is None:
                holders = _holders(view, volume, key)
                if holders is None:
                    creates.append(Create(new_attachment(volume, key)))
                else:
                    reports += _told(users[name], "Warning", "FailedAttachVolume", holders)
            elif attachment.status.attached:
                attached[_unique_name(volume)] = name
            elif attachment.status.attach_error is not None:
                message = f'AttachVolume.Attach failed for volume "{name}" : {attachment.status.attach_error.message}'
                reports += _told(users[name], "Warning", "FailedAttachVolume", message)
        deletes, kept = _detached(view, node, present)
        status: tuple[Write, ...] = ()
        if node is not None and (patch := _status(node, (*attached, *kept))) is not None:
            status = (patch,)
            known = {entry.name for entry in node.status.volumes_attached}
            for unique, name in attached.items():
                if unique not in known:
                    message = f'AttachVolume.Attach succeeded for volume "{name}" '
                    reports += _told(users[name], "Normal", "SuccessfulAttachVolume", message)
        return Plan(writes=(*status, *creates, *deletes), reports=tuple(reports))


def _users(view: View, node: str) -> Users:
    users: Users = {}
    for pod in view.indexed(Pod, "node", node):
        if is_terminal(pod):
            continue
        for name in claim_names(pod):
            claim = view.get(PersistentVolumeClaim, name, pod.metadata.namespace)
            volume = view.get(PersistentVolume, claim.spec.volume_name) if claim and claim.spec.volume_name else None
            if volume is not None and _is_attachable(view, volume):
                users.setdefault(volume.metadata.name, []).append(pod)
    return users


def _is_attachable(view: View, volume: PersistentVolume) -> bool:
    if volume.spec.csi is None:
        return False
    driver = view.get(CSIDriver, volume.spec.csi.driver)
    return driver is None or driver.spec.attach_required is not False


def _unique_name(volume: PersistentVolume) -> str:
    csi = volume.spec.csi
    assert csi is not None
    return f"{_PREFIX}{csi.driver}^{csi.volume_handle}"


def new_attachment(volume: PersistentVolume, node: str) -> VolumeAttachment:
    """Under the name that every attach/detach controller gives it."""
    import hashlib  # few clusters have such volumes

    csi = volume.spec.csi
    assert csi is not None
    digest = hashlib.sha256(f"{csi.volume_handle}{csi.driver}{node}".encode()).hexdigest()
    spec = VolumeAttachmentSpec(
        attacher=csi.driver,
        node_name=node,
        source=VolumeAttachmentSource(persistent_volume_name=volume.metadata.name),
    )
    return VolumeAttachment(metadata=ObjectMeta(name=f"csi-{digest}"), spec=spec)


def _holders(view: View, volume: PersistentVolume, node: str) -> str | None:
    """Why a volume for one node cannot come here: it is still somewhere else."""
    if {"ReadWriteMany", "ReadOnlyMany"} & set(volume.spec.access_modes):
        return None
    name = volume.metadata.name
    others = {
        attachment.spec.node_name
        for attachment in view.list(VolumeAttachment)
        if attachment.spec.source.persistent_volume_name == name and attachment.spec.node_name != node
    }
    if not others:
        return None
    pods = sorted(pod.metadata.name for other in others for pod in _users(view, other).get(name, ()))
    about = f'Multi-Attach error for volume "{name}" '
    if pods:
        return f"{about}Volume is already used by pod(s) {', '.join(pods)}"
    return f"{about}Volume is already exclusively attached to one node and can't be attached to another"


def _detached(view: View, node: Node | None, unused: Mapping[str, VolumeAttachment]) -> tuple[list[Delete], list[str]]:
    """(the attachments that may go, the unique names of those that a kubelet still uses)."""
    in_use = set(node.status.volumes_in_use) if node is not None and not is_out_of_service(node) else set()
    deletes, kept = [], []
    for name, attachment in sorted(unused.items()):
        volume = view.get(PersistentVolume, name)
        unique = _unique_name(volume) if volume is not None and volume.spec.csi is not None else ""
        if unique in in_use:
            kept.append(unique)
        elif attachment.spec.source.inline_volume_spec is None and not attachment.metadata.deletion_timestamp:
            meta = attachment.metadata
            deletes.append(Delete(type=VolumeAttachment, name=meta.name, uid=meta.uid))
    return deletes, kept


def _status(node: Node, attached: Iterable[str]) -> Patch | None:
    others = [entry for entry in node.status.volumes_attached if not entry.name.startswith(_PREFIX)]
    wanted = [*others, *(AttachedVolume(name=name, device_path="") for name in sorted(attached))]
    if tuple(wanted) == node.status.volumes_attached:
        return None
    patch = {"metadata": {"uid": node.metadata.uid}, "status": {"volumesAttached": msgspec.to_builtins(wanted)}}
    return Patch(type=Node, name=node.metadata.name, patch=patch, subresource="status")


def _told(pods: Sequence[Pod], kind: Literal["Normal", "Warning"], reason: str, message: str) -> list[Report]:
    return [Report(regarding=pod, type=kind, reason=reason, message=message, reporter=REPORTER) for pod in pods]
