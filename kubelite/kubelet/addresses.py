"""Which pod gets which address of the node's pod CIDR. Pure: the caller rebuilds it from the sandboxes that it finds.

Addresses are given in turn, so that a freed one is used again as late as possible: connection tracking and cached DNS answers
of others may still point at the pod that had it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from kubelite.kubelet.runtime import RuntimeFailed


class AddressPool:
    """The addresses of one node. The first is the node's gateway; network and broadcast address are never given.

    >>> pool = AddressPool("10.244.0.0/29")
    >>> pool.gateway, pool.allocate(), pool.allocate()
    ('10.244.0.1', '10.244.0.2', '10.244.0.3')
    >>> pool.release("10.244.0.2"); pool.allocate()
    '10.244.0.4'
    """

    def __init__(self, pod_cidr: str, *, taken: Iterable[str] = ()) -> None:
        self._network = ipaddress.IPv4Network(pod_cidr)
        self._first = int(self._network.network_address) + 2
        self._size = self._network.num_addresses - 3
        if self._size < 1:
            raise ValueError(f"the pod CIDR {pod_cidr} has no room for a pod")
        self._taken: set[int] = set()
        self._next = 0
        for ip in taken:
            self.claim(ip)

    @property
    def gateway(self) -> str:
        return str(self._network.network_address + 1)

    def allocate(self) -> str:
        """Raises: RuntimeFailed when every address is in use."""
        if len(self._taken) >= self._size:
            raise RuntimeFailed("FailedCreatePodSandBox", f"no IP addresses available in range set: {self._network}")
        while self._next in self._taken:
            self._next = (self._next + 1) % self._size
        offset = self._next
        self._taken.add(offset)
        self._next = (offset + 1) % self._size
        return str(ipaddress.IPv4Address(self._first + offset))

    def claim(self, ip: str) -> None:
        """`ip` is in use already, by a sandbox of an earlier run; an address of another range is nobody's concern."""
        offset = int(ipaddress.IPv4Address(ip)) - self._first
        if 0 <= offset < self._size:
            self._taken.add(offset)
            self._next = max(self._next, (offset + 1) % self._size)

    def release(self, ip: str) -> None:
        self._taken.discard(int(ipaddress.IPv4Address(ip)) - self._first)
