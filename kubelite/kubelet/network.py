"""The pod network of one node: a point-to-point link per sandbox, and what the host needs to route to it.

Each pod has a /32 and a veth whose host end has a fixed MAC and no address; pod and host know each other by permanent
neighbours, so there is no ARP, no bridging, and packets between pods are plainly forwarded. An empty bridge carries the node's
gateway address, from which the host speaks to pods. The rest of the pod CIDR is unreachable: a connection to a dead pod fails
at once. Services, and the masquerading of what pods send outside, belong to the proxy.

Every interface of an instance starts with `link_prefix(instance)`; filter rules match that prefix, so that several kubelites
on one machine stay apart. Source: https://docs.tigera.io/calico (point-to-point links), https://docs.docker.com/engine/network/
packet-filtering-firewalls/ (DOCKER-USER), CVE-2020-8558 (the guard of 127.0.0.0/8)
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from pathlib import Path

import anyio

from kubelite.kubelet import netlink
from kubelite.kubelet.instance import link_prefix
from kubelite.kubelet.runtime import RuntimeFailed

_HOST_MAC = b"\xee" * 6
#: What a pod takes for its router; it exists only as a neighbour with the host end's MAC.
_ROUTER = "169.254.1.1"
_SYS_NET = Path("/sys/class/net")
_PROC_IPV4 = Path("/proc/sys/net/ipv4")


class PodNetwork:
    """Builds and removes the links of one node's pods. `setup` first; it may be repeated at any time."""

    def __init__(self, *, instance: str, pod_cidr: str, service_cidr: str = "") -> None:
        self._prefix = link_prefix(instance)
        self._pod_cidr = ipaddress.IPv4Network(pod_cidr)
        self._service_cidr = service_cidr
        self.gateway = str(self._pod_cidr.network_address + 1)
        self._mtu = 1500

    async def setup(self) -> None:
        """The gateway, the unreachable rest of the pod CIDR, forwarding, and the accepting rules.

        Raises: RuntimeFailed when rights or tools are missing, or another instance uses the same addresses.
        """
        try:
            await anyio.to_thread.run_sync(self._build)
            for chain, rule in _rules(self._prefix):
                if await _iptables("-C", chain, *rule) and (failure := await _iptables("-I", chain, *rule)):
                    raise RuntimeFailed("NetworkNotReady", f"iptables -I {chain} {' '.join(rule)}: {failure}")
        except OSError as error:
            raise RuntimeFailed(
                "NetworkNotReady", f"cannot set up the pod network {self._pod_cidr}: {error}"
            ) from error

    async def attach(self, *, pid: int, ip: str, sandbox_id: str) -> None:
        """Connects the network namespace of process `pid` under `ip`.

        Raises: OSError when the namespace is gone or the kernel refuses.
        """
        await anyio.to_thread.run_sync(self._attach, f"/proc/{pid}/ns/net", ip, self._link_name(sandbox_id))

    def is_attached(self, sandbox_id: str, ip: str) -> bool:
        """Whether `attach` had finished: it names the link after the address as its last step."""
        try:
            return (_SYS_NET / self._link_name(sandbox_id) / "ifalias").read_text().strip() == ip
        except OSError:
            return False

    def _link_name(self, sandbox_id: str) -> str:
        # Named after the sandbox, not the pod or its address: a veth dies some time after its namespace.
        return f"{self._prefix}{sandbox_id[:7]}"

    def _build(self) -> None:
        with netlink.RouteSocket() as host:
            for link in host.links():
                self._refuse_overlap(link)
            _ignoring(errno.EEXIST, host, netlink.add_bridge(self._prefix))
            index = host.index(self._prefix)
            host.send(
                netlink.set_up(index),
                netlink.add_address(index, self.gateway, 32),
                netlink.add_unreachable(str(self._pod_cidr)),
                netlink.set_alias(index, str(self._pod_cidr)),
            )
            if self._service_cidr:
                # The proxy translates Service addresses; until then the host needs a way for them, and a source address.
                host.send(netlink.add_route(self._service_cidr, index=index, source=self.gateway))
        _write_sysctl(_PROC_IPV4 / "ip_forward", "1")
        self._mtu = _uplink_mtu()

    def _refuse_overlap(self, link: netlink.Link) -> None:
        if not link.name.startswith("kl") or link.name == self._prefix or "/" not in link.alias:
            return
        if self._pod_cidr.overlaps(ipaddress.IPv4Network(link.alias)):
            raise RuntimeFailed(
                "NetworkNotReady",
                f"the pod CIDR {self._pod_cidr} overlaps {link.alias}, which another kubelite uses (interface {link.name}): "
                "choose another with --pod-cidr, or run `python -m kubelite cleanup` for its data directory",
            )

    def _attach(self, netns_path: str, ip: str, name: str) -> None:
        mac = b"\x0a\x58" + socket.inet_aton(ip)
        netns = os.open(netns_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with netlink.RouteSocket() as host, netlink.RouteSocket(netns_path) as pod:
                host.send(
                    netlink.add_veth(name, mac=_HOST_MAC, peer="eth0", peer_mac=mac, peer_netns_fd=netns, mtu=self._mtu)
                )
                index, eth0 = host.index(name), pod.index("eth0")
                pod.send(
                    netlink.set_up(1),
                    netlink.set_up(eth0),
                    netlink.add_address(eth0, ip, 32),
                    netlink.add_route(f"{_ROUTER}/32", index=eth0),
                    netlink.add_neighbor(eth0, _ROUTER, _HOST_MAC),
                    netlink.add_route("0.0.0.0/0", index=eth0, gateway=_ROUTER),
                )
                # Replies to what the host sent from 127.0.0.1 to a node port come back through here.
                _write_sysctl(_PROC_IPV4 / "conf" / name / "route_localnet", "1")
                host.send(
                    netlink.add_neighbor(index, ip, mac),
                    netlink.add_route(f"{ip}/32", index=index, source=self.gateway),
                )
                host.send(netlink.set_alias(index, ip))
        finally:
            os.close(netns)


async def teardown(instance: str) -> int:
    """Removes every rule, route and interface of the instance and says how many interfaces; what is gone is no error."""
    prefix = link_prefix(instance)
    for chain, rule in _rules(prefix):
        while not await _iptables("-D", chain, *rule):
            pass
    return await anyio.to_thread.run_sync(_remove_links, prefix)


def _remove_links(prefix: str) -> int:
    with netlink.RouteSocket() as host:
        links = [link for link in host.links() if link.name.startswith(prefix)]
        for link in links:
            if link.name == prefix and link.alias:
                _ignoring(errno.ESRCH, host, netlink.delete_unreachable(link.alias))
            _ignoring(errno.ENODEV, host, netlink.delete_link(link.name))
        return len(links)


def _rules(prefix: str) -> list[tuple[str, tuple[str, ...]]]:
    every = f"{prefix}+"
    guard = ("-i", every, "-d", "127.0.0.0/8", "-m", "conntrack", "!", "--ctstate", "ESTABLISHED,RELATED", "-j", "DROP")
    accept = ("-j", "ACCEPT")
    return [("DOCKER-USER", ("-i", every, *accept)), ("DOCKER-USER", ("-o", every, *accept)), ("INPUT", guard)]


def _ignoring(number: int, sock: netlink.RouteSocket, message: netlink.Message) -> None:
    try:
        sock.send(message)
    except OSError as error:
        if error.errno != number:
            raise


def _write_sysctl(path: Path, value: str) -> None:
    """Only when it differs: a read-only /proc/sys that already holds the value is enough."""
    if path.read_text().strip() != value:
        path.write_text(value)


def _uplink_mtu() -> int:
    """The MTU of the default route's interface: packets of pods must fit through it."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        name, destination = line.split()[:2]
        if destination == "00000000":
            return int((_SYS_NET / name / "mtu").read_text())
    return 1500


async def _iptables(*arguments: str) -> str:
    """Empty when it succeeded, otherwise what it said; waits for the lock that other users of iptables hold."""
    with anyio.fail_after(30):
        result = await anyio.run_process(["iptables", "-w", "20", *arguments], check=False)
    return "" if result.returncode == 0 else result.stderr.decode().strip() or f"exit code {result.returncode}"
