"""What a DELETE does to an object: remove it, mark it as being deleted, or nothing because that has begun. Pure.

An object goes at once unless finalizers hold it, or its kind is stopped gracefully (pods: the kubelet confirms by deleting
with grace period 0). A namespace stays until its own finalizers are gone.
Source: k8s.io/apiserver pkg/registry/rest/delete.go, pkg/registry/generic/registry/store.go,
k8s.io/kubernetes pkg/registry/core/{pod,namespace}
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import apiextensions_v1 as apiextensions, core_v1 as core
from kubelite.api.errors import Conflict, details, invalid
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import parse_rfc3339, rfc3339
from kubelite.api.validation_meta import validate_delete_options
from kubelite.apiserver.custom_status import begin_cleanup
from kubelite.apiserver.strategy import strategy_of

_POLICY_FINALIZERS = {"Orphan": "orphan", "Foreground": "foregroundDeletion", "Background": ""}


class Deletion(msgspec.Struct, frozen=True):
    """`obj` is the state to write, or the last one if `remove`; None when the deletion has begun and stays as it is."""

    obj: Any = None
    remove: bool = False


def check_options(options: DeleteOptions) -> None:
    """Raises: Invalid."""
    if found := validate_delete_options(options):
        raise invalid("meta.k8s.io", "DeleteOptions", "", found)


def check_preconditions(resource: Resource, meta: ObjectMeta, options: DeleteOptions) -> None:
    """Raises: Conflict."""
    wanted = options.preconditions
    if wanted is None:
        return
    why = ""
    if wanted.uid is not None and wanted.uid != meta.uid:
        why = f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({meta.uid}). "
        why += "The object might have been deleted and then recreated"
    elif wanted.resource_version is not None and wanted.resource_version != meta.resource_version:
        why = f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match the ResourceVersion in "
        why += f"record ({meta.resource_version}). The object might have been modified"
    if why:
        kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        text = f'Operation cannot be fulfilled on {kind} "{meta.name}": {why}'
        raise Conflict(text, details(resource.group, resource.kind, meta.name))


def compute_deletion(obj: Any, options: DeleteOptions, now: float) -> Deletion:
    """What deleting `obj` at `now` (unix seconds) does."""
    if isinstance(obj, core.Namespace):
        return _namespace(obj, now)
    if isinstance(obj, apiextensions.CustomResourceDefinition) and obj.metadata.deletion_timestamp is None:
        return Deletion(begin_cleanup(obj, rfc3339(now)))
    strategy = strategy_of(type(obj))
    meta: ObjectMeta = obj.metadata
    grace = options.grace_period_seconds
    if grace is not None and grace < 0:
        grace = 1
    finalizers = _finalizers(meta, options, strategy.default_finalizer)
    marked = meta
    if strategy.graceful:
        shortened = _shortened(obj, grace, now)
        if shortened is None:
            return Deletion()
        marked = shortened
    marked = replace(marked, finalizers=finalizers)
    if finalizers:
        if marked.deletion_timestamp is None:
            marked = _marked(marked, 0, now)
        if not marked.deletion_grace_period_seconds and marked == meta:
            return Deletion()
        return Deletion(replace(obj, metadata=marked))
    if strategy.graceful:
        return Deletion(replace(obj, metadata=marked), remove=not marked.deletion_grace_period_seconds)
    return Deletion(obj, remove=True)


def _shortened(pod: Any, grace: int | None, now: float) -> ObjectMeta | None:
    """A pod's metadata with its deletion begun or brought forward; None when neither is to happen."""
    meta: ObjectMeta = pod.metadata
    if meta.deletion_timestamp is None:
        period = grace if grace is not None else pod.spec.termination_grace_period_seconds or 0
        if not pod.spec.node_name or pod.status.phase in ("Failed", "Succeeded"):
            period = 0
        return _marked(meta, period, now)
    left = meta.deletion_grace_period_seconds
    if not left:
        return meta
    if grace is None or grace >= left:
        return None
    begun = parse_rfc3339(meta.deletion_timestamp) - left
    return replace(meta, deletion_timestamp=rfc3339(begun + grace), deletion_grace_period_seconds=grace)


def _marked(meta: ObjectMeta, grace: int, now: float) -> ObjectMeta:
    return replace(
        meta,
        deletion_timestamp=rfc3339(now + grace),
        deletion_grace_period_seconds=grace,
        generation=meta.generation + 1 if meta.generation else 0,
    )


def _finalizers(meta: ObjectMeta, options: DeleteOptions, default: str) -> tuple[str, ...]:
    """The finalizers with what the propagation policy asks the garbage collector to do first."""
    wanted = default
    if options.propagation_policy is not None:
        wanted = _POLICY_FINALIZERS[options.propagation_policy]
    elif options.orphan_dependents is not None:
        wanted = "orphan" if options.orphan_dependents else ""
    elif {"orphan", "foregroundDeletion"} & set(meta.finalizers):
        return meta.finalizers
    if wanted and wanted in meta.finalizers:
        return meta.finalizers
    kept = tuple(name for name in meta.finalizers if name not in ("orphan", "foregroundDeletion"))
    return (*kept, wanted) if wanted else kept


def _namespace(namespace: core.Namespace, now: float) -> Deletion:
    if namespace.metadata.deletion_timestamp is not None:
        held = namespace.spec.finalizers or namespace.metadata.finalizers
        return Deletion() if held else Deletion(namespace, remove=True)
    metadata = replace(namespace.metadata, deletion_timestamp=rfc3339(now))
    marked = replace(namespace, metadata=metadata, status=replace(namespace.status, phase="Terminating"))
    return Deletion(marked, remove=not namespace.spec.finalizers and not metadata.finalizers)


def finished(obj: Any) -> bool:
    """Whether an update has removed the last thing that held an object which is being deleted."""
    meta: ObjectMeta = obj.metadata
    if meta.deletion_timestamp is None or meta.finalizers or meta.deletion_grace_period_seconds:
        return False
    return not (isinstance(obj, core.Namespace) and obj.spec.finalizers)
