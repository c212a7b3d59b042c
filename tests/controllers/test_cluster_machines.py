"""EndpointSlices, garbage collection and lost nodes against edits, breakdowns, restarts and refused writes."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace

from kubelite.api.coordination_v1 import Lease, LeaseSpec
from kubelite.api.core_v1 import ConfigMap, Node, NodeCondition, NodeStatus, Pod, Service
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import ObjectMeta, OwnerReference
from kubelite.api.timestamp import rfc3339, rfc3339_micro
from kubelite.client.view import Controller
from kubelite.controllers import COLLECTED
from kubelite.controllers.endpoints import EndpointsController
from kubelite.controllers.endpointslice import SLICE_SIZE, EndpointSliceController
from kubelite.controllers.garbage_collector import FOREGROUND, ORPHAN, GarbageCollector
from kubelite.controllers.node_lifecycle import LEASE_NAMESPACE, NodeLifecycleController
from kubelite.controllers.pods import is_ready, is_terminal
from kubelite.controllers.taint_eviction import TaintEvictionController
from tests.controllers.cluster import Cluster
from tests.controllers.machine import SETTINGS, Machine
from tests.controllers.objects import pod, service
from tests.controllers.test_node_lifecycle import FIVE_MINUTES

PODS = st.integers(0, 260)


class Slices(Machine):
    """No endpoint is ever twice in slices of the same ports, no slice has more than a hundred, and at rest they are true."""

    @initialize(count=st.sampled_from([0, 1, 3, 99, 150]))
    def begin(self, count: int) -> None:
        self.cluster = Cluster(*self.controllers())
        self.cluster.put(service())
        self.made = 0
        self.add(count)
        self.cluster.at_every_revision = self.slices_are_sound

    def controllers(self) -> tuple[Controller, ...]:
        return (EndpointSliceController(), EndpointsController())

    def slices_are_sound(self) -> None:
        found = self.cluster.view.list(EndpointSlice)
        assert all(len(slice_.endpoints) <= SLICE_SIZE for slice_ in found)
        where = Counter(
            (slice_.ports, endpoint.addresses, endpoint.target_ref and endpoint.target_ref.uid)
            for slice_ in found
            for endpoint in slice_.endpoints
        )
        assert max(where.values(), default=0) <= 1, "an endpoint is in two slices"

    @rule(count=st.sampled_from([1, 2, 60]))
    def add(self, count: int) -> None:
        for _ in range(count):
            self.made += 1
            self.cluster.run_pod(self.cluster.put(pod(f"web-{self.made}")), ready=self.made % 5 != 0)

    @rule(index=PODS)
    def ends_at_once(self, index: int) -> None:
        if (found := self.pod(index)) is not None:
            self.cluster.remove(found)

    @rule(index=PODS)
    def relabel(self, index: int) -> None:
        if (found := self.pod(index)) is not None:
            self.cluster.put(replace(found, metadata=replace(found.metadata, labels={"app": "other"})))

    @rule(port=st.sampled_from([8080, 8081, "http", "none"]))
    def change_port(self, port: int | str) -> None:
        spec = self._service().spec
        ports = (replace(spec.ports[0], target_port=port),)
        self.cluster.put(replace(self._service(), spec=replace(spec, ports=ports)))

    @rule(everywhere=st.booleans())
    def publish(self, everywhere: bool) -> None:
        spec = replace(self._service().spec, publish_not_ready_addresses=everywhere)
        self.cluster.put(replace(self._service(), spec=spec))

    def _service(self) -> Service:
        found = self.cluster.view.get(Service, "web", "default")
        assert found is not None
        return found

    def converges(self) -> None:
        self.cluster.settle()
        chosen = {
            each.metadata.uid: each
            for each in self.cluster.view.list(Pod)
            if each.metadata.labels == {"app": "web"} and each.status.pod_ip and not is_terminal(each)
        }
        told = [endpoint for slice_ in self.cluster.view.list(EndpointSlice) for endpoint in slice_.endpoints]
        assert {endpoint.target_ref.uid for endpoint in told if endpoint.target_ref} == set(chosen)
        everywhere = self._service().spec.publish_not_ready_addresses
        for endpoint in told:
            assert endpoint.target_ref is not None
            of = chosen[endpoint.target_ref.uid]
            going = of.metadata.deletion_timestamp is not None
            assert endpoint.conditions.ready == (everywhere or (is_ready(of) and not going))
            assert (endpoint.conditions.serving, endpoint.conditions.terminating) == (is_ready(of), going)


class Owners(RuleBasedStateMachine):
    """An owner that waits for its dependents goes last, nothing whose owners are gone stays, and nothing else goes."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster(self._collector())
        self.cluster.at_every_revision = self._foreground_waits
        self.made = 0
        self.waiting: dict[str, ConfigMap] = {}

    def _collector(self) -> GarbageCollector:
        return GarbageCollector([resource for resource in COLLECTED if resource.type is ConfigMap])

    def _all(self) -> list[ConfigMap]:
        return sorted(self.cluster.view.list(ConfigMap), key=lambda each: each.metadata.uid)

    def _foreground_waits(self) -> None:
        present = {each.metadata.uid for each in self._all()}
        for uid in [uid for uid in self.waiting if uid not in present]:
            blocking = [
                each
                for each in self._all()
                if any(ref.uid == uid and ref.block_owner_deletion for ref in each.metadata.owner_references)
            ]
            assert not blocking, "the owner went before a dependent that blocks it"
            del self.waiting[uid]
        self.waiting |= {each.metadata.uid: each for each in self._all() if FOREGROUND in each.metadata.finalizers}

    @rule(owners=st.lists(st.integers(0, 10), max_size=2), blocks=st.booleans())
    def create(self, owners: list[int], blocks: bool) -> None:
        """Owned by some that are there and are not going: only these can be told to wait."""
        there = [each for each in self._all() if not each.metadata.deletion_timestamp]
        chosen = {there[index % len(there)].metadata.uid: there[index % len(there)] for index in owners if there}
        references = tuple(
            OwnerReference(
                api_version="v1", kind="ConfigMap", name=each.metadata.name, uid=uid, block_owner_deletion=blocks
            )
            for uid, each in chosen.items()
        )
        self.made += 1
        metadata = ObjectMeta(name=f"c{self.made}", namespace="default", owner_references=references)
        self.cluster.put(ConfigMap(metadata=metadata))

    @rule(index=st.integers(0, 10), how=st.sampled_from(["Background", FOREGROUND, ORPHAN]))
    def delete(self, index: int, how: str) -> None:
        found = self._all()
        if not found:
            return
        chosen = found[index % len(found)]
        if how != "Background" and not chosen.metadata.deletion_timestamp:
            finalizers = (*chosen.metadata.finalizers, how)
            chosen = self.cluster.put(replace(chosen, metadata=replace(chosen.metadata, finalizers=finalizers)))
        self.cluster.delete(chosen)

    @rule(steps=st.integers(1, 6))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            self.cluster.step()

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)

    @rule()
    def controllers_restart(self) -> None:
        self.cluster.restart(self._collector())

    @rule(writes=st.integers(0, 2))
    def a_write_is_refused(self, writes: int) -> None:
        self.cluster.refuse_after = writes

    def teardown(self) -> None:
        self.cluster.refuse_after = None
        self.cluster.settle()
        while self.cluster.wait_for_due():
            self.cluster.settle()
        left = {each.metadata.uid: each for each in self._all()}
        for each in left.values():
            assert not each.metadata.deletion_timestamp, "something waits for ever"
            owners = {reference.uid for reference in each.metadata.owner_references}
            assert owners <= set(left), "an owner that is gone is still named"


