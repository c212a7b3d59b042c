"""What a daemon has on the machine, and waiting until it is gone: told by the kernel and the engine, not by looking again."""

from __future__ import annotations

import http.client
import os
import select
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from kubelite.kubelet.instance import instance_id, link_prefix
from tests.e2e.daemon import Daemon

_ENGINE = "/var/run/docker.sock"
#: Netlink families and their multicast groups. Source: linux/rtnetlink.h, linux/netfilter/nfnetlink.h
_ROUTE, _LINKS_AND_ROUTES = 0, 0x1 | 0x40
_NETFILTER, _NFTABLES = 12, 1 << 6


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def containers(daemon: Daemon, *words: str) -> list[str]:
    """The ids of everything that the daemon has on the engine, sandboxes included."""
    return docker("ps", "-q", *words, "--filter", f"label=kubelite.io/instance={instance_id(daemon.data_dir)}").split()


def leftovers(daemon: Daemon) -> list[str]:
    """What a daemon without pods still has on the machine and should not have."""
    instance = instance_id(daemon.data_dir)
    links = [each for each in os.listdir("/sys/class/net") if each.startswith(link_prefix(instance))]
    rules = subprocess.run(
        ["nft", "list", "table", "ip", f"kubelite_{instance}"], check=False, capture_output=True, text=True
    ).stdout
    network = str(daemon.get("nodes")["items"][0]["spec"]["podCIDR"]).rsplit(".", 2)[0]
    routes = subprocess.run(["ip", "-4", "route"], check=False, capture_output=True, text=True).stdout.splitlines()
    return [
        *containers(daemon, "-a"),
        *(link for link in links if link != link_prefix(instance)),
        *(line for line in routes if line.startswith(f"{network}.") and f"{link_prefix(instance)}_" in line),
        *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{daemon.data_dir}/pods/" in line),
        *_cgroups(instance),
        *os.listdir(daemon.data_dir / "pods"),
        *(line.strip() for line in rules.splitlines() if f"{network}." in line and "hairpin" in line),
    ]


def until_nothing_is_left(daemon: Daemon, within_s: float = 20) -> None:
    """To be called when the API has no pods any more, and each had a grace period: then only what goes by itself is left,

    interfaces some time after their namespace, rules some time after their Service.
    """
    deadline = time.monotonic() + within_s
    with _multicast(_ROUTE, _LINKS_AND_ROUTES) as links, _multicast(_NETFILTER, _NFTABLES) as rules:
        while (left := leftovers(daemon)) and (left_s := deadline - time.monotonic()) > 0:
            for changed in select.select([links, rules], [], [], left_s)[0]:
                with suppress(OSError):  # so much changed that some of it was dropped
                    changed.recv(65536)
    assert left == []


def until_removed(*ids: str, within_s: float = 20) -> None:
    """A pod that is deleted without grace is gone from the API before its containers are."""
    for each in ids:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(within_s)
        connection.sock.connect(_ENGINE)
        connection.request("POST", f"/v1.41/containers/{each}/wait?condition=removed")
        with connection.getresponse() as answer:
            answer.read()  # 404 is as good: gone already
        connection.close()


def _multicast(family: int, groups: int) -> socket.socket:
    """Hears what changes in the kernel from now on."""
    heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    heard.bind((0, groups))
    return heard


def _cgroups(instance: str) -> list[str]:
    """The pods' cgroups; they vanish while they are walked."""
    return [
        directory
        for directory, _, _ in os.walk("/sys/fs/cgroup")
        if f"/kubelite-{instance}/kubepods/" in directory and Path(directory).name.startswith("pod")
    ]
