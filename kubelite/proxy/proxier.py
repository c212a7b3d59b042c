"""kube-proxy's actor: Services and EndpointSlices, and what the kubelet says of its pods, into the kernel and the DNS zone.

All changes pending at one turn of the loop become one transaction. It replaces the whole table when it starts (the former one
serves until then, also across a restart of the process) and only touches elements after that; a refused transaction fails the
actor, whose next start replaces the table again. Stopping leaves the table in place.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Namespace, Service
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import Object
from kubelite.client.informer import Handler, Informers
from kubelite.proxy.conntrack import compute_stale, forget
from kubelite.proxy.dns import Responder
from kubelite.proxy.nftables import Nftables
from kubelite.proxy.rules import Elements, StaticService, compute_elements
from kubelite.proxy.services import Endpoint, ServicePort
from kubelite.proxy.table import TableConfig, encode_delete, encode_full, encode_update, needed_slots
from kubelite.proxy.tracker import Tracker

#: The kinds that the informers given to a Proxier must hold.
KINDS: tuple[type[Object], ...] = (Service, EndpointSlice, Namespace)
_SETTLE_TIMEOUT_S = 2.0

log = get_logger(__name__)


class ProxyConfig(msgspec.Struct, frozen=True, kw_only=True):
    table: TableConfig
    node_name: str
    domain: str
    static: tuple[StaticService, ...] = ()


def dns_services(cluster_ip: str, address: tuple[str, int]) -> tuple[StaticService, ...]:
    """The kube-dns address, port 53 of both transports, sent to the node's DNS server at `address`."""
    endpoint = (Endpoint(ip=address[0], port=address[1]),)
    names = (("dns", "udp"), ("dns-tcp", "tcp"))
    return tuple(
        (ServicePort(owner="static/kube-dns", name=n, protocol=p, port=53, cluster_ips=(cluster_ip,)), endpoint)
        for n, p in names
    )


async def remove_table(config: TableConfig) -> None:
    """Takes everything that a Proxier put into the kernel out of it.

    Raises: NftablesError.
    """
    nftables = Nftables()
    await nftables.apply(encode_delete(config))
    nftables.close()


class Proxier:
    """The actor. It reports started when the kernel has the rules of everything that the informers hold."""

    name = "proxy"

    def __init__(self, informers: Informers, responder: Responder, config: ProxyConfig) -> None:
        self._informers = informers
        self._config = config
        self._nftables = Nftables()
        self._tracker = Tracker(responder, node_name=config.node_name, domain=config.domain)
        for port, endpoints in config.static:
            self._tracker.rules.replace(f"static/{port.name}", compute_elements(port, endpoints, config.node_name))
        self._subscribed = False
        self._slots = 0
        self._wanted = 0  #: changes seen
        self._applied = 0  #: changes that the kernel has
        self._wake = anyio.Event()
        self._settled = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        if not self._subscribed:
            # For good: a restart of this actor then has missed nothing.
            self._subscribed = True
            tracker = self._tracker
            handlers: tuple[Handler, ...] = (tracker.see_service, tracker.see_slice, tracker.see_namespace)
            for kind, see in zip(KINDS, handlers, strict=True):
                self._informers[kind].subscribe(partial(self._see, see))
        try:
            await self._replace_all()
            task_status.started()
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await self._update()
        finally:
            self._nftables.close()

    async def remove_endpoint(self, ip: str, *, dead: bool = False) -> None:
        """No new connection goes to `ip`; returns when the kernel has it so, or after 2 s regardless.

        To be called before preStop and SIGTERM (where no other endpoint is left it still serves, as upstream), and with
        `dead` when its containers are dead. It holds until the EndpointSlices say the same, or list another pod under this
        address, or `restore_endpoint`. Not for pods on the host's network: they share their address.
        """
        if self._tracker.remove(ip, dead=dead):
            self._note_change()
        goal = self._wanted
        with anyio.move_on_after(_SETTLE_TIMEOUT_S) as deadline:
            while self._applied < goal:
                await self._settled.wait()
        if deadline.cancelled_caught:
            log.warning("Kernel did not take the endpoint out in time", ip=ip)

    def restore_endpoint(self, ip: str) -> None:
        """The pod at `ip` is ready (again): its EndpointSlices decide. To be called before reporting it ready."""
        self._tracker.restore(ip)
        self._note_change()

    def replace_static(self, owner: str, services: Iterable[StaticService]) -> None:
        """What `owner`, which is no Service of the API, has from now on; nothing: it is gone."""
        elements: Elements = {}
        for port, endpoints in services:
            elements |= compute_elements(port, endpoints, self._config.node_name)
        self._tracker.rules.replace(owner, elements)
        self._note_change()

    def _see(self, see: Handler, old: Object | None, new: Object | None) -> None:
        see(old, new)
        self._note_change()

    def _note_change(self) -> None:
        self._wanted += 1
        self._wake.set()

    async def _replace_all(self) -> None:
        goal = self._wanted
        self._tracker.recompute()
        rules = self._tracker.rules
        rules.take_changes()
        elements = rules.elements()
        await self._nftables.apply(encode_full(elements, self._config.table))
        self._slots = needed_slots(elements)
        self._reach(goal)
        log.info("Replaced proxy rules", elements=len(elements))

    async def _update(self) -> None:
        goal = self._wanted
        self._tracker.recompute()
        old, new = self._tracker.rules.take_changes()
        if needed_slots(new) > self._slots:
            await self._replace_all()
        elif old or new:
            await self._nftables.apply(encode_update(old, new, self._config.table))
            log.debug("Changed proxy rules", removed=len(old), added=len(new))
        self._reach(goal)
        if stale := compute_stale(old, new):
            try:
                await anyio.to_thread.run_sync(forget, stale)
            except OSError as error:
                # Such a client's packets are lost until its flow ages out: worse would be to stop for it.
                log.warning("Kept stale UDP flows", flows=len(stale), error=str(error))

    def _reach(self, goal: int) -> None:
        self._applied = goal
        settled, self._settled = self._settled, anyio.Event()
        settled.set()