class Nodes(RuleBasedStateMachine):
    """Taints follow what kubelets say or do not say; pods go after their five minutes, and only from lost nodes."""

    NAMES = ("node-0", "node-1", "node-2", "node-3")

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster(*self._controllers())
        self.beats: dict[str, float] = {}
        for name in self.NAMES:
            self.beat(name=name)
            self.cluster.run_pod(self.cluster.put(pod(f"of-{name}", tolerations=FIVE_MINUTES)), node=name)
        self.cluster.at_every_revision = self._nobody_goes_early
        self.cluster.settle()

    def _controllers(self) -> tuple[Controller, ...]:
        return (NodeLifecycleController(), TaintEvictionController())

    def _node(self, name: str) -> Node | None:
        return self.cluster.view.get(Node, name)

    def _nobody_goes_early(self) -> None:
        for name in self.NAMES:
            victim = self.cluster.view.get(Pod, f"of-{name}", "default")
            if victim is None or victim.metadata.deletion_timestamp:
                assert self.cluster.now - self.beats[name] >= 300, f"{name} was given up too early"

    @rule(name=st.sampled_from(NAMES))
    def beat(self, name: str) -> None:
        """Its kubelet renews the lease and, if it has to, says again that it is ready."""
        now = self.cluster.now
        gone = self.cluster.view.get(Pod, f"of-{name}", "default")
        if name not in self.beats or (gone is not None and not gone.metadata.deletion_timestamp):
            self.beats[name] = now
        spec = LeaseSpec(holder_identity=name, renew_time=rfc3339_micro(now))
        self.cluster.put(Lease(metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE), spec=spec))
        node = self._node(name)
        status = NodeStatus(conditions=(NodeCondition(type="Ready", status="True", last_heartbeat_time=rfc3339(now)),))
        if node is None:
            self.cluster.put(Node(metadata=ObjectMeta(name=name), status=status))
        elif not self._is_ready(node):
            self.cluster.put(replace(node, status=status))

    @staticmethod
    def _is_ready(node: Node) -> bool:
        return any(entry.type == "Ready" and entry.status == "True" for entry in node.status.conditions)

    @rule(name=st.sampled_from(NAMES), cordoned=st.booleans())
    def cordon(self, name: str, cordoned: bool) -> None:
        node = self._node(name)
        assert node is not None
        self.cluster.put(replace(node, spec=replace(node.spec, unschedulable=cordoned)))

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)

    @rule(steps=st.integers(1, 6))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            self.cluster.step()

    @rule()
    def controllers_restart(self) -> None:
        self.cluster.restart(*self._controllers())

    @rule(writes=st.integers(0, 2))
    def a_write_is_refused(self, writes: int) -> None:
        self.cluster.refuse_after = writes

    def teardown(self) -> None:
        """Two of four are silent for ten minutes: they lose their pods, the others keep theirs."""
        made = self.cluster
        made.refuse_after = None
        for name in self.NAMES:
            self.beat(name=name)
        made.settle()
        kept = [name for name in self.NAMES[:2] if self._has_pod(name)]
        for _ in range(25):
            for name in self.NAMES[:2]:
                self.beat(name=name)
            made.advance(20)
        assert [name for name in self.NAMES[:2] if self._has_pod(name)] == kept
        assert not any(self._has_pod(name) for name in self.NAMES[2:])
        for node in made.view.list(Node):
            drives = any(taint.effect == "NoExecute" for taint in node.spec.taints)
            assert drives == (not self._is_ready(node)) == (node.metadata.name in self.NAMES[2:])

    def _has_pod(self, name: str) -> bool:
        found = self.cluster.view.get(Pod, f"of-{name}", "default")
        return found is not None and not found.metadata.deletion_timestamp


for machine in (Slices, Owners, Nodes):
    machine.TestCase.settings = SETTINGS
TestSlices = Slices.TestCase
TestOwners = Owners.TestCase
TestNodes = Nodes.TestCase
