"""Pods that nobody else ends: those of nodes that are gone or out of service, and the oldest finished ones beyond a limit.

Called by `client/host` per node name, and with the key "" for the finished ones. Source: k8s.io/kubernetes pkg/controller/podgc
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import Node, Pod, PodCondition
from kubelite.api.meta import Object
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Delete, Plan, Update, Write
from kubelite.client.view import Key, View, Watch
from kubelite.controllers.node_lifecycle import with_condition
from kubelite.controllers.pods import is_terminal

QUARANTINE_S = 40.0  #: how long a node must be gone
FINISHED_LIMIT = 12500  #: --terminated-pod-gc-threshold
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
FINISHED = ""  #: the key of the finished pods


def pods_of_node(pod: Pod) -> Iterable[str]:
    """Index "node"."""
    return (pod.spec.node_name,)


def finished_pods(pod: Pod) -> Iterable[str]:
    """Index "finished"."""
    return ("yes",) if is_terminal(pod) else ()


class PodGarbageCollector:
    name = "pod-garbage-collector-controller"

    def __init__(self, *, finished_limit: int = FINISHED_LIMIT) -> None:
        self._limit = finished_limit
        self._gone: dict[str, float] = {}  # node name to when it was first missed

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(Node, _node_keys), Watch(Pod, _pod_keys))

    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        if key == FINISHED:
            return self._finished(view)
        pods, node = view.indexed(Pod, "node", key), view.get(Node, key)
        if node is not None or not pods:
            self._gone.pop(key, None)
            if node is None or not is_out_of_service(node):
                return Plan()
            return Plan(writes=tuple(_delete(pod) for pod in pods if pod.metadata.deletion_timestamp))
        left = self._gone.setdefault(key, now) + QUARANTINE_S - now
        if left > 0:
            return Plan(requeue_after_s=left)
        return Plan(writes=tuple(write for pod in pods for write in _end(pod, now)))

    def _finished(self, view: View) -> Plan:
        finished = view.indexed(Pod, "finished", "yes")
        excess = len(finished) - self._limit
        if excess <= 0:
            return Plan()
        oldest = sorted(finished, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
        return Plan(writes=tuple(_delete(pod) for pod in oldest[:excess]))


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    node = new or old
    if node is not None and (old is None or new is None or is_out_of_service(old) != is_out_of_service(new)):
        yield node.metadata.name


def is_out_of_service(node: Node) -> bool:
    """Whether an administrator vouches that nothing runs there any more, and the node does not say otherwise."""
    ready = any(entry.type == "Ready" and entry.status == "True" for entry in node.status.conditions)
    return not ready and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    if new is None:
        return
    if new.spec.node_name and (old is None or not old.spec.node_name) and view.get(Node, new.spec.node_name) is None:
        yield new.spec.node_name
    if new.metadata.deletion_timestamp and (old is None or not old.metadata.deletion_timestamp):
        node = view.get(Node, new.spec.node_name)
        if node is not None and is_out_of_service(node):
            yield new.spec.node_name
    if is_terminal(new) and (old is None or not is_terminal(old)):
        yield FINISHED


def _delete(pod: Pod) -> Delete:
    meta = pod.metadata
    return Delete(type=Pod, name=meta.name, namespace=meta.namespace, uid=meta.uid, grace_period_seconds=0)


def _end(pod: Pod, now: float) -> list[Write]:
    """Nobody will report its end, so it has failed."""
    if is_terminal(pod):
        return [_delete(pod)]
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="DeletionByPodGC",
        message="PodGC: node no longer exists",
        last_transition_time=rfc3339(now),
    )
    marked = with_condition(pod, condition)
    failed = replace(marked, status=replace(marked.status, phase="Failed"))
    return [Update(failed, subresource="status"), _delete(pod)]
