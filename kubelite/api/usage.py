"""What an object counts against the quotas of its namespace, and which quotas are about it. Pure.

The API server charges by it when something is created or grows; the quota controller adds everything up by it.
Source: kubernetes pkg/quota/v1/evaluator/core/{pods,services,persistent_volume_claims}.go, k8s.io/apiserver pkg/quota/v1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubelite.api import core_v1 as core
from kubelite.api.meta import Quantity
from kubelite.api.quantity import Amount, parse
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import parse_rfc3339

Amounts = Mapping[str, Amount]
ZERO = Amount(0)
ONE = parse("1")
#: What each container must state as soon as a quota limits it.
_STATED = ("cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory")
#: Kinds that are counted under their plain plural too.
_PLAIN = ("configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services")
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"


def amounts(quantities: Mapping[str, Quantity]) -> dict[str, Amount]:
    return {name: parse(quantity) for name, quantity in quantities.items()}


def add(one: Amounts, other: Amounts) -> dict[str, Amount]:
    """
    >>> {name: str(amount) for name, amount in add({"cpu": parse("1")}, {"cpu": parse("500m"), "pods": ONE}).items()}
    {'cpu': '1500m', 'pods': '1'}
    """
    return {**one, **{name: one.get(name, ZERO) + amount for name, amount in other.items()}}


def subtract(one: Amounts, other: Amounts) -> dict[str, Amount]:
    return {name: one.get(name, ZERO) - other.get(name, ZERO) for name in {**one, **other}}


def usage_of(resource: Resource, obj: Any, now: float) -> dict[str, Amount]:
    """Everything that `obj` counts as at `now` (unix seconds)."""
    used = {f"count/{resource.group_resource}": ONE}
    if resource.group:
        return used
    if resource.plural in _PLAIN:
        used[resource.plural] = ONE
    match obj:
        case core.Pod():
            return {**used, **_pod(obj)} if counts(obj, now) else used
        case core.Service():
            return {**used, **_service(obj)}
        case core.PersistentVolumeClaim():
            return {**used, **_claim(obj)}
        case _:
            return used


def counts(pod: core.Pod, now: float) -> bool:
    """Whether a pod still uses what it asked for: it has not ended, and is not stuck in its deletion."""
    meta = pod.metadata
    if pod.status.phase in ("Failed", "Succeeded"):
        return False
    if meta.deletion_timestamp is None or meta.deletion_grace_period_seconds is None:
        return True
    return now <= parse_rfc3339(meta.deletion_timestamp) + meta.deletion_grace_period_seconds


def _pod(pod: core.Pod) -> dict[str, Amount]:
    requests, limits = pod_total(pod, _requests), pod_total(pod, _limits)
    used = {"pods": ONE}
    for name, amount in requests.items():
        used[f"requests.{name}"] = amount
        if name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-"):
            used[name] = amount
    for name, amount in limits.items():
        if name in ("cpu", "memory", "ephemeral-storage"):
            used[f"limits.{name}"] = amount
    return used


def _requests(container: core.Container) -> dict[str, Amount]:
    return amounts(container.resources.requests)


def _limits(container: core.Container) -> dict[str, Amount]:
    return amounts(container.resources.limits)


def pod_total(pod: core.Pod, of: Callable[[core.Container], Amounts]) -> dict[str, Amount]:
    """What the whole pod needs at most: its containers and sidecars together, or more while it initializes; and overhead."""
    total: dict[str, Amount] = {}
    for container in pod.spec.containers:
        total = add(total, of(container))
    started: Amounts = {}
    highest: dict[str, Amount] = {}
    for container in pod.spec.init_containers:
        needed = of(container)
        if container.restart_policy == "Always":
            started = add(started, needed)
            total = add(total, needed)
            needed = started
        else:
            needed = add(started, needed)
        highest = _greater(highest, needed)
    total = _greater(total, highest)
    overhead = {
        name: amount for name, amount in amounts(pod.spec.overhead).items() if of is not _limits or name in total
    }
    return add(total, overhead)


def _greater(one: Amounts, other: Amounts) -> dict[str, Amount]:
    return {name: max(one.get(name, ZERO), other.get(name, ZERO)) for name in {**one, **other}}


def _service(service: core.Service) -> dict[str, Amount]:
    spec = service.spec
    used = {"services.nodeports": ZERO, "services.loadbalancers": ZERO}
    if spec.type == "NodePort" or (spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False):
        used["services.nodeports"] = parse(str(len(spec.ports)))
    elif spec.type == "LoadBalancer":
        used["services.nodeports"] = parse(str(sum(1 for port in spec.ports if port.node_port)))
    if spec.type == "LoadBalancer":
        used["services.loadbalancers"] = ONE
    return used


def _claim(claim: core.PersistentVolumeClaim) -> dict[str, Amount]:
    used: dict[str, Amount] = {}
    class_ = claim.spec.storage_class_name
    if class_:
        used[f"{class_}{_STORAGE_CLASS}persistentvolumeclaims"] = ONE
    if (storage := claim.spec.resources.requests.get("storage")) is not None:
        used["requests.storage"] = parse(storage)
        if class_:
            used[f"{class_}{_STORAGE_CLASS}requests.storage"] = parse(storage)
    return used


# -- which quotas ------------------------------------------------------------------------------------------------------


def in_scope(quota: core.ResourceQuota, obj: Any) -> bool:
    """Whether the quota's scopes hold of `obj`; kinds other than pods have none."""
    scopes = [core.ScopedResourceSelectorRequirement(scope_name=name, operator="Exists") for name in quota.spec.scopes]
    if quota.spec.scope_selector is not None:
        scopes += quota.spec.scope_selector.match_expressions
    return all(isinstance(obj, core.Pod) and _has_scope(scope, obj) for scope in scopes)


