"""Who a pod belongs together with: what selects it and its siblings, and which namespaces a selector selects. Pure.

Source: k8s.io/kubernetes pkg/scheduler/framework/plugins/helper/spread.go
"""

from __future__ import annotations

from typing import Any

from kubelite.api.apps_v1 import ReplicaSet, StatefulSet
from kubelite.api.core_v1 import Namespace, Pod, ReplicationController, Service
from kubelite.api.meta import LabelSelector, Object, controller_of
from kubelite.api.selectors import matches
from kubelite.client.view import View

READS: tuple[type[Object], ...] = (Service, ReplicaSet, StatefulSet, ReplicationController, Namespace)


def default_selector(view: View, pod: Pod) -> LabelSelector | None:
    """What selects the pod and its siblings: its Services' selectors and its workload's, together."""
    labels: dict[str, str] = {}
    for service in view.list(Service, pod.metadata.namespace):
        selector = service.spec.selector
        if selector and selector.items() <= pod.metadata.labels.items():
            labels.update(selector)
    expressions: tuple[Any, ...] = ()
    owner = controller_of(pod.metadata)
    if owner is not None:
        found = _workload_selector(view, owner.kind, owner.name, pod.metadata.namespace)
        if found is not None and matches(found, pod.metadata.labels):
            labels.update(found.match_labels)
            expressions = found.match_expressions
    return LabelSelector(match_labels=labels, match_expressions=expressions) if labels or expressions else None


def _workload_selector(view: View, kind: str, name: str, namespace: str) -> LabelSelector | None:
    if kind == "ReplicationController":
        controller = view.get(ReplicationController, name, namespace)
        return LabelSelector(match_labels=controller.spec.selector) if controller else None
    if kind == "ReplicaSet":
        replica_set = view.get(ReplicaSet, name, namespace)
        return replica_set.spec.selector if replica_set else None
    if kind == "StatefulSet":
        stateful_set = view.get(StatefulSet, name, namespace)
        return stateful_set.spec.selector if stateful_set else None
    return None


def selected_namespaces(view: View, selector: LabelSelector) -> set[str]:
    return {ns.metadata.name for ns in view.list(Namespace) if matches(selector, ns.metadata.labels)}
