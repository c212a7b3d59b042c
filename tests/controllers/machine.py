"""What may happen to any cluster: decisions one by one, pods that start, break and end, restarts, refused writes, time.

A state machine of one controller adds its objects, its edits and what must hold at every revision and at the end.
"""

from __future__ import annotations

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec.structs import replace

from kubelite.api.core_v1 import ContainerState, ContainerStateTerminated, ContainerStatus, Pod
from kubelite.api.timestamp import rfc3339
from kubelite.client.view import Controller
from kubelite.controllers.pods import is_terminal
from tests.controllers.cluster import Cluster

SETTINGS = settings(max_examples=80, stateful_step_count=30, deadline=None)
INDEX = st.integers(0, 20)


def finish(made: Cluster, pod: Pod, *, failed: bool) -> None:
    """The pod's container ends."""
    ended = ContainerStateTerminated(exit_code=int(failed), finished_at=rfc3339(made.now))
    statuses = (ContainerStatus(name="app", state=ContainerState(terminated=ended)),)
    status = replace(pod.status, phase="Failed" if failed else "Succeeded", container_statuses=statuses)
    made.put(replace(pod, status=status))


class Machine(RuleBasedStateMachine):
    cluster: Cluster

    def controllers(self) -> tuple[Controller, ...]:
        raise NotImplementedError

    def node_of(self, pod: Pod) -> str:
        return "node-1"

    def decided(self) -> None:
        """Called after each decision."""

    def converges(self) -> None:
        """Brings the cluster to rest and looks at it."""
        raise NotImplementedError

    def pod(self, index: int) -> Pod | None:
        pods = sorted(self.cluster.view.list(Pod), key=lambda pod: pod.metadata.uid)
        return pods[index % len(pods)] if pods else None

    @rule(steps=st.integers(1, 6))
    def decide(self, steps: int) -> None:
        for _ in range(steps):
            self.cluster.step()
            self.decided()

    @rule(index=INDEX, ready=st.booleans())
    def kubelet_runs(self, index: int, ready: bool) -> None:
        pod = self.pod(index)
        if pod is not None and not is_terminal(pod) and not pod.metadata.deletion_timestamp:
            self.cluster.run_pod(pod, ready=ready, node=self.node_of(pod))

    @rule(index=INDEX, failed=st.booleans())
    def kubelet_ends(self, index: int, failed: bool) -> None:
        """A pod that is to go is ended; any other one ends by itself."""
        pod = self.pod(index)
        if pod is None:
            return
        if pod.metadata.deletion_timestamp and not pod.metadata.finalizers:
            self.cluster.remove(pod)
        elif pod.spec.node_name and not is_terminal(pod):
            finish(self.cluster, pod, failed=failed)

    @rule(index=INDEX)
    def user_deletes(self, index: int) -> None:
        pod = self.pod(index)
        if pod is not None:
            self.cluster.delete(pod)

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)

    @rule()
    def controllers_restart(self) -> None:
        self.cluster.restart(*self.controllers())

    @rule(writes=st.integers(0, 3))
    def a_write_is_refused(self, writes: int) -> None:
        self.cluster.refuse_after = writes

    def teardown(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.refuse_after = None
            self.converges()

    def rest(self, *, succeed: bool = False) -> None:
        """The controllers, the kubelets and time do all that is left to do."""
        for _ in range(300):
            self.cluster.settle(self.decided)
            busy = False
            for pod in self.cluster.view.list(Pod):
                if pod.metadata.deletion_timestamp and not pod.metadata.finalizers:
                    busy = True
                    self.cluster.remove(pod)
                elif pod.metadata.deletion_timestamp and not is_terminal(pod):
                    busy = True
                    finish(self.cluster, pod, failed=True)
                elif is_terminal(pod):
                    continue
                elif succeed:
                    busy = True
                    finish(self.cluster, self.cluster.run_pod(pod, node=self.node_of(pod)), failed=False)
                elif not any(entry.type == "Ready" and entry.status == "True" for entry in pod.status.conditions):
                    busy = True
                    self.cluster.run_pod(pod, node=self.node_of(pod))
            if not busy and not self.cluster.wait_for_due():
                return
        raise AssertionError("never rests")
