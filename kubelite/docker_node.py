"""This host as a node: Docker containers, their network, Services in the kernel and DNS. Part of the composition root.

Imported only when such a node is wanted, since its libraries take longer to load than an embedded cluster to start.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import partial

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.api import authentication_v1 as authentication, core_v1 as core
from kubelite.api.errors import StatusError
from kubelite.api.timestamp import parse_rfc3339
from kubelite.client.feeds import PodsByNode
from kubelite.client.interface import Client
from kubelite.config import DNS_PORT, Config
from kubelite.data_dir import DataDir, HostProblem
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.cleanup import cleanup
from kubelite.kubelet.docker import DockerRuntime
from kubelite.kubelet.eviction_thresholds import reserved
from kubelite.kubelet.handlers import RuntimeProbes
from kubelite.kubelet.host_ports import HostPort
from kubelite.kubelet.instance import cgroup_root, instance_id, link_prefix
from kubelite.kubelet.kubelet import Kubelet, NodeSettings
from kubelite.kubelet.machine import host_address, read_health, read_machine
from kubelite.kubelet.network import PodNetwork
from kubelite.kubelet.parts import NoServices
from kubelite.kubelet.pod_storage import PodStorage, StorageSettings, Token, TokenRequest
from kubelite.kubelet.runtime import RuntimeFailed
from kubelite.kubelet.stats_host import HostMeter
from kubelite.kubelet.storage import MountFailed
from kubelite.nodes import NodeParts, Nodes, node_server, surroundings
from kubelite.proxy.dns import Responder
from kubelite.proxy.dns_server import DnsServer
from kubelite.proxy.forward import Forwarder, host_resolvers
from kubelite.proxy.nftables import NftablesError
from kubelite.proxy.proxier import Proxier, ProxyConfig, remove_table
from kubelite.proxy.services import Endpoint, ServicePort
from kubelite.proxy.table import TableConfig


class _HostNetwork:
    """The pod network of this host, present before anything binds to its gateway address."""

    name = "pod-network"

    def __init__(self, network: PodNetwork) -> None:
        self._network = network

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        try:
            await self._network.setup()
        except RuntimeFailed as error:
            raise HostProblem(error.message) from error
        task_status.started()
        await anyio.sleep_forever()


class _Gate:
    """The kubelet's words, said to the proxy in its own."""

    def __init__(self, proxier: Proxier, node_name: str) -> None:
        self._proxier = proxier
        self._node_name = node_name
        self.remove_endpoint = proxier.remove_endpoint
        self.restore_endpoint = proxier.restore_endpoint

    def map_host_ports(self, pod_uid: str, ip: str, ports: tuple[HostPort, ...]) -> None:
        owner = f"host-ports/{pod_uid}"
        services = []
        for each in ports:
            port = ServicePort(
                owner=owner,
                protocol=each.protocol,
                port=each.port,
                external_ips=(each.host_ip,) if each.host_ip else (),
                node_port=0 if each.host_ip else each.port,
                external_local=True,  # the client's address stays visible
            )
            services.append((port, (Endpoint(ip=ip, port=each.container_port, node=self._node_name),)))
        self._proxier.replace_static(owner, services)


async def _issue_token(client: Client, request: TokenRequest) -> Token:
    """Raises: MountFailed."""
    meta, account = request.pod.metadata, request.pod.spec.service_account_name
    bound = authentication.BoundObjectReference(kind="Pod", api_version="v1", name=meta.name, uid=meta.uid)
    spec = authentication.TokenRequestSpec(
        audiences=(request.audience,) if request.audience else (),
        expiration_seconds=request.lifetime_s,
        bound_object_ref=bound,
    )
    wanted = authentication.TokenRequest(spec=spec)
    try:
        made = await client.create_subresource(
            wanted, account, meta.namespace, plural="serviceaccounts", subresource="token"
        )
    except StatusError as error:
        raise MountFailed(f"failed to fetch token: {error.message}") from error
    return Token(made.status.token, parse_rfc3339(made.status.expiration_timestamp))