def _has_scope(scope: core.ScopedResourceSelectorRequirement, pod: core.Pod) -> bool:
    spec = pod.spec
    match scope.scope_name:
        case "Terminating":
            return spec.active_deadline_seconds is not None
        case "NotTerminating":
            return spec.active_deadline_seconds is None
        case "BestEffort":
            return _is_best_effort(pod)
        case "NotBestEffort":
            return not _is_best_effort(pod)
        case "CrossNamespacePodAffinity":
            return any(
                term.namespaces or term.namespace_selector is not None for term in _affinity_terms(spec.affinity)
            )
        case "PriorityClass":
            name = spec.priority_class_name
            match scope.operator:
                case "In":
                    return name in scope.values
                case "NotIn":
                    return name not in scope.values
                case "DoesNotExist":
                    return not name
                case _:
                    return bool(name)
        case _:
            return False


def _is_best_effort(pod: core.Pod) -> bool:
    stated = [
        amount
        for container in (*pod.spec.containers, *pod.spec.init_containers)
        for quantities in (container.resources.requests, container.resources.limits)
        for name, amount in amounts(quantities).items()
        if name in ("cpu", "memory")
    ]
    return not any(amount.nanos for amount in stated)


def _affinity_terms(affinity: core.Affinity | None) -> Iterable[core.PodAffinityTerm]:
    for each in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        if each is not None:
            yield from each.required_during_scheduling_ignored_during_execution
            yield from (term.pod_affinity_term for term in each.preferred_during_scheduling_ignored_during_execution)


def unstated(pod: core.Pod, limited: Iterable[str]) -> dict[str, list[str]]:
    """For each limited resource that a container must state: the containers that do not."""
    missing: dict[str, list[str]] = {}
    for name in sorted(set(limited).intersection(_STATED)):
        kind, _, resource = name.rpartition(".")
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            resources = container.resources
            if resource not in (resources.limits if kind == "limits" else resources.requests):
                missing.setdefault(name, []).append(container.name)
    return {name: sorted(containers) for name, containers in missing.items()}
