"""The kubelet's figures in Prometheus' text format, under upstream's names: /metrics, and below it resource, cadvisor, probes.

Source: https://kubernetes.io/docs/reference/instrumentation/metrics/, pkg/kubelet/metrics/collectors/resource_metrics.go,
pkg/kubelet/prober/prober_manager.go, github.com/google/cadvisor docs/storage/prometheus.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from kubelite.kubelet.runtime import GroupUsage
from kubelite.kubelet.stats import PodReading, Reading, node_usage, pod_usage

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

#: (name, help, field, divisor) of counters, then of gauges.
_COUNTERS = (
    ("container_cpu_usage_seconds", "Cumulative cpu time consumed in seconds.", "cpu_usage_ns", 1e9),
    ("container_cpu_cfs_periods", "Number of elapsed enforcement period intervals.", "cpu_periods", 1),
    ("container_cpu_cfs_throttled_periods", "Number of throttled period intervals.", "cpu_throttled_periods", 1),
    ("container_cpu_cfs_throttled_seconds", "Total time duration that was throttled.", "cpu_throttled_ns", 1e9),
)
_GAUGES = (
    ("container_memory_usage_bytes", "Current memory usage in bytes, all memory.", "memory_usage_bytes"),
    ("container_memory_working_set_bytes", "Current working set in bytes.", "memory_working_set_bytes"),
    ("container_memory_rss", "Size of RSS in bytes.", "memory_rss_bytes"),
    ("container_memory_cache", "Number of bytes of page cache memory.", "memory_cache_bytes"),
    ("container_spec_memory_limit_bytes", "Memory limit; 0: none.", "memory_limit_bytes"),
    ("container_processes", "Number of processes.", "processes"),
)
_NETWORK = (
    ("container_network_receive_bytes", "Cumulative count of bytes received.", "rx_bytes"),
    ("container_network_receive_errors", "Cumulative count of errors while receiving.", "rx_errors"),
    ("container_network_transmit_bytes", "Cumulative count of bytes transmitted.", "tx_bytes"),
    ("container_network_transmit_errors", "Cumulative count of errors while transmitting.", "tx_errors"),
)
_LABELS = ("container", "id", "image", "name", "namespace", "pod")


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What /metrics tells: how many pods run, and containers by their state; how many requests, by path and method."""

    node: str
    pods: int
    containers: Mapping[str, int]
    requests: Mapping[tuple[str, str], int]


class ProbeCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a container's probe of a kind ended so. `result`: successful | failed | unknown."""

    pod: str
    pod_uid: str
    namespace: str
    container: str
    kind: str
    result: str
    count: int


