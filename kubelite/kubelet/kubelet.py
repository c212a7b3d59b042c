"""The kubelet of one node: composes the room and runs its actors.

It speaks to the cluster through `client.interface` and feeds of objects only, so the API server may be in another process.
The runtime's event stream opens first, then the pods that are there are adopted, then the node reports Ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock
from kubelite.client.interface import Client
from kubelite.client.view import View
from kubelite.kubelet.eviction_manager import EvictionManager
from kubelite.kubelet.handlers import Hooks, ProbeRunner
from kubelite.kubelet.image_collector import ImageCollector
from kubelite.kubelet.images import ImagePuller
from kubelite.kubelet.node import RENEW_S, NodeActor
from kubelite.kubelet.node_status import Health, Machine, NodeFacts, allocatable
from kubelite.kubelet.parts import Parts, PodAddresses, Recorder, ServiceGate
from kubelite.kubelet.pleg import Pleg
from kubelite.kubelet.pod_manager import Feed, PodManager
from kubelite.kubelet.runtime import Runtime, RuntimeEvent
from kubelite.kubelet.storage import Storage
from kubelite.kubelet.streams import KubeletStreams

if TYPE_CHECKING:
    from kubelite.client.figures import NodeFigures
    from kubelite.kubelet.eviction_thresholds import Policy
    from kubelite.kubelet.server import KubeletServer, ServerSettings
    from kubelite.kubelet.static_pods import StaticPods
    from kubelite.kubelet.stats_collector import Meter, StatsCollector


class RunningRuntime(Runtime, Protocol):
    """A runtime with its actor loop."""

    @property
    def name(self) -> str: ...
    async def run(self, listener: Callable[[RuntimeEvent], None], *, task_status: TaskStatus[None]) -> None: ...


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes one node from another."""

    name: str
    machine: Machine
    pod_cidr: str = ""
    cluster_domain: str = "cluster.local"
    seccomp_root: str = ""
    pulled_images: Path | None = None  #: the file that remembers which images may be removed again
    static_pods: Path | None = None  #: the directory of their manifests
    renew_s: float = RENEW_S  #: between two heartbeats
    eviction: Policy | None = None  #: None: the default one
    shutdown_s: float = 0.0  #: how long pods may take to end when the node shuts down; zero: they are left as they are
    shutdown_critical_s: float = 0.0  #: the last part of that, for critical pods
    server: ServerSettings | None = None  #: of the kubelet's own API, if it serves one


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a kubelet needs of the cluster. `pods` are those bound to the node; `view` holds the kinds that pods refer to:

    ConfigMaps, Secrets, Services, PersistentVolumeClaims and PersistentVolumes; `configs` feed the first two."""

    client: Client
    view: View
    pods: Feed
    configs: Sequence[Feed]
    recorder: Recorder
    clock: Clock
    services: ServiceGate


class _Started(TaskStatus[None]):
    """Learns when an actor that needs no task group of its own is ready."""

    def __init__(self) -> None:
        self.event = anyio.Event()

    def started(self, value: None = None) -> None:
        self.event.set()


class Kubelet:
    """An actor: started when the pods are adopted and the node is registered."""

    def __init__(
        self,
        settings: NodeSettings,
        cluster: Surroundings,
        *,
        runtime: RunningRuntime,
        addresses: PodAddresses,
        probes: ProbeRunner,
        storage: Storage,
        health: Callable[[], Health],
        meter: Meter | None = None,
    ) -> None:
        self.name = f"kubelet/{settings.name}"
        client = cluster.client.because(self.name)
        self._settings = settings
        self._runtime = runtime
        self._pleg = Pleg(runtime)
        machine = settings.machine
        images = ImageCollector(runtime, cluster.clock, settings.pulled_images)
        self._static = _static_pods(settings, cluster, client)
        parts = Parts(
            client=client,
            view=cluster.view,
            runtime=runtime,
            clock=cluster.clock,
            recorder=cluster.recorder,
            pleg=self._pleg,
            puller=ImagePuller(runtime, cluster.clock, pulled=images.note_pull),
            hooks=Hooks(runtime, cluster.clock),
            probes=probes,
            storage=storage,
            addresses=addresses,
            services=cluster.services,
            mirror_of=self._static.mirror_of if self._static is not None else lambda pod: None,
            node=NodeFacts(host_ip=machine.ip, allocatable=allocatable(machine)),
            node_memory_bytes=machine.memory_bytes,
            cluster_domain=settings.cluster_domain,
            seccomp_root=settings.seccomp_root,
            runtime_name=runtime.name,
        )
        self._parts = parts
        self._meter = meter
        self.pods = PodManager(parts, pods=self._static or cluster.pods, configs=cluster.configs)
        self.streams = KubeletStreams(self.pods, runtime)
        self.node = NodeActor(
            settings.name,
            machine=machine,
            health=health,
            watch=EvictionManager(self.pods, parts, images, settings.eviction).check,
            pod_cidr=settings.pod_cidr,
            client=client,
            view=cluster.view,
            renew_s=settings.renew_s,
            clock_was_set=self.pods.wake,
            runtime=runtime,
            recorder=cluster.recorder,
            clock=cluster.clock,
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        # The runtime outlives the pods' workers: what they have begun in it still has to end.
        runtime_scope, runtime_status = anyio.CancelScope(shield=True), _Started()
        async with anyio.create_task_group() as group:
            group.start_soon(self._run_runtime, runtime_scope, runtime_status)
            try:
                await runtime_status.event.wait()
                async with anyio.create_task_group() as inner:
                    await inner.start(self.pods.run)
                    if self._static is not None:
                        await inner.start(self._static.run)
                    if self._settings.server is not None:
                        server = self._server(self._settings.server)
                        await inner.start(server.run)
                        self.node.port = server.port
                        self.node.changed()
                    await self.node.run(task_status=task_status)
            finally:
                runtime_scope.cancel()

    async def _run_runtime(self, scope: anyio.CancelScope, status: _Started) -> None:
        with scope:
            await self._runtime.run(self._hear, task_status=status)

    async def shut_down(self) -> None:
        """Ends the pods as when the machine goes down; returns when that is done."""
        from kubelite.kubelet.shutdown import NodeShutdown, Periods

        periods = Periods(total_s=self._settings.shutdown_s, critical_s=self._settings.shutdown_critical_s)
        await NodeShutdown(self.pods, self.node, periods).run()

    def _server(self, settings: ServerSettings) -> KubeletServer:
        from kubelite.kubelet.server import KubeletServer
        from kubelite.kubelet.server_auth import NodeAuth
        from kubelite.kubelet.server_handlers import NodeHandlers

        parts, name = self._parts, self._settings.name
        handlers = NodeHandlers(
            name,
            self._settings.machine,
            parts,
            pods=self.pods,
            streams=self.streams,
            stats=lambda: self.stats,
            config=settings.config,
        )
        return KubeletServer(settings, NodeAuth(name, parts.client, parts.clock), handlers)

    @cached_property
    def stats(self) -> StatsCollector:
        from kubelite.kubelet.stats_collector import StatsCollector

        return StatsCollector(self.pods, self._parts, self._meter)

    async def figures(self) -> NodeFigures:
        """What the node and its pods use; see `client.figures.NodeMeter`."""
        return await self.stats.figures()

    def _hear(self, event: RuntimeEvent) -> None:
        self._pleg.hear(event)
        if not event.pod_uid:
            self.node.changed()  # the runtime came, or came back


def _static_pods(settings: NodeSettings, cluster: Surroundings, client: Client) -> StaticPods | None:
    if settings.static_pods is None:
        return None
    from kubelite.kubelet.static_pods import StaticPods

    return StaticPods(settings.static_pods, settings.name, cluster.pods, client=client, clock=cluster.clock)
