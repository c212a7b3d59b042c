"""Nodes, put together: the second part of the composition root. Simulated ones are here; `docker_node` is the host itself."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.actor import Actor
from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core, node_v1 as node
from kubelite.api.meta import Object
from kubelite.client.feeds import PodsByNode
from kubelite.client.informer import Informers
from kubelite.client.interface import Client
from kubelite.client.recorder import Recorder
from kubelite.config import Config
from kubelite.data_dir import DataDir
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.handlers import SimulatedProbes
from kubelite.kubelet.kubelet import Kubelet, NodeSettings, Surroundings
from kubelite.kubelet.node import RENEW_S
from kubelite.kubelet.node_status import MAX_PODS, Health, Machine
from kubelite.kubelet.parts import NoServices, ServiceGate
from kubelite.kubelet.simulated import SimulatedRuntime
from kubelite.kubelet.storage import NoStorage

if TYPE_CHECKING:
    from ssl import SSLContext

    from kubelite.kubelet.server import ServerSettings

#: What kubelets read of the cluster.
NODE_KINDS: tuple[type[Object], ...] = (
    core.Node,
    core.Pod,
    core.ConfigMap,
    core.Secret,
    core.Service,
    core.PersistentVolume,
    core.PersistentVolumeClaim,
    node.RuntimeClass,
)
#: How long the start waits for new nodes; another server's controllers may be the ones to see them.
_USABLE_S = 5.0
_GIB = 1 << 30
#: Thousands of simulated nodes do not spend the process on heartbeats; the slowest are still well within a Lease's 40 s.
HEARTBEATS_PER_S, SLOWEST_RENEW_S = 100, 20.0
#: A simulated node's machine.
SIMULATED_CPUS, SIMULATED_MEMORY_BYTES, SIMULATED_DISK_BYTES = 32, 128 * _GIB, 512 * _GIB


class NodesUsable:
    """Started when the nodes of this process take pods: a new one does not until its controller has seen that it is ready."""

    name = "nodes-usable"

    def __init__(self, informers: Informers, names: Iterable[str]) -> None:
        self._informers = informers
        self._names = tuple(names)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.move_on_after(_USABLE_S):
            while any(self._is_new(name) for name in self._names):
                await self._informers[core.Node].changed()
        task_status.started()
        await anyio.sleep_forever()

    def _is_new(self, name: str) -> bool:
        found = self._informers.view.get(core.Node, name)
        return found is None or any(taint.key == "node.kubernetes.io/not-ready" for taint in found.spec.taints)


class NodeParts(msgspec.Struct, frozen=True, kw_only=True):
    """What nodes get of the cluster."""

    client: Client
    informers: Informers
    recorder: Recorder
    clock: Clock
    serves: bool  #: the API is on a socket, and its authority can sign


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """Actors in their order of start: `network`, then `services` (DNS, proxy), then `kubelets`."""

    network: tuple[Actor, ...] = ()
    services: tuple[Actor, ...] = ()
    kubelets: dict[str, Kubelet]  #: by the node's name


def simulated_nodes(config: Config, parts: NodeParts, data: DataDir | None) -> Nodes:
    """`config.nodes` nodes named node-1, node-2, ..., each with its part of the pod CIDR."""
    pods = PodsByNode(parts.informers[core.Pod], parts.informers.view)
    if not config.runs("kubelet"):
        return Nodes(kubelets={})
    serves = config.kubelet_port == 0 and parts.serves
    own = "127.0.0.1" if ipaddress.ip_address(config.bind_address).is_unspecified else config.bind_address
    kubelets = {}
    for number, subnet in enumerate(_subnets(config), start=1):
        name = config.node_name or f"node-{number}"
        runtime = SimulatedRuntime(clock=parts.clock)
        machine = Machine(
            ip=own if serves else str(subnet.network_address + 1),
            cpus=SIMULATED_CPUS,
            memory_bytes=SIMULATED_MEMORY_BYTES,
            disk_bytes=SIMULATED_DISK_BYTES,
            max_pods=min(MAX_PODS, subnet.num_addresses - 3),
            os_image="simulated",
        )
        server = node_server(config, parts, data, name=name, address=machine.ip) if serves else None
        kubelets[name] = Kubelet(
            NodeSettings(
                name=name,
                machine=machine,
                pod_cidr=str(subnet),
                cluster_domain=config.cluster_domain,
                renew_s=min(max(RENEW_S, config.nodes / HEARTBEATS_PER_S), SLOWEST_RENEW_S),
                shutdown_s=config.shutdown_grace_period,
                shutdown_critical_s=config.shutdown_grace_period_critical_pods,
                server=server,
            ),
            surroundings(parts, pods, name, NoServices()),
            runtime=runtime,
            addresses=AddressPool(str(subnet)),
            probes=SimulatedProbes(runtime.probe),
            storage=NoStorage(),
            health=Health,
        )
    return Nodes(kubelets=kubelets)


def _subnets(config: Config) -> Iterator[ipaddress.IPv4Network]:
    """The whole for a single node; a /24 for each of several while there are enough of those, then smaller ones."""
    network = ipaddress.IPv4Network(config.pod_cidr)
    needed = network.prefixlen + max(config.nodes - 1, 0).bit_length()
    subnets = network.subnets(new_prefix=network.prefixlen if config.nodes == 1 else max(24, needed))
    return itertools.islice(subnets, config.nodes)


def node_server(config: Config, parts: NodeParts, data: DataDir | None, *, name: str, address: str) -> ServerSettings:
    """The kubelet's own API at `address`, with a certificate of the cluster's authority."""
    from kubelite.kubelet.server import ServerSettings

    assert data is not None
    pki = data.pki

    def context() -> SSLContext:
        from kubelite.apiserver.certs import Pki

        return Pki(pki).kubelet_context(name, (address, "localhost", "127.0.0.1"), parts.clock.now())

    return ServerSettings(address=address, port=config.kubelet_port, context=context, config=_told(config, address))


def _told(config: Config, address: str) -> dict[str, Any]:
    """The settings in the words of KubeletConfiguration."""
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "enableServer": True,
        "address": address,
        "port": config.kubelet_port,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True, "cacheTTL": "2m0s"}},
        "authorization": {"mode": "Webhook"},
        "clusterDomain": config.cluster_domain,
        "clusterDNS": [config.dns_ip],
        "maxPods": MAX_PODS,
        "enableSystemLogHandler": False,
        "evictionHard": dict(each.split("<") for each in config.eviction_hard.split(",") if each),
        "shutdownGracePeriod": f"{config.shutdown_grace_period}s",
        "shutdownGracePeriodCriticalPods": f"{config.shutdown_grace_period_critical_pods}s",
    }


def surroundings(parts: NodeParts, pods: PodsByNode, name: str, services: ServiceGate) -> Surroundings:
    return Surroundings(
        client=parts.client,
        view=parts.informers.view,
        pods=pods.of(name),
        configs=(parts.informers[core.ConfigMap], parts.informers[core.Secret]),
        recorder=parts.recorder,
        clock=parts.clock,
        services=services,
    )
