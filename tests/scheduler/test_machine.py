"""The scheduler against nodes and pods that come, change and go: it never overbooks, and nobody waits in vain."""

from __future__ import annotations

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec.structs import replace

from kubelite.api.core_v1 import Node, NodeSpec, Pod, Taint
from kubelite.api.quantity import milli_value
from kubelite.scheduler import Scheduler
from tests.controllers.cluster import Cluster
from tests.scheduler.test_scheduler import HOST, affinity, anti_affinity, node, pod

NAMES = st.sampled_from(["node-0", "node-1", "node-2", "node-3"])
KINDS = st.sampled_from(["plain", "alone", "together", "port"])


def millis(given: Pod) -> int:
    return milli_value(given.spec.containers[0].resources.requests["cpu"])


def port(given: Pod) -> int:
    return sum(entry.host_port for entry in given.spec.containers[0].ports)


def is_alone(given: Pod) -> bool:
    return given.spec.affinity is not None and given.spec.affinity.pod_anti_affinity is not None


def is_together(given: Pod) -> bool:
    return given.spec.affinity is not None and given.spec.affinity.pod_affinity is not None


class Scheduling(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster(Scheduler())
        self.cluster.at_every_revision = self.nothing_is_overbooked
        self.made = 0
        self.excused: set[str] = set()  # nodes that got smaller under their pods

    def _pods(self, name: str = "") -> list[Pod]:
        found = [each for each in self.cluster.view.list(Pod) if each.spec.node_name == name]
        return sorted(found, key=lambda each: each.metadata.uid)

    def nothing_is_overbooked(self) -> None:
        for each in self.cluster.view.list(Node):
            name, pods = each.metadata.name, self._pods(each.metadata.name)
            if name in self.excused:
                continue
            assert sum(map(millis, pods)) <= milli_value(each.status.allocatable["cpu"])
            assert len(pods) <= int(each.status.allocatable["pods"])
            ports = [port(given) for given in pods if port(given)]
            assert len(set(ports)) == len(ports)
            assert not any(map(is_alone, pods)) or len(pods) == 1, "somebody who wants to be alone is not"

    def _fits(self, given: Pod, host: Node) -> bool:
        """A naive scheduler."""
        pods = self._pods(host.metadata.name)
        free = milli_value(host.status.allocatable["cpu"]) - sum(map(millis, pods))
        if host.spec.unschedulable or host.spec.taints or millis(given) > free:
            return False
        if len(pods) >= int(host.status.allocatable["pods"]):
            return False
        if pods and (is_alone(given) or any(map(is_alone, pods))):
            return False
        if is_together(given) and not pods and any(self._pods(each.metadata.name) for each in self._nodes()):
            return False
        return not port(given) or port(given) not in map(port, pods)

    def _nodes(self) -> list[Node]:
        return list(self.cluster.view.list(Node))

    @rule(cpu=st.sampled_from(["100m", "500m", "900m"]), kind=KINDS)
    def add_pod(self, cpu: str, kind: str) -> None:
        self.made += 1
        near = {"alone": anti_affinity(HOST), "together": affinity(HOST)}.get(kind)
        self.cluster.put(pod(f"p{self.made}", cpu=cpu, port=8080 if kind == "port" else 0, affinity=near))

    @rule(index=st.integers(0, 10), waits=st.booleans())
    def pod_goes(self, index: int, waits: bool) -> None:
        found = [each for each in self.cluster.view.list(Pod) if bool(each.spec.node_name) != waits]
        if found:
            self.cluster.remove(sorted(found, key=lambda each: each.metadata.uid)[index % len(found)])

    @rule(name=NAMES, cpu=st.sampled_from(["400m", "1", "2"]), pods=st.sampled_from(["1", "3"]))
    def put_node(self, name: str, cpu: str, pods: str) -> None:
        self.excused.add(name)
        old = self.cluster.view.get(Node, name)
        fresh = node(name, cpu=cpu, pods=pods)
        self.cluster.put(replace(old, status=fresh.status) if old else fresh)
        self._excuse()

    @rule(name=NAMES, cordoned=st.booleans(), tainted=st.booleans())
    def shut(self, name: str, cordoned: bool, tainted: bool) -> None:
        old = self.cluster.view.get(Node, name)
        if old is not None:
            taints = (Taint(key="mine", effect="NoSchedule"),) if tainted else ()
            self.cluster.put(replace(old, spec=NodeSpec(unschedulable=cordoned, taints=taints)))

    @rule(name=NAMES)
    def node_goes(self, name: str) -> None:
        old = self.cluster.view.get(Node, name)
        if old is not None:
            for each in self._pods(name):
                self.cluster.remove(each)
            self.cluster.remove(old)

    def _excuse(self) -> None:
        """Those that are booked beyond what they have now."""
        self.excused = {
            each.metadata.name
            for each in self._nodes()
            if sum(map(millis, self._pods(each.metadata.name))) > milli_value(each.status.allocatable["cpu"])
            or len(self._pods(each.metadata.name)) > int(each.status.allocatable["pods"])
        }

    @rule(steps=st.integers(1, 4))
    def decide(self, steps: int) -> None:
        self._excuse()
        for _ in range(steps):
            self.cluster.step()

    @rule()
    def scheduler_restarts(self) -> None:
        self.cluster.restart(Scheduler())

    @rule(writes=st.integers(0, 2))
    def a_write_is_refused(self, writes: int) -> None:
        self.cluster.refuse_after = writes

    def teardown(self) -> None:
        self.cluster.refuse_after = None
        self._excuse()
        self.cluster.settle()
        for each in self._pods():
            homes = [host.metadata.name for host in self._nodes() if self._fits(each, host)]
            assert not homes, f"{each.metadata.name} waits although it fits {homes}"
            assert any(entry.reason == "Unschedulable" for entry in each.status.conditions)


Scheduling.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestScheduling = Scheduling.TestCase
