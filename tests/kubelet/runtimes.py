"""A runtime of either kind, running inside a test, with nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from kubelite.actor.clock import SystemClock
from kubelite.client.streams import LogOptions
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.cleanup import cleanup
from kubelite.kubelet.docker import DockerRuntime
from kubelite.kubelet.engine import DEFAULT_SOCKET
from kubelite.kubelet.network import PodNetwork
from kubelite.kubelet.runtime import (
    Container,
    ContainerConfig,
    PodSandboxConfig,
    RuntimeEvent,
    Sandbox,
    State,
)
from kubelite.kubelet.simulated import SimulatedRuntime
from tests.images import BUSYBOX, bring_up_engine

SLEEP = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while true; do sleep 1000 & wait; done")


class Node:
    """One runtime, what it reported, and shorthands for pods on it."""

    def __init__(self, runtime: DockerRuntime | SimulatedRuntime, addresses: AddressPool, instance: str) -> None:
        self.runtime = runtime
        self.addresses = addresses
        self.instance = instance
        self.events: list[RuntimeEvent] = []
        self._changed = anyio.Event()

    def hear(self, event: RuntimeEvent) -> None:
        self.events.append(event)
        self._changed.set()

    async def heard(self, matches: Callable[[RuntimeEvent], bool]) -> RuntimeEvent:
        """The first event that matches, when it comes."""
        position = 0
        with anyio.fail_after(20):
            while True:
                for event in self.events[position:]:
                    if matches(event):
                        return event
                position = len(self.events)
                self._changed = anyio.Event()
                await self._changed.wait()

    async def died(self, container_id: str) -> RuntimeEvent:
        return await self.heard(lambda event: event.action == "die" and event.container_id == container_id)

    def pod(self, uid: str = "uid-1", **settings: Any) -> PodSandboxConfig:
        facts: dict[str, Any] = {"uid": uid, "namespace": "default", "name": f"pod-{uid}", "hostname": f"pod-{uid}"}
        facts["cgroup_parent"] = f"/kubelite-{self.instance}/kubepods/pod{uid}"
        if "ip" not in settings:
            facts["ip"] = self.addresses.allocate()
        return PodSandboxConfig(**facts | settings)

    async def run(self, config: PodSandboxConfig, *containers: ContainerConfig) -> tuple[Sandbox, list[str]]:
        sandbox = await self.runtime.run_pod_sandbox(config)
        ids = [await self.runtime.create_container(sandbox, container) for container in containers]
        for container_id in ids:
            await self.runtime.start_container(container_id)
        return sandbox, ids

    async def container(self, container_id: str) -> Container | None:
        found = [one for one in await self.runtime.list_containers() if one.id == container_id]
        return found[0] if found else None

    async def ended(self, container_id: str) -> Container:
        """The container once it has exited; its death is an event."""
        if (found := await self.container(container_id)) and found.state != State.EXITED:
            await self.died(container_id)
        found = await self.container(container_id)
        assert found is not None
        return found

    async def run_to_end(self, container_id: str, *command: str) -> tuple[str, int]:
        """(stdout, exit code) of an exec."""
        output = b""
        async with self.runtime.exec(container_id, command) as process:
            while chunk := await process.read():
                output += chunk[1]
            return output.decode(), await process.exit_code()

    async def logged(self, container_id: str, text: str) -> None:
        """Returns when the container has written `text`."""
        seen = b""
        with anyio.fail_after(20):
            async for chunk in self.runtime.logs(container_id, LogOptions(follow=True)):
                seen += chunk
                if text.encode() in seen:
                    return


def app(name: str = "app", command: tuple[str, ...] = SLEEP, **settings: Any) -> ContainerConfig:
    facts: dict[str, Any] = {"name": name, "attempt": 0, "image": BUSYBOX, "command": command} | settings
    return ContainerConfig(**facts)


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[Node]:
    """A node with a runtime of that kind (docker or simulated) whose events are heard."""
    clock = SystemClock()
    first, second, *_ = token = clock.token(4)
    pod_cidr = f"10.{200 + first % 50}.{second}.0/24"
    instance = token.hex()
    if kind == "docker":
        await bring_up_engine()
        network = PodNetwork(instance=instance, pod_cidr=pod_cidr)
        docker = DockerRuntime(instance=instance, socket=DEFAULT_SOCKET, clock=clock, network=network)
        node = Node(docker, AddressPool(pod_cidr), instance)
    else:
        node = Node(SimulatedRuntime(clock=clock), AddressPool(pod_cidr), instance)
    try:
        async with anyio.create_task_group() as group:
            await group.start(partial(_run, node))
            yield node
            group.cancel_scope.cancel()
    finally:
        if kind == "docker":
            with anyio.CancelScope(shield=True):
                await cleanup(instance=instance, socket=DEFAULT_SOCKET, data_dir=Path(f"/nonexistent/{instance}"))


async def _run(node: Node, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await node.runtime.run(node.hear, task_status=task_status)
