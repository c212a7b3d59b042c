"""Rates between readings, and what is made of them: figures, the summary, metrics."""

from __future__ import annotations

import pytest

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import ObjectMeta
from kubelite.kubelet.runtime import ContainerStats, GroupUsage
from kubelite.kubelet.stats import (
    ContainerReading,
    PodReading,
    Reading,
    Window,
    compute_figures,
    compute_rates,
    rate_nanocores,
)
from kubelite.kubelet.stats_cgroups import Interface
from kubelite.kubelet.stats_host import FileSystem
from kubelite.kubelet.stats_metrics import cadvisor_families, render, resource_families
from kubelite.kubelet.stats_summary import Disk, Facts, brief_summary, compute_summary
from kubelite.kubelet.storage import DiskUse

SECOND = 1_000_000_000
POD = Pod(metadata=ObjectMeta(name="web", namespace="default", uid="u-1"))


def container(used_ns: int, *, id_: str = "c1", started_at: float = 0.0, memory: int = 100) -> ContainerReading:
    usage = ContainerStats(container_id=id_, at=0.0, cpu_usage_ns=used_ns, memory_working_set_bytes=memory)
    return ContainerReading(name="app", image="busybox", started_at=started_at, usage=usage)


def reading(
    at: float, *containers: ContainerReading, group_ns: int | None = None, node_ns: int | None = None
) -> Reading:
    group = GroupUsage(cpu_usage_ns=group_ns, memory_working_set_bytes=150) if group_ns is not None else None
    eth0 = (Interface(name="eth0", rx_bytes=7, rx_errors=0, tx_bytes=8, tx_errors=0),)
    pod = PodReading(pod=POD, started_at=1.0, containers=containers, group=group, interfaces=eth0)
    return Reading(at=at, pods=(pod,), node=GroupUsage(cpu_usage_ns=node_ns) if node_ns is not None else None)


def test_a_rate_is_the_use_between_two_readings() -> None:
    window = Window(
        reading(100, container(2 * SECOND), group_ns=3 * SECOND, node_ns=50 * SECOND),
        reading(110, container(7 * SECOND), group_ns=9 * SECOND, node_ns=70 * SECOND),
    )
    rates = compute_rates(window)
    assert rates.containers == {"c1": SECOND // 2}
    assert rates.pods == {"u-1": 600_000_000}
    assert rates.node == 2 * SECOND


def test_a_container_that_began_within_the_window_is_measured_from_its_start() -> None:
    window = Window(reading(100), reading(110, container(SECOND, started_at=108.0)))
    assert compute_rates(window).containers == {"c1": SECOND // 2}
    (pod,) = compute_figures(window).pods
    assert pod.window_s == 2.0


def test_a_container_that_was_restarted_has_no_past() -> None:
    window = Window(
        reading(100, container(90 * SECOND)), reading(110, container(SECOND, id_="c2", started_at=109.0, memory=7))
    )
    (pod,) = compute_figures(window).pods
    assert pod.containers["app"].cpu_nanocores == SECOND
    assert pod.containers["app"].memory_bytes == 7


def test_without_groups_of_its_own_a_pod_and_a_node_are_the_sum_of_their_parts() -> None:
    figures = compute_figures(Window(reading(0, container(0)), reading(1, container(SECOND))))
    assert (figures.use.cpu_nanocores, figures.use.memory_bytes) == (SECOND, 100)


@pytest.mark.parametrize(("newer", "seconds"), [(0, 1.0), (5, 0.0), (5, -1.0)])
def test_no_rate_is_negative_or_of_no_time(newer: int, seconds: float) -> None:
    assert rate_nanocores(newer, 3, seconds) == (0 if seconds <= 0 or newer < 3 else newer)


def test_a_pod_without_containers_has_no_figures() -> None:
    assert compute_figures(Window(reading(0), reading(1))).pods == ()


def test_the_summary_tells_nodes_pods_containers_and_volumes() -> None:
    window = Window(reading(0, container(0), group_ns=0), reading(1, container(SECOND), group_ns=SECOND))
    disk = Disk(
        node=FileSystem(capacity_bytes=1000, available_bytes=400, inodes=10, inodes_free=4),
        writable={"c1": 30},
        volumes={"u-1": {"cache": DiskUse(12, 2)}},
    )
    found = compute_summary(window, Facts(node="node-1", started_at=0.0, memory_bytes=1000, max_processes=9), disk)
    assert found["node"]["fs"]["usedBytes"] == 600
    assert found["node"]["memory"]["availableBytes"] == 1000 - 150
    (pod,) = found["pods"]
    assert pod["podRef"] == {"name": "web", "namespace": "default", "uid": "u-1"}
    assert pod["cpu"]["usageNanoCores"] == SECOND
    assert pod["network"]["rxBytes"] == 7
    assert pod["ephemeral-storage"]["usedBytes"] == 42
    (volume,) = pod["volume"]
    assert (volume["name"], volume["usedBytes"], volume["inodesUsed"]) == ("cache", 12, 2)
    assert pod["containers"][0]["rootfs"]["usedBytes"] == 30


def test_a_brief_summary_tells_cpu_and_memory_alone() -> None:
    window = Window(reading(0, container(0)), reading(1, container(SECOND)))
    found = brief_summary(compute_summary(window, Facts(node="node-1", started_at=0.0, memory_bytes=1000), Disk()))
    assert set(found["node"]) == {"nodeName", "startTime", "cpu", "memory"}
    (pod,) = found["pods"]
    assert set(pod) == {"podRef", "startTime", "cpu", "memory", "containers"}
    assert set(pod["containers"][0]) == {"name", "startTime", "cpu", "memory"}


def test_metrics_carry_upstreams_names_and_the_time_of_the_reading() -> None:
    body, _ = render(resource_families(reading(2.0, container(3 * SECOND, started_at=1.5))))
    lines = body.decode().splitlines()
    assert 'container_cpu_usage_seconds_total{container="app",namespace="default",pod="web"} 3.0 2000' in lines
    assert 'pod_memory_working_set_bytes{namespace="default",pod="web"} 100.0 2000' in lines
    assert 'container_start_time_seconds{container="app",namespace="default",pod="web"} 1.5' in lines
    assert "resource_scrape_error 0.0" in lines


def test_what_cannot_be_measured_is_told() -> None:
    assert b"resource_scrape_error 1.0" in render(resource_families(None))[0]


def test_cadvisors_metrics_tell_container_and_network() -> None:
    text = render(cadvisor_families(reading(2.0, container(SECOND)), 4, 1 << 30))[0].decode()
    assert "machine_cpu_cores 4.0" in text
    assert (
        'container_memory_working_set_bytes{container="app",id="/podu-1/c1",image="busybox",name="c1",'
        'namespace="default",pod="web"} 100.0 2000'
    ) in text
    assert (
        'container_network_receive_bytes_total{id="/podu-1",interface="eth0",namespace="default",pod="web"} 7.0' in text
    )
