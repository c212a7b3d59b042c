"""A machine made of network namespaces: a node, pods on point-to-point links, and a host outside; no containers."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from types import TracebackType

from kubelite.proxy.rules import Elements
from kubelite.proxy.table import TableConfig, encode_full

from .netns import Namespace, tcp_ask

CONFIG = TableConfig(name="kubelite_test", pod_cidr="10.244.0.0/24", service_cidr="10.96.0.0/16", links="kltest*")
GATEWAY = "10.244.0.1"
NODE_IP, OUTSIDE_IP = "192.0.2.1", "192.0.2.2"
MAC = "ee:ee:ee:ee:ee:ee"


class Machine:
    """`node`, `outside` (behind a link), and pods 10.244.0.2 and up, which tell their address and the client's."""

    def __init__(self, pods: int) -> None:
        self._stack = ExitStack()
        self.node = self._stack.enter_context(Namespace())
        self.outside = self._stack.enter_context(Namespace())
        self.node.run(
            "echo 1 > /proc/sys/net/ipv4/ip_forward; ip link add kltest type bridge; ip link set kltest up;"
            f"ip addr add {GATEWAY}/32 dev kltest; ip route add unreachable {CONFIG.pod_cidr};"
            f"ip route add {CONFIG.service_cidr} dev kltest src {GATEWAY};"
            f"ip link add up0 type veth peer name eth0 netns {self.outside.pid};"
            f"ip addr add {NODE_IP}/24 dev up0; ip link set up0 up"
        )
        self.outside.run(
            f"ip addr add {OUTSIDE_IP}/24 dev eth0; ip link set eth0 up; ip route add 10.96.0.0/16 via {NODE_IP};"
            f"ip route add 192.0.3.0/24 via {NODE_IP}"
        )
        self.pods = {f"10.244.0.{n}": self._pod(f"10.244.0.{n}", f"kltest{n}") for n in range(2, 2 + pods)}

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def load(self, elements: Elements) -> None:
        self.node.nft(encode_full(elements, CONFIG))

    def ask(self, address: tuple[str, int], times: int, *, source: Namespace | None = None) -> Counter[tuple[str, str]]:
        """How often which pod answered, and whom it saw as the client."""

        def ask_all() -> list[str]:
            return [tcp_ask(address) for _ in range(times)]

        answers = (source or self.node).call(ask_all)
        return Counter((pod, client) for pod, client in (a.split() for a in answers))

    def _pod(self, ip: str, link: str) -> Namespace:
        pod = self._stack.enter_context(Namespace())
        self.node.run(
            f"ip link add {link} address {MAC} type veth peer name eth0 netns {pod.pid}; ip link set {link} up;"
            f"echo 1 > /proc/sys/net/ipv4/conf/{link}/route_localnet"
        )
        pod.run(
            f"ip addr add {ip}/32 dev eth0; ip link set eth0 up; ip route add 169.254.1.1 dev eth0;"
            f"ip neigh add 169.254.1.1 dev eth0 lladdr {MAC} nud permanent; ip route add default via 169.254.1.1"
        )
        self.node.run(f"ip route add {ip}/32 dev {link} src {GATEWAY}")
        tcp = pod.call(lambda: socket.create_server((ip, 8080)))
        udp = pod.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind((ip, 8080))
        for serve, served in ((_serve_tcp, tcp), (_serve_udp, udp)):
            thread = threading.Thread(target=serve, args=(served, ip))
            thread.start()
            self._stack.callback(_stop, served, thread)
        return pod


def _serve_tcp(server: socket.socket, ip: str) -> None:
    with suppress(OSError):
        while True:
            client, (address, _) = server.accept()
            with client:
                client.sendall(f"{ip} {address}".encode())


def _serve_udp(server: socket.socket, ip: str) -> None:
    with suppress(OSError):
        while True:
            _, client = server.recvfrom(100)
            if not client:
                return  # shut down
            server.sendto(f"{ip} {client[0]}".encode(), client)


def _stop(server: socket.socket, thread: threading.Thread) -> None:
    with suppress(OSError):  # of an unconnected datagram socket, which nevertheless wakes its reader
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()
