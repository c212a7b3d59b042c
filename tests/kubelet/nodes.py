"""A node of simulated containers over a real API server in memory, for the tests of the kubelet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio

from kubelite.actor.clock import Clock, SystemClock
from kubelite.api.core_v1 import (
    ConfigMap,
    Container,
    Event,
    Namespace,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    Secret,
    Service,
    ServiceAccount,
)
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.api.node_v1 import RuntimeClass
from kubelite.apiserver.local import LocalClient
from kubelite.client.informer import Informers
from kubelite.client.recorder import Recorder
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.handlers import ProbeRunner, SimulatedProbes
from kubelite.kubelet.host_ports import HostPort
from kubelite.kubelet.kubelet import Kubelet, NodeSettings, RunningRuntime, Surroundings
from kubelite.kubelet.node_status import Health, Machine
from kubelite.kubelet.simulated import SimulatedRuntime
from kubelite.kubelet.storage import NoStorage, Storage
from tests.api_server import local_client

NODE = "node-1"
MACHINE = Machine(ip="192.168.0.10", cpus=4, memory_bytes=8 << 30, disk_bytes=100 << 30)


def pod(name: str = "web", *containers: Container, **spec: Any) -> Pod:
    """A pod bound to the node; one container `app` if none is given."""
    meta = ObjectMeta(name=name, namespace="default", annotations=spec.pop("annotations", {}))
    spec.setdefault("restart_policy", "Always")
    spec.setdefault("termination_grace_period_seconds", 30)
    app = Container(name="app", image="busybox:1", image_pull_policy="IfNotPresent")
    return Pod(metadata=meta, spec=PodSpec(containers=containers or (app,), node_name=NODE, **spec))


class Bench:
    """What a test holds in hand."""

    def __init__(self, client: LocalClient, clock: Clock, informers: Informers, runtime: RunningRuntime) -> None:
        self.client = client
        self.clock = clock
        self.informers = informers
        self.runtime = runtime
        self.left: list[str] = []  #: addresses that left their Services, with "!" where nobody is left there
        self.host_ports: dict[str, tuple[str, tuple[HostPort, ...]]] = {}
        self.entered: list[str] = []  #: addresses that are about to be ready
        self.addresses = AddressPool("10.244.0.0/24")
        self.recorder = Recorder(client, clock, host=NODE)

    async def remove_endpoint(self, ip: str, *, dead: bool = False) -> None:
        self.left.append(f"{ip}!" if dead else ip)

    def map_host_ports(self, pod_uid: str, ip: str, ports: tuple[HostPort, ...]) -> None:
        self.host_ports[pod_uid] = (ip, ports)

    def restore_endpoint(self, ip: str) -> None:
        self.entered.append(ip)

    @property
    def simulated(self) -> SimulatedRuntime:
        assert isinstance(self.runtime, SimulatedRuntime)
        return self.runtime

    async def create(self, made: Pod) -> Pod:
        return await self.client.create(made)

    async def get(self, name: str = "web") -> Pod:
        return await self.client.get(Pod, name, "default")

    async def until(self, name: str, holds: Callable[[Pod], object], *, within_s: float = 20) -> Pod:
        """The pod as soon as it is as wanted."""
        informer, seen = self.informers[Pod], None
        with anyio.move_on_after(within_s):
            while True:
                seen = self.informers.view.get(Pod, name, "default")
                if seen is not None and holds(seen):
                    return seen
                await informer.changed()
        raise AssertionError(f"never came true; last seen: {seen.status if seen else None}")

    async def until_gone(self, name: str = "web", *, within_s: float = 60) -> None:
        informer = self.informers[Pod]
        with anyio.fail_after(within_s):
            while self.informers.view.get(Pod, name, "default") is not None:
                await informer.changed()

    async def delete(self, name: str = "web", grace_s: int | None = None) -> None:
        await self.client.delete(Pod, name, "default", options=DeleteOptions(grace_period_seconds=grace_s))

    async def events(self) -> list[tuple[str, str]]:
        found = (await self.client.list(Event, "default")).items
        return [(each.reason, each.message) for each in found]

    def kubelet(
        self,
        *,
        storage: Storage | None = None,
        probes: ProbeRunner | None = None,
        machine: Machine = MACHINE,
        health: Callable[[], Health] = Health,
        static_pods: Path | None = None,
    ) -> Kubelet:
        """A kubelet process; a second one is a restart."""
        return Kubelet(
            NodeSettings(name=NODE, machine=machine, static_pods=static_pods),
            Surroundings(
                client=self.client,
                view=self.informers.view,
                pods=self.informers[Pod],
                configs=(self.informers[ConfigMap], self.informers[Secret]),
                recorder=self.recorder,
                clock=self.clock,
                services=self,
            ),
            runtime=self.runtime,
            addresses=self.addresses,
            probes=probes or SimulatedProbes(self.simulated.probe),
            storage=storage or NoStorage(),
            health=health,
        )


B = TypeVar("B", bound=Bench)


def bench(clock: Clock | None = None) -> AbstractAsyncContextManager[Bench]:
    """Everything but the kubelet itself, running."""
    return bench_of(Bench, clock)


@asynccontextmanager
async def bench_of(kind: type[B], clock: Clock | None = None) -> AsyncIterator[B]:
    """A bench of a special kind."""
    clock = clock or SystemClock()
    async with local_client(clock) as client, anyio.create_task_group() as group:
        await client.create(Namespace(metadata=ObjectMeta(name="kube-node-lease")))
        account = ObjectMeta(name="default", namespace="default")
        await client.create(ServiceAccount(metadata=account, automount_service_account_token=False))
        kinds = (Pod, ConfigMap, Secret, Service, PersistentVolume, PersistentVolumeClaim, RuntimeClass)
        informers = Informers(client, kinds, clock, indexes={}, field_selectors={Pod: f"spec.nodeName={NODE}"})
        await group.start(informers.run)
        made = kind(client, clock, informers, SimulatedRuntime(clock=clock))
        await group.start(made.recorder.run)
        yield made
        group.cancel_scope.cancel()


@asynccontextmanager
async def running(kubelet: Kubelet) -> AsyncIterator[Kubelet]:
    """Leaving is kill -9: nothing is stopped in order."""
    async with anyio.create_task_group() as group:
        await group.start(kubelet.run)
        yield kubelet
        group.cancel_scope.cancel()


def is_ready(seen: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in seen.status.conditions)
