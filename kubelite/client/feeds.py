"""One informer's pods, divided by the node they are bound to: many kubelets in a process share one watch."""

from __future__ import annotations

from typing import Any

from kubelite.api.core_v1 import Pod
from kubelite.client.informer import Handler, Informer
from kubelite.client.view import Index, View

NODE = "node"  #: the index that the view must have


def pods_by_node(pod: Pod) -> tuple[str, ...]:
    """The index function of `NODE`."""
    return (pod.spec.node_name,)


NODE_INDEX: dict[tuple[type[Any], str], Index] = {(Pod, NODE): pods_by_node}


class PodsByNode:
    """Hears every pod once and tells only those whom it concerns."""

    def __init__(self, informer: Informer, view: View) -> None:
        self._view = view
        self._handlers: dict[str, list[Handler]] = {}
        informer.subscribe(self._hear)

    def of(self, node: str) -> NodePods:
        """The pods of one node."""
        return NodePods(self, node)

    def subscribe(self, node: str, handler: Handler) -> None:
        for pod in self._view.indexed(Pod, NODE, node):
            handler(None, pod)
        self._handlers.setdefault(node, []).append(handler)

    def unsubscribe(self, node: str, handler: Handler) -> None:
        self._handlers[node].remove(handler)

    def _hear(self, old: Pod | None, new: Pod | None) -> None:
        before = old.spec.node_name if old else ""
        after = new.spec.node_name if new else ""
        if before and before != after:
            self._tell(before, old, None)
        if after:
            self._tell(after, old if before == after else None, new)

    def _tell(self, node: str, old: Pod | None, new: Pod | None) -> None:
        for handler in self._handlers.get(node, ()):
            handler(old, new)


class NodePods:
    """An informer's subscribe and unsubscribe, for one node's pods."""

    def __init__(self, pods: PodsByNode, node: str) -> None:
        self._pods = pods
        self._node = node

    def subscribe(self, handler: Handler) -> None:
        self._pods.subscribe(self._node, handler)

    def unsubscribe(self, handler: Handler) -> None:
        self._pods.unsubscribe(self._node, handler)