def render(families: Iterable[Metric], *, process: bool = False) -> tuple[bytes, str]:
    """(text, content type)."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    class Collected:
        def collect(self) -> Iterator[Metric]:
            yield from families

    registry = CollectorRegistry()
    registry.register(Collected())
    if process:
        ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def state_families(state: NodeState) -> Iterator[Metric]:
    node = _gauge("kubelet_node_name", "The node's name. The count is always 1.", ("node",))
    node.add_metric((state.node,), 1)
    yield node
    pods = _gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", ())
    pods.add_metric((), state.pods)
    yield pods
    containers = _gauge("kubelet_running_containers", "Number of containers currently running", ("container_state",))
    for name, count in state.containers.items():
        containers.add_metric((name,), count)
    yield containers
    requests = _counter("kubelet_http_requests", "Number of the http requests received", ("method", "path"))
    for (path, method), count in state.requests.items():
        requests.add_metric((method, path), count)
    yield requests


def probe_families(counts: Iterable[ProbeCount]) -> Iterator[Metric]:
    labels = ("container", "namespace", "pod", "pod_uid", "probe_type", "result")
    family = _counter("prober_probe", "Number of probes of a container, by their result.", labels)
    for each in counts:
        kind = each.kind.capitalize()
        family.add_metric((each.container, each.namespace, each.pod, each.pod_uid, kind, each.result), each.count)
    yield family


def resource_families(reading: Reading | None) -> Iterator[Metric]:
    """None: the node could not be measured."""
    if reading is not None:
        at, node = reading.at, node_usage(reading)
        cpu = _counter("node_cpu_usage_seconds", "Cumulative cpu time consumed by the node in core-seconds", ())
        cpu.add_metric((), node.cpu_usage_ns / 1e9, timestamp=at)
        yield cpu
        memory = _gauge("node_memory_working_set_bytes", "Current working set of the node in bytes", ())
        memory.add_metric((), node.memory_working_set_bytes, timestamp=at)
        yield memory
        yield from _resource_containers(reading)
        yield from _resource_pods(reading)
    for name in ("scrape_error", "resource_scrape_error"):
        error = _gauge(name, "1 if there was an error while getting container metrics, 0 otherwise", ())
        error.add_metric((), 0 if reading is not None else 1)
        yield error


def _resource_containers(reading: Reading) -> Iterator[Metric]:
    labels = ("container", "namespace", "pod")
    cpu = _counter("container_cpu_usage_seconds", "Cumulative cpu time consumed by the container", labels)
    memory = _gauge("container_memory_working_set_bytes", "Current working set of the container in bytes", labels)
    started = _gauge("container_start_time_seconds", "Start time of the container since unix epoch", labels)
    for pod in reading.pods:
        for each in pod.containers:
            of = (each.name, pod.pod.metadata.namespace, pod.pod.metadata.name)
            cpu.add_metric(of, each.usage.cpu_usage_ns / 1e9, timestamp=reading.at)
            memory.add_metric(of, each.usage.memory_working_set_bytes, timestamp=reading.at)
            started.add_metric(of, each.started_at)
    yield from (cpu, memory, started)


def _resource_pods(reading: Reading) -> Iterator[Metric]:
    labels = ("namespace", "pod")
    cpu = _counter("pod_cpu_usage_seconds", "Cumulative cpu time consumed by the pod in core-seconds", labels)
    memory = _gauge("pod_memory_working_set_bytes", "Current working set of the pod in bytes", labels)
    for pod in reading.pods:
        if pod.containers:
            of, usage = (pod.pod.metadata.namespace, pod.pod.metadata.name), pod_usage(pod)
            cpu.add_metric(of, usage.cpu_usage_ns / 1e9, timestamp=reading.at)
            memory.add_metric(of, usage.memory_working_set_bytes, timestamp=reading.at)
    yield from (cpu, memory)


def cadvisor_families(reading: Reading, cpus: int, memory_bytes: int) -> Iterator[Metric]:
    """Machine, pods and containers; the machine's id is /."""
    for name, text, number in (
        ("machine_cpu_cores", "Number of logical CPU cores.", cpus),
        ("machine_memory_bytes", "Amount of memory installed on the machine.", memory_bytes),
    ):
        machine = _gauge(name, text, ())
        machine.add_metric((), number)
        yield machine
    groups = list(_groups(reading))
    for name, text, field, divisor in _COUNTERS:
        labels = (*_LABELS, "cpu") if field == "cpu_usage_ns" else _LABELS
        counter = _counter(name, text, labels)
        for of, usage in groups:
            more = ("total",) if field == "cpu_usage_ns" else ()
            counter.add_metric((*of, *more), getattr(usage, field) / divisor, timestamp=reading.at)
        yield counter
    for name, text, field in _GAUGES:
        gauge = _gauge(name, text, _LABELS)
        for of, usage in groups:
            gauge.add_metric(of, getattr(usage, field), timestamp=reading.at)
        yield gauge
    for name, text, field in _NETWORK:
        network = _counter(name, text, ("id", "interface", "namespace", "pod"))
        for pod in reading.pods:
            for each in pod.interfaces:
                of_pod = (f"/pod{pod.pod.metadata.uid}", each.name, pod.pod.metadata.namespace, pod.pod.metadata.name)
                network.add_metric(of_pod, getattr(each, field), timestamp=reading.at)
        for each in reading.interfaces:
            network.add_metric(("/", each.name, "", ""), getattr(each, field), timestamp=reading.at)
        yield network


def _groups(reading: Reading) -> Iterator[tuple[tuple[str, ...], GroupUsage]]:
    """(labels, usage)."""
    yield ("", "/", "", "", "", ""), node_usage(reading)
    for pod in reading.pods:
        yield _of_pod(pod), pod_usage(pod)
        meta = pod.pod.metadata
        for each in pod.containers:
            id_ = f"/pod{meta.uid}/{each.usage.container_id}"
            yield (each.name, id_, each.image, each.usage.container_id, meta.namespace, meta.name), each.usage


def _of_pod(pod: PodReading) -> tuple[str, ...]:
    meta = pod.pod.metadata
    return ("", f"/pod{meta.uid}", "", "", meta.namespace, meta.name)


def _gauge(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, labels=labels)


def _counter(name: str, text: str, labels: tuple[str, ...]) -> CounterMetricFamily:
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, text, labels=labels)
