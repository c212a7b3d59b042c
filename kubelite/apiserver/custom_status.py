"""What becomes of a CustomResourceDefinition: which of its names are accepted, whether it is established, how it goes. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/controller/{status/naming_controller,establish,finalizer/crd_finalizer}.go,
pkg/registry/customresourcedefinition/etcd.go (Delete)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from kubelite.api.apiextensions_v1 import (
    CustomResourceDefinition as Crd,
    CustomResourceDefinitionCondition as Condition,
    CustomResourceDefinitionNames as Names,
    CustomResourceDefinitionStatus as Status,
)

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def set_condition(status: Status, type_: str, is_true: bool, reason: str, message: str, *, now: str) -> Status:
    """`status` with a condition; its time changes only with its status."""
    state = "True" if is_true else "False"
    old = next((item for item in status.conditions if item.type == type_), None)
    since = old.last_transition_time if old is not None and old.status == state else now
    made = Condition(type=type_, status=state, last_transition_time=since, reason=reason, message=message)
    if old is None:
        return replace(status, conditions=(*status.conditions, made))
    return replace(status, conditions=tuple(made if item is old else item for item in status.conditions))


def compute_status(crd: Crd, others: Iterable[Crd], now: str) -> Status:
    """Its names and the conditions NamesAccepted and Established, given the other definitions."""
    group = [other.status.accepted_names for other in others if other.spec.group == crd.spec.group]
    resources = {name for item in group for name in (item.plural, item.singular, *item.short_names)}
    kinds = {name for item in group for name in (item.kind, item.list_kind)}
    wanted, accepted = crd.spec.names, crd.status.accepted_names
    taken: dict[str, Any] = {"categories": wanted.categories}
    refused = ("", "")
    for attribute, reason, used in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("short_names", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("list_kind", "ListKindConflict", kinds),
    ):
        new, old = getattr(wanted, attribute), getattr(accepted, attribute)
        names = [name for name in new if name not in old] if isinstance(new, tuple) else [new] if new != old else []
        problems = [f'"{name}" is already in use' for name in names if name in used]
        if problems:
            refused = (reason, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
        else:
            taken[attribute] = new
    names_now: Names = replace(accepted, **taken)
    status = replace(crd.status, accepted_names=names_now)
    if refused[0]:
        status = set_condition(status, "NamesAccepted", False, *refused, now=now)
    else:
        status = set_condition(status, "NamesAccepted", True, "NoConflicts", "no conflicts found", now=now)
    if any(item.type == "Established" and item.status == "True" for item in status.conditions):
        return status
    if refused[0]:
        return set_condition(status, "Established", False, "NotAccepted", "not all names are accepted", now=now)
    text = "the initial names have been accepted"
    return set_condition(status, "Established", True, "InitialNamesAccepted", text, now=now)


def begin_cleanup(crd: Crd, now: str) -> Crd:
    """A definition whose deletion begins: it stays until its objects are gone."""
    held = crd.metadata.finalizers
    metadata = replace(crd.metadata, deletion_timestamp=now, finalizers=held if CLEANUP in held else (*held, CLEANUP))
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    status = set_condition(crd.status, "Terminating", True, "InstanceDeletionPending", text, now=now)
    return replace(crd, metadata=metadata, status=status)


def end_cleanup(crd: Crd, now: str) -> Crd:
    """A definition none of whose objects is left."""
    finalizers = tuple(name for name in crd.metadata.finalizers if name != CLEANUP)
    is_established = any(item.type == "Established" and item.status == "True" for item in crd.status.conditions)
    if is_established:
        facts = ("InstanceDeletionCompleted", "removed all instances")
    else:
        facts = ("NeverEstablished", "resource was never established")
    status = set_condition(crd.status, "Terminating", False, *facts, now=now)
    return replace(crd, metadata=replace(crd.metadata, finalizers=finalizers), status=status)
