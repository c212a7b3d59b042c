"""Default roles and bindings at a later start: what is missing of them is put back, what was added stays. Pure.

Who wants one left alone says so by its annotation. Source: kubernetes pkg/registry/rbac/reconciliation,
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.apiserver.rbac import Role
from kubelite.apiserver.rbac_escalation import break_down, compact, is_covered

_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


def reconciled(found: Any, wanted: Any) -> Any | None:
    """`found` with everything that `wanted` has; None when it has that, or is to be left alone."""
    meta = found.metadata
    if meta.annotations.get(_AUTOUPDATE) == "false":
        return None
    labels = {**wanted.metadata.labels, **meta.labels}
    annotations = {**wanted.metadata.annotations, **meta.annotations}
    made = replace(found, metadata=replace(meta, labels=labels, annotations=annotations))
    if not isinstance(found, Role):
        missing = tuple(subject for subject in wanted.subjects if subject not in found.subjects)
        made = replace(made, subjects=(*found.subjects, *missing)) if found.role_ref == wanted.role_ref else made
    elif found.rules != wanted.rules:
        simple = (each for rule in wanted.rules for each in break_down(rule) if not is_covered(each, found.rules))
        made = replace(made, rules=(*found.rules, *compact(simple)))
    return made if made != found else None
