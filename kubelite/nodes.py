"""Nodes, put together: the second part of the composition root. Simulated ones are here; `docker_node` is the host itself."""

from __future__ import annotations

import ipaddress

import msgspec

from kubelite.actor.actor import Actor
from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core, node_v1 as node
from kubelite.api.meta import Object
from kubelite.client.feeds import PodsByNode
from kubelite.client.informer import Informers
from kubelite.client.interface import Client
from kubelite.client.recorder import Recorder
from kubelite.config import Config
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.handlers import SimulatedProbes
from kubelite.kubelet.kubelet import Kubelet, NodeSettings, Surroundings
from kubelite.kubelet.node_status import Health, Machine
from kubelite.kubelet.parts import NoServices, ServiceGate
from kubelite.kubelet.simulated import SimulatedRuntime
from kubelite.kubelet.storage import NoStorage

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
_GIB = 1 << 30
#: A simulated node's machine.
SIMULATED_CPUS, SIMULATED_MEMORY_BYTES, SIMULATED_DISK_BYTES = 32, 128 * _GIB, 512 * _GIB


class NodeParts(msgspec.Struct, frozen=True, kw_only=True):
    """What nodes get of the cluster."""

    client: Client
    informers: Informers
    recorder: Recorder
    clock: Clock


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """Actors in their order of start: `network`, then `services` (DNS, proxy), then `kubelets`."""

    network: tuple[Actor, ...] = ()
    services: tuple[Actor, ...] = ()
    kubelets: dict[str, Kubelet]  #: by the node's name


def simulated_nodes(config: Config, parts: NodeParts) -> Nodes:
    """`config.nodes` nodes named node-1, node-2, ..., each with a /24 of the pod CIDR (the whole, if there is one node)."""
    network = ipaddress.IPv4Network(config.pod_cidr)
    subnets = [network] if config.nodes == 1 else network.subnets(new_prefix=max(24, network.prefixlen))
    pods = PodsByNode(parts.informers[core.Pod], parts.informers.view)
    if not config.runs("kubelet"):
        return Nodes(kubelets={})
    kubelets = {}
    for number, subnet in zip(range(1, config.nodes + 1), subnets, strict=False):
        name = config.node_name or f"node-{number}"
        runtime = SimulatedRuntime(clock=parts.clock)
        machine = Machine(
            ip=str(subnet.network_address + 1),
            cpus=SIMULATED_CPUS,
            memory_bytes=SIMULATED_MEMORY_BYTES,
            disk_bytes=SIMULATED_DISK_BYTES,
            os_image="simulated",
        )
        kubelets[name] = Kubelet(
            NodeSettings(name=name, machine=machine, pod_cidr=str(subnet), cluster_domain=config.cluster_domain),
            surroundings(parts, pods, name, NoServices()),
            runtime=runtime,
            addresses=AddressPool(str(subnet)),
            probes=SimulatedProbes(runtime.probe),
            storage=NoStorage(),
            health=Health,
        )
    return Nodes(kubelets=kubelets)


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
