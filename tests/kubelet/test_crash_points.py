"""A kubelet that dies at each step of a pod's life: before and after every call that changes something, one life per step.

The next kubelet finds what there is, starts nothing twice, restarts nothing, and leaves nothing.
"""

from __future__ import annotations

from typing import Any

import anyio

from kubelite.actor.clock import SeededClock
from kubelite.api.core_v1 import Container, Pod
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.handlers import SimulatedProbes
from kubelite.kubelet.runtime import State
from kubelite.kubelet.storage import NoStorage
from kubelite.testing.virtual import run_virtually
from tests.kubelet.nodes import Bench, bench, is_ready, pod, running

#: What a kubelet does to the world outside of it.
RUNTIME = frozenset(
    {
        *("run_pod_sandbox", "stop_pod_sandbox", "remove_pod_sandbox"),
        *("create_container", "start_container", "stop_container", "remove_container"),
    }
)
STORAGE = frozenset({"prepare", "mounts", "remove"})
CLIENT = frozenset({"create", "update", "patch", "delete"})
DONE = {"simulated.kubelite.io/setup.run-for": "1s", "simulated.kubelite.io/stop-delay": "1s"}


class Killed(BaseException):
    """Nothing handles it: the process is gone."""


class Steps:
    """Counts the steps, and dies at one of them."""

    def __init__(self, deadly: int | None = None) -> None:
        self.deadly = deadly
        self.taken: list[str] = []

    def take(self, what: str) -> None:
        self.taken.append(what)
        if self.deadly is not None and len(self.taken) > self.deadly:
            raise Killed(what)

    def through(self, target: Any, names: frozenset[str]) -> Any:
        """`target`, with a step before and one after each call of these names."""
        return _Stepped(target, names, self)


class _Stepped:
    def __init__(self, target: Any, names: frozenset[str], steps: Steps) -> None:
        self._target = target
        self._names = names
        self._steps = steps

    def because(self, cause: str) -> Any:
        return self._steps.through(self._target.because(cause), self._names)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if name not in self._names:
            return attribute

        async def call(*given: Any, **named: Any) -> Any:
            what = f"{name} {next((type(each).__name__ for each in given), '')}".strip()
            self._steps.take(f"before {what}")
            result = await attribute(*given, **named)
            self._steps.take(f"after {what}")
            return result

        return call


def made() -> Pod:
    """A pod with everything that has an order of its own."""
    image: dict[str, Any] = {"image": "busybox:1", "image_pull_policy": "IfNotPresent"}
    setup = Container(name="setup", **image)
    sidecar = Container(name="sidecar", restart_policy="Always", **image)
    mains = (Container(name="one", **image), Container(name="two", **image))
    return pod("web", *mains, init_containers=(setup, sidecar), annotations=DONE)


async def live(node: Bench, seen: list[str]) -> None:
    """What a user does, from wherever the last kubelet left it."""
    if not seen:
        seen.append("created")
        await node.create(made())
    if len(seen) < 2:
        ready = await node.until("web", is_ready, within_s=300)
        statuses = (*ready.status.init_container_statuses, *ready.status.container_statuses)
        assert {each.name: each.restart_count for each in statuses} == dict.fromkeys(
            ("setup", "sidecar", "one", "two"), 0
        )
        running_now = [each for each in await node.runtime.list_containers() if each.state is State.RUNNING]
        assert sorted((each.name, each.attempt) for each in running_now) == [("one", 0), ("sidecar", 0), ("two", 0)]
        assert len(await node.runtime.list_pod_sandboxes()) == 1
        seen.append("ready")
        await node.delete()
    await node.until_gone(within_s=300)
    assert await node.runtime.list_containers() == []
    assert await node.runtime.list_pod_sandboxes() == []


async def life(deadly: int | None) -> list[str]:
    """One pod's life with a kubelet that dies at a step, and one that does not; returns the steps of the first."""
    async with bench(SeededClock(1)) as node:
        steps = Steps(deadly)
        seen: list[str] = []
        runtime, client, storage = node.runtime, node.client, NoStorage()
        probes = SimulatedProbes(node.simulated.probe)
        node.runtime = steps.through(runtime, RUNTIME)
        node.client = steps.through(client, CLIENT)
        mortal = node.kubelet(storage=steps.through(storage, STORAGE), probes=probes)
        node.runtime, node.client = runtime, client
        died = False
        try:
            async with running(mortal):
                await live(node, seen)
        except BaseExceptionGroup as group:
            died = True
            if group.split(Killed)[1] is not None:
                raise
        assert died is (deadly is not None)
        if died:
            node.addresses = AddressPool("10.244.0.0/24")  # it dies with the process
            with anyio.fail_after(900):
                async with running(node.kubelet(storage=storage)):
                    await live(node, seen)
        return steps.taken


def test_a_kubelet_that_dies_at_any_step_restarts_nothing_and_leaves_nothing() -> None:
    steps = run_virtually(life(None))
    for expected in ("before run_pod_sandbox", "after start_container", "after update Pod", "before delete"):
        assert any(step.startswith(expected) for step in steps), expected
    for deadly, step in enumerate(steps):
        try:
            run_virtually(life(deadly))
        except (AssertionError, TimeoutError, BaseExceptionGroup) as error:
            raise AssertionError(f"died at step {deadly} of {len(steps)}, {step}") from error
