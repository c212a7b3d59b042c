"""Where a pod may run by what it and a node say: node selectors, node affinity, taints and tolerations. Pure.

The scheduler, the DaemonSet controller and taint eviction must agree on these.
Source: k8s.io/component-helpers/scheduling/corev1, k8s.io/api/core/v1/toleration.go
"""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.api.core_v1 import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"


def untolerated(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> Taint | None:
    """The first taint that no toleration covers."""
    return next((taint for taint in taints if not any(tolerates(entry, taint) for entry in tolerations)), None)


def matches_requirement(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            try:
                have, bound = int(value or ""), int(requirement.values[0])
            except (ValueError, IndexError):
                return False
            return have > bound if requirement.operator == "Gt" else have < bound
        case _:
            return False


def matches_term(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a node matches; a term without requirements matches none."""
    for entry in term.match_expressions:
        if not matches_requirement(entry, labels):
            return False
    if not term.match_fields:
        return bool(term.match_expressions)
    fields = {"metadata.name": name}
    return all(matches_requirement(entry, fields) for entry in term.match_fields)


def required_nodes(spec: PodSpec) -> NodeSelector | None:
    affinity = spec.affinity.node_affinity if spec.affinity else None
    return affinity.required_during_scheduling_ignored_during_execution if affinity else None


def selects_node(spec: PodSpec, name: str, labels: Mapping[str, str]) -> bool:
    """Whether the pod's nodeSelector and required node affinity allow a node."""
    if spec.node_selector and not spec.node_selector.items() <= labels.items():
        return False
    if (required := required_nodes(spec)) is None:
        return True
    for term in required.node_selector_terms:  # noqa: SIM110  asked for every node and pod, and any() takes half as long again
        if matches_term(term, name, labels):
            return True
    return False


def named_nodes(spec: PodSpec) -> set[str] | None:
    """The only nodes that the pod can run on, if its affinity names them, as that of a DaemonSet's pod does."""
    required = required_nodes(spec)
    if required is None or not required.node_selector_terms:
        return None
    names: set[str] = set()
    for term in required.node_selector_terms:
        fields = [entry for entry in term.match_fields if entry.key == "metadata.name" and entry.operator == "In"]
        if not fields:
            return None
        names |= set.intersection(*(set(entry.values) for entry in fields))
    return names
