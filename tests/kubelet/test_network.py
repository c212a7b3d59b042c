"""The node's part of the pod network: repeatable, separate per instance, and gone after teardown."""

from __future__ import annotations

import re
import subprocess

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.kubelet.instance import link_prefix
from kubelite.kubelet.network import PodNetwork, teardown
from kubelite.kubelet.runtime import RuntimeFailed
from tests.images import bring_up_engine


def block() -> str:
    """The beginning of eight /24 networks that hardly anybody else uses just now; a third number is to be added to the last."""
    second, third = SystemClock().token(2)
    return f"10.{64 + second % 32}.{third & 0xF8}"


def within(block: str, number: int) -> str:
    """The beginning of one of the eight.

    >>> within("10.64.8", 3)
    '10.64.11'
    """
    head, _, third = block.rpartition(".")
    return f"{head}.{int(third) + number}"


async def shown(*command: str) -> str:
    return (await anyio.run_process(command, check=False)).stdout.decode()


async def test_setup_can_be_repeated_and_teardown_leaves_nothing() -> None:
    await bring_up_engine()
    instance = SystemClock().token(4).hex()
    prefix = link_prefix(instance)
    net = block()
    network = PodNetwork(instance=instance, pod_cidr=f"{net}.0/24")
    try:
        for _ in range(2):
            await network.setup()
        rules = await shown("iptables-save")
        assert len([line for line in rules.splitlines() if f"{prefix}+" in line]) == 3
        assert f"unreachable {net}.0/24" in await shown("ip", "route")
        assert f"inet {net}.1/32" in await shown("ip", "addr", "show", prefix)
        assert network.gateway == f"{net}.1"
    finally:
        assert await teardown(instance) == 1
    assert await teardown(instance) == 0
    assert prefix not in await shown("iptables-save")
    assert f"{net}.0" not in await shown("ip", "route")


async def test_two_instances_do_not_share_addresses() -> None:
    await bring_up_engine()
    clock = SystemClock()
    first, second, net = clock.token(4).hex(), clock.token(4).hex(), block()
    taken = within(net, 2)
    try:
        await PodNetwork(instance=first, pod_cidr=f"{taken}.0/24").setup()
        with pytest.raises(
            RuntimeFailed, match=rf"overlaps {re.escape(taken)}\.0/24.*{link_prefix(first)}.*--pod-cidr"
        ) as failure:
            await PodNetwork(instance=second, pod_cidr=f"{net}.0/21").setup()
        assert failure.value.reason == "NetworkNotReady"
        await PodNetwork(instance=second, pod_cidr=f"{within(net, 3)}.0/24").setup()
    finally:
        await teardown(first)
        await teardown(second)


async def test_a_pod_knows_its_router_and_the_host_its_pod() -> None:
    await bring_up_engine()
    instance = SystemClock().token(4).hex()
    net = block()
    network = PodNetwork(instance=instance, pod_cidr=f"{net}.0/24")
    async with await anyio.open_process(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"], stdin=subprocess.DEVNULL
    ) as pod:
        assert pod.stdout is not None
        await pod.stdout.receive()
        try:
            await network.setup()
            assert not network.is_attached("abcdef0123", f"{net}.9")
            await network.attach(pid=pod.pid, ip=f"{net}.9", sandbox_id="abcdef0123")
            assert network.is_attached("abcdef0123", f"{net}.9")
            assert not network.is_attached("abcdef0123", f"{net}.8")
            mac = "0a:58:" + ":".join(f"{int(each):02x}" for each in f"{net}.9".split("."))
            enter = ("nsenter", f"--net=/proc/{pod.pid}/ns/net", "ip")
            assert "default via 169.254.1.1 dev eth0" in await shown(*enter, "route")
            assert mac in await shown(*enter, "link", "show", "eth0")
            link = f"{link_prefix(instance)}abcdef0"
            assert f"{net}.9 dev {link}" in await shown("ip", "route")
            with pytest.raises(FileExistsError):
                await network.attach(pid=pod.pid, ip=f"{net}.9", sandbox_id="abcdef0123")
        finally:
            pod.kill()
            await teardown(instance)


async def test_attaching_a_dead_process_fails() -> None:
    network = PodNetwork(instance="00000000", pod_cidr="10.198.5.0/24")
    with pytest.raises(OSError):
        await network.attach(pid=0, ip="10.198.5.9", sandbox_id="abcdef0123")
