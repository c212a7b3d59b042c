"""How the rooms are put together: the part of the composition root that knows all of them.

`cluster` imports it only after it has started what takes time by itself (the store's writer). First come the API's own actors,
then everything that lives off the API: informers; DNS, Services, controllers and the scheduler; nodes.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock
from kubelite.actor.supervisor import Stage, Supervisor
from kubelite.api.core_v1 import Namespace, Service
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import Object
from kubelite.apiserver.admission import Admission, standard_plugins
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.bootstrap import bootstrap, bootstrap_dns
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.client.feeds import NODE_INDEX
from kubelite.client.host import Host
from kubelite.client.informer import Informers
from kubelite.client.recorder import Recorder
from kubelite.client.streams import PodStreams
from kubelite.config import Config
from kubelite.controllers import INDEXES as CONTROLLER_INDEXES, standard
from kubelite.data_dir import DataDir
from kubelite.nodes import NODE_KINDS, NodeParts, simulated_nodes
from kubelite.scheduler import INDEXES as SCHEDULER_INDEXES, Scheduler
from kubelite.store.store import Store

if TYPE_CHECKING:
    from kubelite.apiserver.http import ApiServer

#: What Services and DNS read of the cluster.
SERVICE_KINDS: tuple[type[Object], ...] = (Namespace, Service, EndpointSlice)
#: The port of the API server in the objects of a cluster that serves none.
API_PORT = 6443


class Assembly:
    """The parts of one cluster over `store`."""

    def __init__(self, config: Config, store: Store, clock: Clock, data: DataDir | None) -> None:
        self._config = config
        self._clock = clock
        self._data = data
        self._streams: dict[str, PodStreams] = {}
        self._api_server: ApiServer | None = None
        self.registry = ObjectRegistry(
            store,
            clock,
            admission=Admission(standard_plugins()),
            allocator=ServiceAllocator(clock, cidr=config.service_cidr),
        )
        self.client = LocalClient(self.registry)
        self.informers: Informers

    def api(self, *, serve: bool) -> Supervisor:
        """The API by itself; with `serve` on a socket, whose port is `port` once it has started."""
        beginning = _Beginning(self.registry, self._config, port=lambda: self.port)
        stages = [*self._server(), Stage((beginning,))] if serve else [Stage((beginning,))]
        return Supervisor("api", stages, self._clock)

    def _server(self) -> list[Stage]:
        from kubelite.apiserver.authn import Authenticator
        from kubelite.apiserver.authz import RbacAuthorizer
        from kubelite.apiserver.certs import Pki
        from kubelite.apiserver.http import ApiServer

        assert self._data is not None
        config = self._config
        pki = Pki(self._data.pki)
        pki.ensure(_own_names(config), self._clock.now())
        authorizer = RbacAuthorizer(self.registry)
        self._api_server = server = ApiServer(
            self.registry,
            Authenticator(),
            authorizer,
            lambda node: self._streams.get(node),  # nodes come later
            self._clock,
            ssl_context=pki.server_context(),
            bind_address=config.bind_address,
            port=config.secure_port,
        )
        return [Stage((server,)), Stage((authorizer,))]

    @property
    def port(self) -> int:
        """The port of the API server, once it has started."""
        return self._api_server.port if self._api_server else API_PORT

    def components(self) -> Supervisor:
        """Everything that lives off the API."""
        config, clock = self._config, self._clock
        recorder = Recorder(self.client, clock)
        controllers = (*standard(), Scheduler())
        watched = (kind for each in controllers for kind in (*(watch.type for watch in each.watches), *each.reads))
        indexes = {**NODE_INDEX, **CONTROLLER_INDEXES, **SCHEDULER_INDEXES}
        self.informers = Informers(self.client, (*NODE_KINDS, *SERVICE_KINDS, *watched), clock, indexes=indexes)
        parts = NodeParts(client=self.client, informers=self.informers, recorder=recorder, clock=clock)
        if config.runtime == "docker":
            from kubelite.docker_node import docker_node

            assert self._data is not None
            nodes = docker_node(config, parts, self._data)
        else:
            nodes = simulated_nodes(config, parts)
        self._streams.update({name: kubelet.streams for name, kubelet in nodes.kubelets.items()})
        hosts = [Host(each, self.client, self.informers, recorder, clock) for each in controllers]
        stages = [
            Stage((self.informers, recorder, *nodes.network)),
            Stage((*hosts, *nodes.services)),
            Stage(tuple(nodes.kubelets.values())),
        ]
        return Supervisor("components", stages, clock)

    def write_kubeconfig(self, path: Path) -> str:
        """Writes the administrator's kubeconfig; returns the URL of the API. Raises: OSError."""
        from kubelite.apiserver.kubeconfig import write_kubeconfig

        assert self._data is not None
        bound = self._config.bind_address
        host = "127.0.0.1" if ipaddress.ip_address(bound).is_unspecified else bound
        url = f"https://{host}:{self.port}"
        write_kubeconfig(path, url, self._data.pki)
        return url


class _Beginning:
    """Makes the objects that a cluster has from the beginning; they follow the API's port of this run."""

    name = "beginning"

    def __init__(self, registry: ObjectRegistry, config: Config, *, port: Callable[[], int]) -> None:
        self._registry = registry
        self._config = config
        self._port = port

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        config = self._config
        first_ip = str(ipaddress.ip_network(config.service_cidr).network_address + 1)
        await bootstrap(self._registry, service_ip=first_ip, address=_api_address(config), port=self._port())
        if config.runtime == "docker":
            from kubelite.docker_node import DNS_PORT, dns_address, gateway

            await bootstrap_dns(self._registry, service_ip=dns_address(config), address=gateway(config), port=DNS_PORT)
        task_status.started()
        await anyio.sleep_forever()


def _api_address(config: Config) -> str:
    """Where pods reach the API server: what it is bound to, or the node's gateway address."""
    bound = ipaddress.ip_address(config.bind_address)
    if bound.is_unspecified or bound.is_loopback:
        return str(ipaddress.ip_network(config.pod_cidr).network_address + 1)
    return config.bind_address


def _own_names(config: Config) -> tuple[str, ...]:
    """The names and addresses, besides the usual ones, under which the API server is reached."""
    service_ip = str(ipaddress.ip_network(config.service_cidr).network_address + 1)
    return (socket.gethostname().lower(), config.bind_address, service_ip, _api_address(config))
