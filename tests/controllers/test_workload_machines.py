"""StatefulSet, DaemonSet and Job against edits, breakdowns, restarts and refused writes: what holds at every revision."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from msgspec.structs import replace

from kubelite.api.apps_v1 import (
    DaemonSet,
    RollingUpdateStatefulSetStrategy,
    StatefulSetOrdinals,
    StatefulSetUpdateStrategy,
)
from kubelite.api.batch_v1 import Job
from kubelite.api.core_v1 import Node, NodeSpec, PersistentVolumeClaim, Pod, Taint
from kubelite.client.plan import Create, Plan
from kubelite.client.view import Controller
from kubelite.controllers.daemonset import DaemonSetController, allowed, node_of
from kubelite.controllers.job import JobController
from kubelite.controllers.job_pods import FINALIZER, index_of
from kubelite.controllers.pods import is_active, is_ready, is_terminal
from kubelite.controllers.stateful_pods import ordinals
from kubelite.controllers.statefulset import StatefulSetController
from tests.controllers import test_daemonset as daemons, test_job as jobs, test_statefulset as stateful
from tests.controllers.machine import INDEX, SETTINGS, Machine
from tests.controllers.objects import template


def serves(pod: Pod | None) -> bool:
    return pod is not None and is_active(pod) and pod.status.phase == "Running" and is_ready(pod)


def created(plan: Plan) -> list[Pod]:
    return [write.obj for write in plan.writes if isinstance(write, Create) and isinstance(write.obj, Pod)]


class StatefulSets(Machine):
    """In order: a pod starts when all below it serve, and never do two of them go at once."""

    @initialize(replicas=st.integers(0, 4), start=st.integers(0, 2))
    def begin(self, replicas: int, start: int) -> None:
        self.cluster = stateful.cluster(replicas)
        self.edit(ordinals=StatefulSetOrdinals(start=start))
        self.cluster.at_every_revision = self.every_pod_has_its_claim
        self.lost = 0

    def controllers(self) -> tuple[Controller, ...]:
        return (StatefulSetController(),)

    def edit(self, **spec: Any) -> None:
        stateful.edit(self.cluster, **spec)

    def _pod(self, ordinal: int) -> Pod | None:
        return self.cluster.view.get(Pod, f"db-{ordinal}", "default")

    def every_pod_has_its_claim(self) -> None:
        for pod in self.cluster.view.list(Pod):
            claim = pod.spec.volumes[0].persistent_volume_claim
            assert claim is not None
            assert self.cluster.view.get(PersistentVolumeClaim, claim.claim_name, "default") is not None

    @rule(replicas=st.integers(0, 5))
    def scale(self, replicas: int) -> None:
        self.edit(replicas=replicas)

    @rule(image=st.integers(1, 3))
    def change_template(self, image: int) -> None:
        self.edit(template=template(f"app:{image}"))

    @rule(partition=st.integers(0, 3))
    def move_partition(self, partition: int) -> None:
        rolling = RollingUpdateStatefulSetStrategy(partition=partition)
        self.edit(update_strategy=StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling))

    @rule(steps=st.integers(1, 6))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            going = {pod.metadata.uid for pod in self.cluster.view.list(Pod) if pod.metadata.deletion_timestamp}
            wanted = ordinals(stateful.workload(self.cluster))
            below = {number: all(serves(self._pod(under)) for under in wanted if under < number) for number in wanted}
            before = {pod.metadata.uid for pod in self.cluster.view.list(Pod)}
            self.cluster.step()
            after = self.cluster.view.list(Pod)
            for pod in after:
                if pod.metadata.uid not in before:
                    assert below[int(pod.metadata.name.rpartition("-")[2])], "started before those below it served"
            ended = {pod.metadata.uid for pod in after if pod.metadata.deletion_timestamp} - going
            ended |= before - {pod.metadata.uid for pod in after}
            assert len(ended) <= 1, "two were ended at once"

    def converges(self) -> None:
        self.rest()
        workload = stateful.workload(self.cluster)
        wanted = ordinals(workload)
        for pod in self.cluster.view.list(Pod):  # as upstream, it does not end pods beyond the number that have ended
            if is_terminal(pod) and int(pod.metadata.name.rpartition("-")[2]) not in wanted:
                self.cluster.delete(pod)
        self.rest()
        workload = stateful.workload(self.cluster)
        assert stateful.names(self.cluster) == sorted(f"db-{number}" for number in wanted)
        assert all(serves(self._pod(number)) for number in wanted)
        rolling = workload.spec.update_strategy.rolling_update
        image = workload.spec.template.spec.containers[0].image
        for number in wanted[(rolling.partition or 0) if rolling else 0 :]:
            assert stateful.images(self.cluster)[f"db-{number}"] == image
        status, count = workload.status, len(wanted)
        assert (status.replicas, status.ready_replicas, status.available_replicas) == (count, count, count)
        assert status.observed_generation == workload.metadata.generation


class DaemonSets(Machine):
    """No node ever has two pods without a surge, and no decision makes more nodes go without than maxUnavailable."""

    @initialize(nodes=st.integers(0, 4), surge=st.booleans(), amount=st.sampled_from([1, 2, "50%", "100%"]))
    def begin(self, nodes: int, surge: bool, amount: int | str) -> None:
        self.surge = surge
        self.cluster = daemons.cluster(nodes, surge=amount if surge else 0, unavailable=0 if surge else amount)
        self.cluster.at_every_revision = self.no_node_has_too_many
        self.limit = amount

    def controllers(self) -> tuple[Controller, ...]:
        return (DaemonSetController(),)

    def node_of(self, pod: Pod) -> str:
        return node_of(pod)

    def _daemon(self) -> DaemonSet:
        return daemons.daemon(self.cluster)

    def _wanted(self) -> set[str]:
        return {node.metadata.name for node in self.cluster.view.list(Node) if allowed(self._daemon(), node)[0]}

    def _without(self) -> int:
        """Wanted nodes on which no pod serves."""
        served = {node_of(pod) for pod in self.cluster.view.list(Pod) if serves(pod)}
        return len(self._wanted() - served)

    def _is_doubled(self) -> bool:
        return (
            max(Counter(node_of(pod) for pod in self.cluster.view.list(Pod) if is_active(pod)).values(), default=0) > 1
        )

    def no_node_has_too_many(self) -> None:
        counts = Counter(node_of(pod) for pod in self.cluster.view.list(Pod) if is_active(pod))
        assert max(counts.values(), default=0) <= (2 if self.surge else 1)

    @rule(number=st.integers(0, 5), tainted=st.booleans())
    def put_node(self, number: int, tainted: bool) -> None:
        taints = (Taint(key="mine", effect="NoSchedule"),) if tainted else ()
        old = self.cluster.view.get(Node, f"node-{number}")
        fresh = daemons.node(f"node-{number}")
        self.cluster.put(replace(old or fresh, spec=NodeSpec(taints=taints)))

    @rule(image=st.integers(1, 3))
    def change_template(self, image: int) -> None:
        daemon = self._daemon()
        self.cluster.put(replace(daemon, spec=replace(daemon.spec, template=template(f"app:{image}"))))

    @rule(steps=st.integers(1, 6))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            before, doubled = self._without(), self._is_doubled()
            self.cluster.step()
            if doubled:
                continue  # of two pods the older one stays, as upstream, even if only the other one serves
            count = len(self._wanted())
            limit = self.limit if isinstance(self.limit, int) else -(-count * int(self.limit[:-1]) // 100)
            assert self._without() <= max(before, 0 if self.surge else limit), "a decision took too many pods"

    def converges(self) -> None:
        self.rest()
        pods = self.cluster.view.list(Pod)
        homes = Counter(node_of(pod) for pod in pods)
        assert self._wanted() <= set(homes)
        assert max(homes.values(), default=0) <= 1
        image = self._daemon().spec.template.spec.containers[0].image
        assert {pod.spec.containers[0].image for pod in pods if node_of(pod) in self._wanted()} <= {image}
        status, count = self._daemon().status, len(self._wanted())
        assert (status.desired_number_scheduled, status.number_ready, status.number_available) == (count, count, count)
        assert status.updated_number_scheduled == count


class Jobs(Machine):
    """Every end is counted once, no index runs twice, an outcome stays, and no pod keeps its finalizer."""

    @initialize(
        parallelism=st.integers(1, 3),
        completions=st.integers(1, 4),
        indexed=st.booleans(),
        per_index=st.booleans(),
        failed_only=st.booleans(),
    )
    def begin(self, parallelism: int, completions: int, indexed: bool, per_index: bool, failed_only: bool) -> None:
        self.ends: dict[str, str] = {}
        self.outcome: set[str] = set()
        self.succeeded = self.failed = 0
        spec: dict[str, Any] = {"parallelism": parallelism, "completions": completions, "backoff_limit": 3}
        if indexed:
            spec["completion_mode"] = "Indexed"
            if per_index:
                spec |= {"backoff_limit_per_index": 1, "backoff_limit": 2**31 - 1}
        if failed_only:
            spec["pod_replacement_policy"] = "Failed"
        self.cluster = jobs.cluster(**spec)
        self.cluster.at_every_revision = self.counts_are_true

    def controllers(self) -> tuple[Controller, ...]:
        return (JobController(),)

    def _job(self) -> Job:
        return jobs.the_job(self.cluster)

    def counts_are_true(self) -> None:
        for pod in self.cluster.view.list(Pod):
            if pod.status.phase in ("Succeeded", "Failed") or pod.metadata.deletion_timestamp:
                self.ends.setdefault(pod.metadata.uid, "")
                if pod.status.phase == "Succeeded":
                    self.ends[pod.metadata.uid] = "Succeeded"
        status = self._job().status
        succeeded = sum(end == "Succeeded" for end in self.ends.values())
        assert status.succeeded <= succeeded, "more were counted than succeeded"
        assert status.failed <= len(self.ends), "more were counted than ended"
        assert status.failed >= self.failed
        assert status.succeeded >= self.succeeded
        self.succeeded, self.failed = status.succeeded, status.failed
        now = {entry.type for entry in status.conditions if entry.status == "True"} & {"Complete", "Failed"}
        assert self.outcome <= now, "an outcome was taken back"
        assert len(now) <= 1
        self.outcome = now

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        if not self.outcome:
            self.cluster.put(replace(self._job(), spec=replace(self._job().spec, suspend=suspend)))

    @rule(parallelism=st.integers(0, 4))
    def change_parallelism(self, parallelism: int) -> None:
        self.cluster.put(replace(self._job(), spec=replace(self._job().spec, parallelism=parallelism)))

    @rule(index=INDEX)
    def collector_removes(self, index: int) -> None:
        """Somebody ends a finished pod and clears it away once its finalizer is gone."""
        pod = self.pod(index)
        if pod is not None and pod.status.phase in ("Succeeded", "Failed") and not pod.metadata.finalizers:
            self.cluster.remove(pod)

    def decided(self) -> None:
        plan = self.cluster.plans[-1] if self.cluster.plans else Plan()
        if created(plan):
            active = [pod for pod in self.cluster.view.list(Pod) if is_active(pod)]
            assert len(active) <= (self._job().spec.parallelism or 0)
            indexes = [index for pod in active if (index := index_of(pod)) is not None]
            assert len(set(indexes)) == len(indexes), "an index runs twice"

    def converges(self) -> None:
        spec = replace(self._job().spec, suspend=False, parallelism=2)
        self.cluster.put(replace(self._job(), spec=spec))
        self.rest(succeed=True)
        status = self._job().status
        assert self.outcome, "it never ends"
        if self.outcome == {"Complete"}:
            assert status.succeeded == spec.completions
        assert (status.active, status.ready, status.terminating) == (0, 0, 0)
        assert not status.uncounted_terminated_pods or not (
            status.uncounted_terminated_pods.succeeded or status.uncounted_terminated_pods.failed
        )
        assert not any(FINALIZER in pod.metadata.finalizers for pod in self.cluster.view.list(Pod))


for machine in (StatefulSets, DaemonSets, Jobs):
    machine.TestCase.settings = SETTINGS
TestStatefulSets = StatefulSets.TestCase
TestDaemonSets = DaemonSets.TestCase
TestJobs = Jobs.TestCase
