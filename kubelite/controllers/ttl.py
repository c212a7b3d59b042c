"""How long kubelets may keep Secrets and ConfigMaps: an annotation of each node that grows with the cluster.

Called by `client/host` per node. Source: k8s.io/kubernetes pkg/controller/ttl
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import Node
from kubelite.api.meta import Object
from kubelite.client.plan import Patch, Plan
from kubelite.client.view import Key, View, Watch

ANNOTATION = "node.alpha.kubernetes.io/ttl"
#: (the fewest, the most nodes, seconds); they overlap, so that a cluster at a border does not change to and fro.
STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 10000, 300))


class TTLController:
    name = "ttl-controller"
    reads: tuple[type[Object], ...] = ()

    def __init__(self) -> None:
        self._step = 0

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(Node, self._keys),)

    def _keys(self, view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
        if old is None or new is None:
            count, before = len(view.list(Node)), self._step
            while count > STEPS[self._step][1] and self._step < len(STEPS) - 1:
                self._step += 1
            while count < STEPS[self._step][0]:
                self._step -= 1
            if before != self._step:
                yield from (node.metadata.name for node in view.list(Node))
        if new is not None and (old is None or ANNOTATION not in new.metadata.annotations):
            yield new.metadata.name

    def decide(self, view: View, key: Key, now: float) -> Plan:
        node, wanted = view.get(Node, key), str(STEPS[self._step][2])
        if node is None or node.metadata.annotations.get(ANNOTATION) == wanted:
            return Plan()
        patch = {"metadata": {"annotations": {ANNOTATION: wanted}, "uid": node.metadata.uid}}
        return Plan(writes=(Patch(type=Node, name=key, patch=patch),))
