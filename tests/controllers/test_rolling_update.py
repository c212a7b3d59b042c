"""Deployment and ReplicaSet together: at every step the bounds hold, and it always ends where it should."""

from __future__ import annotations

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet
from kubelite.api.core_v1 import Pod
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.pods import is_active, is_ready
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.rollout import bounds, replicas_of, total
from tests.controllers.cluster import Cluster
from tests.controllers.objects import deployment, template

AMOUNTS = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


class RollingUpdate(RuleBasedStateMachine):
    """Time passes in single decisions and single pods; only edits and this machine's pods change anything."""

    @initialize(replicas=st.integers(0, 8), surge=AMOUNTS, unavailable=AMOUNTS)
    def start(self, replicas: int, surge: int | str, unavailable: int | str) -> None:
        self.cluster = Cluster(DeploymentController(), ReplicaSetController())
        self.cluster.put(deployment(replicas=replicas, surge=surge, unavailable=unavailable))
        self.cluster.converge()
        self.floor = self._floor()
        self.ceiling = self._ceiling()

    def _deployment(self) -> Deployment:
        found = self.cluster.view.get(Deployment, "web", "default")
        assert found is not None
        return found

    def _floor(self) -> int:
        current = self._deployment()
        return replicas_of(current) - bounds(current)[1]

    def _ceiling(self) -> int:
        current = self._deployment()
        return replicas_of(current) + bounds(current)[0]

    def _total(self) -> int:
        return total(self.cluster.view.list(ReplicaSet))

    def _available(self) -> int:
        return sum(is_active(pod) and is_ready(pod) for pod in self.cluster.view.list(Pod))

    @rule(image=st.integers(1, 4))
    def change_template(self, image: int) -> None:
        current = self._deployment()
        spec = replace(current.spec, template=template(f"app:{image}"))
        self.cluster.put(replace(current, spec=spec))

    @rule(replicas=st.integers(0, 8))
    def scale(self, replicas: int) -> None:
        current = self._deployment()
        self.cluster.put(replace(current, spec=replace(current.spec, replicas=replicas)))
        self.floor = min(self.floor, self._lasting(), self._floor())
        self.ceiling = max(self._total(), self._ceiling())

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        current = self._deployment()
        self.cluster.put(replace(current, spec=replace(current.spec, paused=paused)))

    @rule(steps=st.integers(1, 5))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            self.cluster.step()
            self.bounds_hold()

    @rule(index=st.integers(0, 10), ends=st.booleans())
    def kubelet(self, index: int, ends: bool) -> None:
        pods = self.cluster.view.list(Pod)
        if not pods:
            return
        pod = pods[index % len(pods)]
        if pod.metadata.deletion_timestamp:
            if ends:
                self.cluster.remove(pod)
        elif not is_ready(pod):
            self.cluster.run_pod(pod)
            self._rose()

    def _lasting(self) -> int:
        """The available pods that no scaling under way is about to end."""
        view = self.cluster.view
        return sum(
            min(
                entry.spec.replicas or 0, sum(is_active(p) and is_ready(p) for p in view.owned(Pod, entry.metadata.uid))
            )
            for entry in self._sets()
        )

    def _rose(self) -> None:
        self.floor = max(self.floor, min(self._floor(), self._lasting()))

    @rule(seconds=st.integers(0, 100))
    def wait(self, seconds: int) -> None:
        self.cluster.now += seconds

    @rule()
    def controllers_restart(self) -> None:
        """The ReplicaSets' statuses are brought up to date first: as upstream, a Deployment goes by them alone."""
        self.cluster.restart(ReplicaSetController(), DeploymentController())

    @rule()
    def converge(self) -> None:
        current = self._deployment()
        if current.spec.paused:
            self.cluster.put(replace(current, spec=replace(current.spec, paused=False)))
        self.cluster.converge()
        current = self._deployment()
        pods = [pod for pod in self.cluster.view.list(Pod) if is_active(pod)]
        assert len(pods) == replicas_of(current)
        image = current.spec.template.spec.containers[0].image
        assert {pod.spec.containers[0].image for pod in pods} <= {image}
        assert current.status.available_replicas == replicas_of(current)
        assert current.status.observed_generation == current.metadata.generation
        revisions = {rs.metadata.annotations["deployment.kubernetes.io/revision"] for rs in self._sets()}
        newest = max(map(int, revisions))
        assert current.metadata.annotations["deployment.kubernetes.io/revision"] == str(newest)
        self._rose()

    def _sets(self) -> list[ReplicaSet]:
        return list(self.cluster.view.list(ReplicaSet))

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "cluster"):
            return
        assert self._available() >= self.floor, "fewer are available than maxUnavailable allows"
        assert self._total() <= self.ceiling, "more are asked for than maxSurge allows"
        self.ceiling = max(self._ceiling(), min(self.ceiling, self._total()))


RollingUpdate.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRollingUpdate = RollingUpdate.TestCase
