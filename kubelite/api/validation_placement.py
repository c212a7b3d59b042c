"""What must hold of a pod's wishes about nodes: affinity, tolerations, spreading; and of nodes' taints. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

from kubelite.api import core_v1 as core
from kubelite.api.validation_field import (
    Errors,
    duplicate,
    forbidden,
    formatted,
    invalid,
    label_value,
    not_supported,
    one_of,
    qualified_name,
    required,
)
from kubelite.api.validation_meta import validate_selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_affinity(affinity: core.Affinity, path: str) -> Errors:
    found: Errors = []
    nodes = affinity.node_affinity
    if nodes is not None:
        at = f"{path}.nodeAffinity"
        if nodes.required_during_scheduling_ignored_during_execution is not None:
            found += validate_node_selector(
                nodes.required_during_scheduling_ignored_during_execution, f"{at}.{_REQUIRED}"
            )
        for index, term in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            here = f"{at}.{_PREFERRED}[{index}]"
            found += _weight(term.weight, here)
            found += _node_term(term.preference, f"{here}.preference")
    for name, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is None:
            continue
        for index, pod_term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            found += _pod_term(pod_term, f"{path}.{name}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            here = f"{path}.{name}.{_PREFERRED}[{index}]"
            found += _weight(weighted.weight, here)
            found += _pod_term(weighted.pod_affinity_term, f"{here}.podAffinityTerm")
    return found


def _weight(weight: int, path: str) -> Errors:
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _pod_term(term: core.PodAffinityTerm, path: str) -> Errors:
    found = validate_selector(term.label_selector, f"{path}.labelSelector")
    found += validate_selector(term.namespace_selector, f"{path}.namespaceSelector")
    for name in term.namespaces:
        found += formatted(f"{path}.namespace", name, label_value)
    if not term.topology_key:
        return [*found, required(f"{path}.topologyKey", "can not be empty")]
    return found + formatted(f"{path}.topologyKey", term.topology_key, qualified_name)


def validate_node_selector(selector: core.NodeSelector, path: str) -> Errors:
    at = f"{path}.nodeSelectorTerms"
    if not selector.node_selector_terms:
        return [required(at, "must have at least one node selector term")]
    found: Errors = []
    for index, term in enumerate(selector.node_selector_terms):
        found += _node_term(term, f"{at}[{index}]")
    return found


def _node_term(term: core.NodeSelectorTerm, path: str) -> Errors:
    found: Errors = []
    for index, rule in enumerate(term.match_expressions):
        at = f"{path}.matchExpressions[{index}]"
        match rule.operator:
            case "In" | "NotIn":
                if not rule.values:
                    found.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
            case "Exists" | "DoesNotExist":
                if rule.values:
                    why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    found.append(forbidden(f"{at}.values", why))
            case "Gt" | "Lt":
                if len(rule.values) != 1:
                    why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                    found.append(required(f"{at}.values", why))
            case _:
                found.append(invalid(f"{at}.operator", rule.operator, "not a valid selector operator"))
        found += formatted(f"{at}.key", rule.key, qualified_name)
    for index, rule in enumerate(term.match_fields):
        at = f"{path}.matchFields[{index}]"
        if rule.operator not in ("In", "NotIn"):
            found.append(invalid(f"{at}.operator", rule.operator, "not a valid selector operator"))
        elif len(rule.values) != 1:
            why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            found.append(required(f"{at}.values", why))
        if rule.key != "metadata.name":
            found.append(invalid(f"{at}.key", rule.key, "not a valid field selector key"))
    return found


def validate_tolerations(tolerations: tuple[core.Toleration, ...], path: str) -> Errors:
    found: Errors = []
    for index, item in enumerate(tolerations):
        at = f"{path}[{index}]"
        if item.key:
            found += formatted(f"{at}.key", item.key, qualified_name)
        elif item.operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            found.append(invalid(f"{at}.operator", item.operator, why))
        if item.toleration_seconds is not None and item.effect != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(invalid(f"{at}.effect", item.effect, why))
        match item.operator:
            case "Equal" | "":
                if wrong := label_value(item.value):
                    found.append(invalid(f"{at}.operator", item.value, ";".join(wrong)))
            case "Exists":
                if item.value:
                    why = "value must be empty when `operator` is 'Exists'"
                    found.append(invalid(f"{at}.operator", item.value, why))
            case _:
                found.append(not_supported(f"{at}.operator", item.operator, ("Equal", "Exists")))
        if item.effect:
            found += one_of(f"{at}.effect", item.effect, _EFFECTS)
    return found


def validate_taints(taints: tuple[core.Taint, ...], path: str) -> Errors:
    found: Errors = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        found += formatted(f"{at}.key", taint.key, qualified_name)
        if wrong := label_value(taint.value):
            found.append(invalid(f"{at}.value", taint.value, ";".join(wrong)))
        if not taint.effect:
            found.append(required(f"{at}.effect"))
        else:
            found += one_of(f"{at}.effect", taint.effect, _EFFECTS)
        if (taint.key, taint.effect) in seen:
            shown = duplicate(at, taint)
            detail = f"{shown.detail}: taints must be unique by key and effect pair"
            found.append(type(shown)(shown.type, shown.field, detail))
        seen.add((taint.key, taint.effect))
    return found


def validate_spread(constraints: tuple[core.TopologySpreadConstraint, ...], path: str) -> Errors:
    found: Errors = []
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(constraints):
        at = f"{path}[{index}]"
        if rule.max_skew <= 0:
            found.append(invalid(f"{at}.maxSkew", rule.max_skew, "must be greater than zero"))
        if not rule.topology_key:
            found.append(required(f"{at}.topologyKey", "can not be empty"))
        else:
            found += formatted(f"{at}.topologyKey", rule.topology_key, qualified_name)
        supported = ("DoNotSchedule", "ScheduleAnyway")
        found += one_of(f"{at}.whenUnsatisfiable", rule.when_unsatisfiable, supported)
        pair = (rule.topology_key, rule.when_unsatisfiable)
        if pair in seen:
            found.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{pair[0]}, {pair[1]}}}"))
        seen.add(pair)
        if rule.min_domains is not None and rule.min_domains <= 0:
            found.append(invalid(f"{at}.minDomains", rule.min_domains, "must be greater than zero"))
        found += validate_selector(rule.label_selector, f"{at}.labelSelector")
    return found