def _node_address(network: PodNetwork) -> str:
    """The host's address towards the outside, or the pod network's gateway on a host that has none."""
    address = host_address()
    return network.gateway if ipaddress.ip_address(address).is_loopback else address


def table_config(config: Config, instance: str) -> TableConfig:
    """The nftables table of one kubelite."""
    return TableConfig(
        name=f"kubelite_{instance}",
        pod_cidr=config.pod_cidr,
        service_cidr=config.service_cidr,
        links=f"{link_prefix(instance)}*",
    )


def docker_node(config: Config, parts: NodeParts, data: DataDir) -> Nodes:
    """This host: pods are Docker containers, Services an nftables table, names answered on the gateway address."""
    instance = instance_id(data.path)
    network = PodNetwork(instance=instance, pod_cidr=config.pod_cidr, service_cidr=config.service_cidr)
    address = _node_address(network)
    policy, machine = config.eviction_policy(), read_machine(data.path, address)
    serves = parts.serves and config.kubelet_port >= 0
    meter, pods_group = HostMeter(data.path), f"{cgroup_root(instance)}/kubepods"
    name = config.node_name or socket.gethostname().lower()
    responder = Responder(config.cluster_domain)
    dns = DnsServer(responder, Forwarder(host_resolvers(), parts.clock), host=network.gateway, port=DNS_PORT)
    proxy_config = ProxyConfig(table=table_config(config, instance), node_name=name, domain=config.cluster_domain)
    proxier = Proxier(parts.informers, responder, proxy_config)
    runtime = DockerRuntime(instance=instance, socket=config.docker_socket, clock=parts.clock, network=network)
    data.static_pods.mkdir(exist_ok=True)
    pods = PodsByNode(parts.informers[core.Pod], parts.informers.view)
    settings = StorageSettings(
        root=data.path,
        cgroup_root=cgroup_root(instance),
        cluster_dns=config.dns_ip,
        cluster_domain=config.cluster_domain,
    )
    kubelet = Kubelet(
        NodeSettings(
            name=name,
            machine=replace(machine, reserved=reserved(policy, machine.memory_bytes, machine.disk_bytes)),
            pod_cidr=config.pod_cidr,
            cluster_domain=config.cluster_domain,
            pulled_images=data.path / "pulled-images",
            static_pods=data.static_pods,
            eviction=policy,
            shutdown_s=config.shutdown_grace_period,
            shutdown_critical_s=config.shutdown_grace_period_critical_pods,
            server=node_server(config, parts, data, name=name, address=address) if serves else None,
        ),
        surroundings(parts, pods, name, _Gate(proxier, name) if config.runs("proxy") else NoServices()),
        runtime=runtime,
        addresses=AddressPool(config.pod_cidr),
        probes=RuntimeProbes(runtime),
        storage=PodStorage(settings, parts.informers.view, parts.clock, partial(_issue_token, parts.client)),
        health=lambda: read_health(data.path, runtime.image_root, partial(meter.working_set, pods_group)),
        meter=meter,
    )
    return Nodes(
        network=(_HostNetwork(network),),
        services=(*((proxier,) if config.runs("proxy") else ()), *((dns,) if config.runs("dns") else ())),
        kubelets={name: kubelet} if config.runs("kubelet") else {},
    )


async def remove_node(data: DataDir, docker_socket: str) -> None:
    """Removes everything that the node of a data directory has put on this host. Raises: HostProblem."""
    instance = instance_id(data.path)
    try:
        await remove_table(table_config(Config(), instance))
        await cleanup(instance=instance, socket=docker_socket, data_dir=data.path)
    except (RuntimeFailed, NftablesError, OSError) as error:
        raise HostProblem(f"cannot clean up: {error}") from error
