"""The API put together: registry, the objects that a cluster has from the beginning, the socket.

Part of the composition root. `cluster` imports it only after it has started what takes time by itself (the store's writer), and
`components`, which live off the API, only after this.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from kubelite.actor.actor import Actor
from kubelite.actor.clock import Clock
from kubelite.actor.supervisor import Stage, Supervisor
from kubelite.api import core_v1 as core, discovery_v1 as discovery
from kubelite.api.meta import Object
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.bootstrap import bootstrap, bootstrap_dns
from kubelite.apiserver.custom import CustomResources
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.plugins import standard_admission
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.apiserver.signing import SigningKey
from kubelite.client.streams import PodStreams
from kubelite.config import DNS_PORT, Config
from kubelite.data_dir import DataDir
from kubelite.store.store import Store

if TYPE_CHECKING:
    from kubelite.apiserver.http import ApiServer
    from kubelite.apiserver.signer import Signer
    from kubelite.client.figures import NodeMeter

#: The port of the API server in the objects of a cluster that serves none.
API_PORT = 6443


class Api:
    """The API of one cluster over `store`; with `serve` on a socket, whose port is `port` once it has started."""

    def __init__(self, config: Config, store: Store, clock: Clock, data: DataDir | None, *, serve: bool) -> None:
        self._config = config
        self._clock = clock
        self._data = data
        self.streams: dict[str, PodStreams] = {}  #: of the pods of each node, by its name
        self.root_ca = ""  #: the PEM text that verifies the server
        self.authority: Signer | None = None  #: what signs certificates, if the API is served
        self._serve = serve
        self._rules = Rules()
        self._api_server: ApiServer | None = None
        self._allocator = ServiceAllocator(clock, cidr=config.service_cidr)
        self._late: tuple[Actor, ...] = ()  # what needs the namespaces that are there from the beginning
        # Pods get tokens unless they would wait for an authority that is never published.
        token_suffix = clock.suffix if serve or not config.uses_host else None
        self.registry = ObjectRegistry(
            store,
            clock,
            admission=standard_admission(clock, token_suffix=token_suffix, rules=self._rules),
            allocator=self._allocator,
            signing_key=SigningKey(data.pki if data else None),
        )
        self.client = LocalClient(self.registry)

    def supervisor(self) -> Supervisor:
        """The API's actors."""
        beginning = _Beginning(self.registry, self._config, port=lambda: self.port)
        # first: kinds are there, and nothing that Services have is given again, when the API serves
        first = Stage((CustomResources(self.registry, self._clock), _Repair(self.registry, self._allocator)))
        served = self._server() if self._serve else ()
        return Supervisor("api", [first, *served, Stage((beginning,)), Stage(self._late)], self._clock)

    def _server(self) -> list[Stage]:
        from kubelite.apiserver.aggregation import Aggregation
        from kubelite.apiserver.authz import RbacAuthorizer
        from kubelite.apiserver.certs import FRONT_PROXY, FRONT_PROXY_CA, KUBELET_CLIENT, Pki
        from kubelite.apiserver.handlers_reviews import ReviewHandlers
        from kubelite.apiserver.http import ApiServer
        from kubelite.apiserver.signer import Signer
        from kubelite.identity_assembly import make_audit_log, make_authenticator

        assert self._data is not None
        config = self._config
        pki = Pki(self._data.pki)
        pki.ensure(_own_names(config), self._clock.now())
        self.root_ca = pki.authority.read_text()
        self.authority = Signer(self._data.pki, self._rules)
        authorizer = RbacAuthorizer(self.registry, self._rules)
        context = pki.server_context()
        authenticator = make_authenticator(config, self.registry, self._clock, context)
        self.registry.review = ReviewHandlers(authenticator, authorizer).review
        aggregation = Aggregation(
            self.registry,
            self._clock,
            lambda authority: pki.client_context(FRONT_PROXY, authority=authority),
            client_ca=self.root_ca,
            front_proxy_ca=pki.path(f"{FRONT_PROXY_CA}.crt").read_text(),
        )
        self._api_server = server = ApiServer(
            self.registry,
            authenticator,
            authorizer,
            self.streams.get,
            self._clock,
            ssl_context=context,
            bind_address=config.bind_address,
            port=config.secure_port,
            kubelet_context=lambda: pki.client_context(KUBELET_CLIENT),
            aggregation=aggregation,
            audit=make_audit_log(config, self.registry, self._clock),
        )
        self._late = (aggregation,)
        return [Stage((server,)), Stage((authorizer,))]

    @property
    def port(self) -> int:
        """The port of the API server, once it has started."""
        return self._api_server.port if self._api_server else API_PORT

    def serve_metrics(self, meters: Mapping[str, NodeMeter]) -> None:
        """From now on the metrics API is served, of these nodes."""
        from kubelite.apiserver.metrics_api import MetricsApi

        self.registry.serve_computed(MetricsApi(self.registry, lambda: meters))

    def write_kubeconfig(self, path: Path) -> str:
        """Writes the administrator's kubeconfig; returns the URL of the API. Raises: OSError."""
        from kubelite.apiserver.kubeconfig import write_kubeconfig

        assert self._data is not None
        bound = self._config.bind_address
        host = "127.0.0.1" if ipaddress.ip_address(bound).is_unspecified else bound
        url = f"https://{host}:{self.port}"
        write_kubeconfig(path, url, self._data.pki)
        return url


class _Repair:
    """Writes what Services of older versions have as taken."""

    name = "service-repair"

    def __init__(self, registry: ObjectRegistry, allocator: ServiceAllocator) -> None:
        self._registry = registry
        self._allocator = allocator

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self._allocator.repair(self._registry.store, self._registry)
        task_status.started()
        await anyio.sleep_forever()


class _Beginning:
    """Makes, and keeps, the objects that a cluster has from the beginning; they follow the API's port of this run."""

    name = "beginning"

    def __init__(self, registry: ObjectRegistry, config: Config, *, port: Callable[[], int]) -> None:
        self._registry = registry
        self._config = config
        self._port = port

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self._make()
        task_status.started()
        async with anyio.create_task_group() as tasks:
            for kind in (core.Service, core.Endpoints, discovery.EndpointSlice):
                tasks.start_soon(self._keep, kind)

    async def _keep(self, kind: type[Object]) -> None:
        """Makes them again when somebody deletes the one of the API itself."""
        client, selector = LocalClient(self._registry), "metadata.name=kubernetes"
        async with client.watch(kind, "default", resource_version="0", field_selector=selector) as batches:
            async for batch in batches:
                if batch[-1].type == "DELETED":
                    await self._make()

    async def _make(self) -> None:
        config = self._config
        await bootstrap(
            self._registry, service_cidr=config.service_cidr, address=_api_address(config), port=self._port()
        )
        if config.uses_host and config.runs("dns"):
            await bootstrap_dns(self._registry, service_ip=config.dns_ip, address=config.gateway_ip, port=DNS_PORT)


def _api_address(config: Config) -> str:
    """Where pods reach the API server: what it is bound to, or the node's gateway address."""
    bound = ipaddress.ip_address(config.bind_address)
    return config.gateway_ip if bound.is_unspecified or bound.is_loopback else config.bind_address


def _own_names(config: Config) -> tuple[str, ...]:
    """The names and addresses, besides the usual ones, under which the API server is reached."""
    return (socket.gethostname().lower(), config.bind_address, config.api_ip, _api_address(config))
