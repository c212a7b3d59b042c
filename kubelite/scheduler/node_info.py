"""Nodes as the scheduler sees them: what they offer, what is used, who runs there.

State of the scheduler, changed by watch events and by its own decisions that are not yet seen (assumed pods). Pods with equal
labels are counted together, so that selectors are matched against sets of labels instead of pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kubelite.api.core_v1 import Node, Taint
from kubelite.api.quantity import milli_value, value
from kubelite.scheduler.pod_info import HostPort, PodInfo, Requests, Term

Counts = dict[str, int]  #: node name to a number of pods


class LabelClass:
    """The assigned pods of one namespace that carry the same labels, counted by node."""

    __slots__ = ("counts", "labels", "namespace", "terminating")

    def __init__(self, info: PodInfo) -> None:
        self.namespace = info.namespace
        self.labels = info.labels
        self.terminating = info.terminating
        self.counts: Counts = {}


class NodeInfo:
    """One node."""

    __slots__ = (
        "allocatable",
        "hard_taints",
        "images",
        "labels",
        "memory",
        "millis",
        "name",
        "node",
        "pod_limit",
        "pods",
        "ports",
        "scored_memory",
        "scored_millis",
        "soft_taints",
        "used",
        "used_memory",
        "used_millis",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Node | None = None
        self.labels: Mapping[str, str] = {}
        self.hard_taints: tuple[Taint, ...] = ()
        self.soft_taints: tuple[Taint, ...] = ()
        self.images: dict[str, int] = {}
        self.allocatable: Requests = {}
        self.millis = self.memory = self.pod_limit = 0
        self.pods: dict[str, PodInfo] = {}
        self.ports: dict[HostPort, int] = {}
        self.used: Requests = {}  # beside cpu and memory
        self.used_millis = self.used_memory = 0
        self.scored_millis = self.scored_memory = 0

    def set_node(self, node: Node) -> None:
        self.node = node
        self.labels = node.metadata.labels
        taints = node.spec.taints
        self.hard_taints = tuple(taint for taint in taints if taint.effect in ("NoSchedule", "NoExecute"))
        self.soft_taints = tuple(taint for taint in taints if taint.effect == "PreferNoSchedule")
        self.images = {name: image.size_bytes for image in node.status.images for name in image.names}
        self.allocatable = {
            name: milli_value(amount) if name == "cpu" else value(amount)
            for name, amount in node.status.allocatable.items()
        }
        self.millis = self.allocatable.get("cpu", 0)
        self.memory = self.allocatable.get("memory", 0)
        self.pod_limit = self.allocatable.get("pods", 0)

    def count(self, info: PodInfo, sign: int) -> None:
        """Adds (1) or removes (-1) what a pod uses."""
        self.used_millis += sign * info.millis
        self.used_memory += sign * info.memory
        self.scored_millis += sign * info.scored_millis
        self.scored_memory += sign * info.scored_memory
        for name, amount in info.others.items():
            self.used[name] = self.used.get(name, 0) + sign * amount
        for port in info.host_ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]


class Nodes:
    """All nodes and the pods assigned to them, assumed ones included."""

    def __init__(self) -> None:
        self._infos: dict[str, NodeInfo] = {}  # also nodes that are only known from their pods
        self.listed: list[NodeInfo] = []  #: those that exist, in the order in which they came
        self.pods: dict[str, PodInfo] = {}  #: assigned pods by key
        self.topology: dict[str, dict[str, set[str]]] = {}  #: label key to value to names of nodes
        self.image_nodes: Counts = {}  #: image name to the number of nodes that have it
        self.anti_affinity: dict[bytes, tuple[Term, Counts]] = {}  #: required terms of assigned pods
        self.preferences: dict[bytes, tuple[Term, Counts, int]] = {}  #: the others, with the sign of their wish
        self._classes: dict[str, dict[object, LabelClass]] = {}
        self.nominated: dict[str, dict[str, PodInfo]] = {}  #: pods that wait for room on a node, by node and key
        self._nominations: dict[str, str] = {}

    def __getitem__(self, name: str) -> NodeInfo:
        return self._infos[name]

    def get(self, name: str) -> NodeInfo | None:
        """The node, if it exists."""
        info = self._infos.get(name)
        return info if info and info.node else None

    def _info(self, name: str) -> NodeInfo:
        if (info := self._infos.get(name)) is None:
            info = self._infos[name] = NodeInfo(name)
        return info

    # Nodes

    def put_node(self, node: Node) -> NodeInfo:
        info = self._info(node.metadata.name)
        if info.node is None:
            self.listed.append(info)
        self._index(info, -1)
        info.set_node(node)
        self._index(info, 1)
        return info

    def remove_node(self, name: str) -> None:
        info = self.get(name)
        if info is None:
            return
        self._index(info, -1)
        self.listed.remove(info)
        info.node = None
        if not info.pods:
            del self._infos[name]

    def _index(self, info: NodeInfo, sign: int) -> None:
        if info.node is None:
            return
        for key, label in info.labels.items():
            values = self.topology.setdefault(key, {})
            if sign > 0:
                values.setdefault(label, set()).add(info.name)
            else:
                values[label].discard(info.name)
                if not values[label]:
                    del values[label]
        for image in info.images:
            self.image_nodes[image] = self.image_nodes.get(image, 0) + sign

    # Pods

    def put_pod(self, info: PodInfo) -> None:
        """Assigns the pod to `info.node`; replaces what was known of it."""
        self.remove_pod(info.key)
        node = self._info(info.node)
        self.pods[info.key] = node.pods[info.key] = info
        self._count(node, info, 1)

    def remove_pod(self, key: str) -> PodInfo | None:
        info = self.pods.pop(key, None)
        if info is None:
            return None
        node = self._infos[info.node]
        del node.pods[key]
        self._count(node, info, -1)
        if not node.pods and node.node is None:
            del self._infos[info.node]
        return info

    def nominate(self, info: PodInfo, node: str) -> None:
        """Keeps room on `node` for a pod that waits; empty: no longer."""
        before = self._nominations.pop(info.key, "")
        if before:
            self.nominated[before].pop(info.key)
            if not self.nominated[before]:
                del self.nominated[before]
        if node:
            info.node = node
            self._nominations[info.key] = node
            self.nominated.setdefault(node, {})[info.key] = info

    def nomination(self, key: str) -> PodInfo | None:
        node = self._nominations.get(key)
        return self.nominated[node][key] if node else None

    def _count(self, node: NodeInfo, info: PodInfo, sign: int) -> None:
        node.count(info, sign)
        classes = self._classes.setdefault(info.namespace, {})
        identity = (info.terminating, frozenset(info.labels.items()))
        same = classes.get(identity)
        if same is None:
            same = classes[identity] = LabelClass(info)
        if not _add(same.counts, info.node, sign):
            del classes[identity]
        for term in info.anti_affinity:
            _, counts = self.anti_affinity.setdefault(term.id, (term, {}))
            if not _add(counts, info.node, sign):
                del self.anti_affinity[term.id]
        for wish, terms in ((1, info.preferred_affinity), (-1, info.preferred_anti_affinity), (0, info.affinity)):
            for term in terms:
                identity_ = b"%d" % wish + term.id
                _, counts, _ = self.preferences.setdefault(identity_, (term, {}, wish))
                if not _add(counts, info.node, sign):
                    del self.preferences[identity_]

    def classes(self, namespaces: Iterable[str] | None) -> Iterator[LabelClass]:
        """The label classes of some namespaces; None: of all."""
        for namespace in self._classes if namespaces is None else namespaces:
            yield from self._classes.get(namespace, {}).values()


def _add(counts: Counts, node: str, sign: int) -> bool:
    """Whether anything is left."""
    count = counts.get(node, 0) + sign
    if count:
        counts[node] = count
    else:
        counts.pop(node, None)
    return bool(counts)
