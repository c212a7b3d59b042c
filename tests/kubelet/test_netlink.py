"""The messages do what they say, seen through the kernel in a network namespace of the test's own."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelite.kubelet import netlink


@pytest.fixture
def namespace() -> Iterator[str]:
    """The path of an empty network namespace, held by a process that does nothing."""
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"/proc/{process.pid}/ns/net"
        process.kill()


def shown(namespace: str, *command: str) -> str:
    return subprocess.run(
        ["nsenter", f"--net={namespace}", *command], check=True, capture_output=True, text=True
    ).stdout


def test_a_bridge_is_born_up_and_carries_an_alias_and_an_address(namespace: str) -> None:
    with netlink.RouteSocket(namespace) as host:
        host.send(netlink.add_bridge("br9"))
        index = host.index("br9")
        host.send(netlink.add_address(index, "10.9.0.1", 32), netlink.set_alias(index, "a note"))
        assert netlink.Link(index, "br9", "a note") in host.links()
        host.send(netlink.delete_link("br9"))
        assert [link.name for link in host.links()] == ["lo"]


def test_routes_lead_over_a_link_or_nowhere(namespace: str) -> None:
    with netlink.RouteSocket(namespace) as host:
        host.send(netlink.add_bridge("br9"))
        index = host.index("br9")
        for _ in range(2):  # every message but the links' can be repeated
            host.send(
                netlink.add_address(index, "10.9.0.1", 32),
                netlink.add_unreachable("10.9.0.0/24"),
                netlink.add_route("10.9.0.7/32", index=index, source="10.9.0.1"),
                netlink.add_neighbor(index, "10.9.0.7", b"\x0a\x58\x0a\x09\x00\x07"),
            )
        routes = {line.strip() for line in shown(namespace, "ip", "route").splitlines()}
        assert any(line.startswith("unreachable 10.9.0.0/24") for line in routes)
        assert any(line.startswith("10.9.0.7 dev br9") and "src 10.9.0.1" in line for line in routes)
        assert "lladdr 0a:58:0a:09:00:07 PERMANENT" in shown(namespace, "ip", "neigh")
        host.send(netlink.delete_unreachable("10.9.0.0/24"))
        assert "unreachable" not in shown(namespace, "ip", "route")


def test_the_peer_of_a_pair_is_born_in_the_other_namespace(namespace: str) -> None:
    netns = os.open(namespace, os.O_RDONLY)
    name = f"klt{os.getpid():x}"
    try:
        with netlink.RouteSocket() as host, netlink.RouteSocket(namespace) as pod:
            host.send(
                netlink.add_veth(
                    name, mac=b"\xee" * 6, peer="eth0", peer_mac=b"\x0a\x58\0\0\0\1", peer_netns_fd=netns, mtu=1400
                )
            )
            assert "eth0" in [link.name for link in pod.links()]
            assert "mtu 1400" in shown(namespace, "ip", "link", "show", "eth0")
            host.send(netlink.delete_link(name))
    finally:
        os.close(netns)


def test_a_refused_message_raises_the_kernels_errno(namespace: str) -> None:
    with netlink.RouteSocket(namespace) as host:
        host.send(netlink.add_bridge("br9"))
        with pytest.raises(FileExistsError):
            host.send(netlink.add_bridge("br9"))
        with pytest.raises(OSError) as failure:
            host.index("nosuch")
        assert failure.value.errno == errno.ENODEV


def test_a_call_in_another_namespace_leaves_this_thread_where_it_was(namespace: str) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()

    def namespace_of_thread() -> Path:
        return Path("/proc/thread-self/ns/net").readlink()

    assert netlink.run_in_netns(namespace, namespace_of_thread) == Path(namespace).readlink() != before
    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_a_missing_namespace_is_an_error_of_the_caller() -> None:
    with pytest.raises(FileNotFoundError):
        netlink.run_in_netns("/proc/0/ns/net", socket.socket)
