"""The node's part of the pod network: repeatable, separate per instance, and gone after teardown."""

from __future__ import annotations

import subprocess

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.kubelet.instance import link_prefix
from kubelite.kubelet.network import PodNetwork, teardown
from kubelite.kubelet.runtime import RuntimeFailed
from tests.images import bring_up_engine


async def shown(*command: str) -> str:
    return (await anyio.run_process(command, check=False)).stdout.decode()


async def test_setup_can_be_repeated_and_teardown_leaves_nothing() -> None:
    await bring_up_engine()
    instance = SystemClock().token(4).hex()
    prefix = link_prefix(instance)
    network = PodNetwork(instance=instance, pod_cidr="10.198.1.0/24")
    try:
        for _ in range(2):
            await network.setup()
        rules = await shown("iptables-save")
        assert len([line for line in rules.splitlines() if f"{prefix}+" in line]) == 3
        assert "unreachable 10.198.1.0/24" in await shown("ip", "route")
        assert "inet 10.198.1.1/32" in await shown("ip", "addr", "show", prefix)
        assert network.gateway == "10.198.1.1"
    finally:
        assert await teardown(instance) == 1
    assert await teardown(instance) == 0
    assert prefix not in await shown("iptables-save")
    assert "10.198.1.0" not in await shown("ip", "route")


async def test_two_instances_do_not_share_addresses() -> None:
    await bring_up_engine()
    clock = SystemClock()
    first, second = clock.token(4).hex(), clock.token(4).hex()
    try:
        await PodNetwork(instance=first, pod_cidr="10.198.2.0/24").setup()
        with pytest.raises(
            RuntimeFailed, match=rf"overlaps 10\.198\.2\.0/24.*{link_prefix(first)}.*--pod-cidr"
        ) as failure:
            await PodNetwork(instance=second, pod_cidr="10.198.0.0/16").setup()
        assert failure.value.reason == "NetworkNotReady"
        await PodNetwork(instance=second, pod_cidr="10.198.3.0/24").setup()
    finally:
        await teardown(first)
        await teardown(second)


async def test_a_pod_knows_its_router_and_the_host_its_pod() -> None:
    await bring_up_engine()
    instance = SystemClock().token(4).hex()
    network = PodNetwork(instance=instance, pod_cidr="10.198.4.0/24")
    async with await anyio.open_process(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"], stdin=subprocess.DEVNULL
    ) as pod:
        assert pod.stdout is not None
        await pod.stdout.receive()
        try:
            await network.setup()
            assert not network.is_attached("abcdef0123", "10.198.4.9")
            await network.attach(pid=pod.pid, ip="10.198.4.9", sandbox_id="abcdef0123")
            assert network.is_attached("abcdef0123", "10.198.4.9")
            assert not network.is_attached("abcdef0123", "10.198.4.8")
            enter = ("nsenter", f"--net=/proc/{pod.pid}/ns/net", "ip")
            assert "default via 169.254.1.1 dev eth0" in await shown(*enter, "route")
            assert "0a:58:0a:c6:04:09" in await shown(*enter, "link", "show", "eth0")
            link = f"{link_prefix(instance)}abcdef0"
            assert f"10.198.4.9 dev {link}" in await shown("ip", "route")
            with pytest.raises(FileExistsError):
                await network.attach(pid=pod.pid, ip="10.198.4.9", sandbox_id="abcdef0123")
        finally:
            pod.kill()
            await teardown(instance)


async def test_attaching_a_dead_process_fails() -> None:
    network = PodNetwork(instance="00000000", pod_cidr="10.198.5.0/24")
    with pytest.raises(OSError):
        await network.attach(pid=0, ip="10.198.5.9", sandbox_id="abcdef0123")
