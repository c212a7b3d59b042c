"""ControllerRevisions: the templates that a DaemonSet or StatefulSet has had, numbered and kept up to a limit.

Pure; called by `daemonset` and `statefulset`. Source: k8s.io/kubernetes pkg/controller/history
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api.apps_v1 import ControllerRevision
from kubelite.api.core_v1 import PodTemplateSpec
from kubelite.api.meta import LabelSelector, Object, ObjectMeta, controlled_by
from kubelite.client.plan import Create, Delete, Update, Write
from kubelite.client.view import View
from kubelite.controllers.selection import claim
from kubelite.controllers.template_hash import safe_hash

HASH = "controller-revision-hash"
_CONTENT_HASH = "controller.kubernetes.io/hash"


class History(msgspec.Struct, frozen=True):
    """The revisions of a workload; `update` is the one of its present template and may have to be written first."""

    revisions: list[ControllerRevision]
    update: ControllerRevision
    writes: tuple[Write, ...]

    def named(self, name: str) -> ControllerRevision | None:
        return next((entry for entry in self.revisions if entry.metadata.name == name), None)


def template_patch(template: PodTemplateSpec) -> dict[str, Any]:
    """What a revision holds: a patch that brings the template back, as it looks once it was stored."""
    plain = msgspec.json.decode(msgspec.json.encode(template))
    return {"spec": {"template": {**plain, "$patch": "replace"}}}


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    plain = {key: value for key, value in revision.data["spec"]["template"].items() if key != "$patch"}
    return msgspec.convert(plain, PodTemplateSpec)


def compute_history(
    view: View,
    owner: Object,
    selector: LabelSelector | None,
    template: PodTemplateSpec,
    collisions: int | None,
) -> History:
    """Finds the revision of `template` or makes one, always the one with the highest number."""
    claimed = claim(view, owner, selector, ControllerRevision)
    revisions: list[ControllerRevision] = sorted(
        claimed.held, key=lambda entry: (entry.revision, entry.metadata.creation_timestamp or "", entry.metadata.name)
    )
    if claimed.writes:
        return History(revisions, ControllerRevision(), claimed.writes)
    data = template_patch(template)
    newest = revisions[-1].revision if revisions else 0
    same = [entry for entry in revisions if entry.data == data]
    if same:
        found = same[-1]
        if found.revision < newest:
            found = replace(found, revision=newest + 1)
            return History(revisions, found, (Update(found),))
        return History(revisions, found, ())
    salt = collisions or 0
    while view.get(ControllerRevision, f"{owner.metadata.name}-{safe_hash(template, salt)}", owner.metadata.namespace):
        salt += 1  # the name is another template's
    hash_ = safe_hash(template, salt)
    made = ControllerRevision(
        metadata=ObjectMeta(
            name=f"{owner.metadata.name}-{hash_}",
            namespace=owner.metadata.namespace,
            labels={**template.metadata.labels, _CONTENT_HASH: hash_, HASH: hash_},
            owner_references=(controlled_by(owner),),
        ),
        data=data,
        revision=newest + 1,
    )
    return History([*revisions, made], made, (Create(made),))


def surplus(revisions: Sequence[ControllerRevision], live: Collection[str], limit: int | None) -> list[Write]:
    """The oldest revisions beyond the limit that neither a pod nor the workload names."""
    idle = [entry for entry in revisions if entry.metadata.name not in live and entry.metadata.uid]
    excess = len(idle) - (10 if limit is None else limit)
    return [
        Delete(
            type=ControllerRevision,
            name=entry.metadata.name,
            namespace=entry.metadata.namespace,
            uid=entry.metadata.uid,
        )
        for entry in idle[: max(0, excess)]
    ]
