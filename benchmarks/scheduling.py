"""How many pods the scheduler places a second on many nodes: the pure decisions with their bookkeeping, without writes.

`python -m benchmarks.scheduling [--json] [--nodes N ...]`. The limits are upstream's own gates on 5,000 nodes, which
include the writes. Source: kubernetes test/integration/scheduler_perf
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from benchmarks.figures import Figure, arguments, progress, show
from kubelite.api.core_v1 import (
    Affinity,
    Container,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeStatus,
    Pod,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    ResourceRequirements,
    TopologySpreadConstraint,
)
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.client.cache import Cache
from kubelite.client.plan import Bind
from kubelite.scheduler import INDEXES, Scheduler

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
WEB = LabelSelector(match_labels={"app": "web"})
LIMITS = {"plain": 680.0, "node affinity": 220.0, "anti-affinity": 60.0}


def _node(number: int) -> Node:
    name = f"node-{number}"
    return Node(
        metadata=ObjectMeta(name=name, labels={HOST: name, ZONE: f"zone-{number % 3}"}),
        status=NodeStatus(allocatable={"cpu": "4", "memory": "32Gi", "pods": "110"}),
    )


def _affinity() -> Affinity:
    zones = NodeSelectorRequirement(key=ZONE, operator="In", values=("zone-0", "zone-1"))
    terms = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(zones,)),))
    return Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=terms))


def _anti_affinity() -> Affinity:
    term = PodAffinityTerm(topology_key=HOST, label_selector=WEB)
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=(term,)))


def _spread() -> TopologySpreadConstraint:
    return TopologySpreadConstraint(
        max_skew=5, topology_key=ZONE, when_unsatisfiable="DoNotSchedule", label_selector=WEB
    )


def _spec(case: str) -> PodSpec:
    resources = ResourceRequirements(requests={"cpu": "100m", "memory": "500Mi"})
    containers = (Container(name="main", image="app:1", resources=resources),)
    match case:
        case "node affinity":
            return PodSpec(containers=containers, affinity=_affinity())
        case "anti-affinity":
            return PodSpec(containers=containers, affinity=_anti_affinity())
        case "spread":
            return PodSpec(containers=containers, topology_spread_constraints=(_spread(),))
        case _:
            return PodSpec(containers=containers)


class _Rig:
    """A scheduler over a view in which every decision is carried out at once."""

    def __init__(self, nodes: int) -> None:
        self._view = Cache(INDEXES)
        self._scheduler = Scheduler()
        self._tell: dict[type, Callable[..., object]] = {watch.type: watch.keys for watch in self._scheduler.watches}
        for number in range(nodes):
            self._put(_node(number))

    def _put(self, obj: Node | Pod) -> list[str]:
        old = self._view.put(obj)
        return list(self._tell[type(obj)](self._view, old, obj))  # type: ignore[call-overload,no-any-return]

    def place(self, name: str, spec: PodSpec) -> bool:
        """Whether the pod found a node."""
        meta = ObjectMeta(name=name, namespace="default", uid=name, labels={"app": "web"})
        pod = Pod(metadata=meta, spec=spec)
        for key in self._put(pod):
            for write in self._scheduler.decide(self._view, key, 0.0).writes:
                if isinstance(write, Bind):
                    bound = PodSpec(
                        containers=spec.containers,
                        affinity=spec.affinity,
                        topology_spread_constraints=spec.topology_spread_constraints,
                        node_name=write.binding.target.name,
                    )
                    self._put(Pod(metadata=meta, spec=bound))
                    return True
        return False


def measure(nodes: int, case: str, pods: int) -> float:
    """Pods placed a second."""
    rig, spec = _Rig(nodes), _spec(case)
    names = (f"pod-{number}" for number in itertools.count())
    for _ in range(min(nodes // 4, 200)):
        rig.place(next(names), spec)
    started = time.perf_counter()
    placed = sum(rig.place(next(names), spec) for _ in range(pods))
    assert placed == pods, "a pod found no node"
    return pods / (time.perf_counter() - started)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000])
    options = parser.parse_args()
    figures = []
    for nodes in options.nodes:
        for case in ("plain", "node affinity", "anti-affinity", "spread"):
            pods = 50 if nodes <= 100 else 200
            progress(f"{case} on {nodes} nodes")
            samples = tuple(measure(nodes, case, pods) for _ in range(options.rounds))
            limit = LIMITS.get(case) if nodes == 5000 else None
            figures.append(
                Figure(name=f"{case}, {nodes} nodes", unit="pods/s", samples=samples, limit=limit, at_least=True)
            )
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
