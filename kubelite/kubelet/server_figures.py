"""The kubelet's figures as its API tells them: the summary, and metrics of four kinds.

Source: pkg/kubelet/server/stats/handler.go, pkg/kubelet/server/server.go (InstallDefaultHandlers)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from kubelite.api.errors import ServiceUnavailable
from kubelite.api.query import Query, flag
from kubelite.kubelet import stats_metrics as metrics
from kubelite.kubelet.node_status import Machine
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.runtime import RuntimeFailed
from kubelite.kubelet.stats import Window
from kubelite.kubelet.stats_collector import StatsCollector
from kubelite.kubelet.stats_summary import Disk, Facts, brief_summary, compute_summary

JSON = "application/json"


class NodeTold:
    """`requests` counts those of the API by path and method."""

    def __init__(
        self,
        node: str,
        machine: Machine,
        *,
        pods: PodManager,
        stats: StatsCollector,
        requests: Mapping[tuple[str, str], int],
        started_at: float,
    ) -> None:
        self._node = node
        self._machine = machine
        self._pods = pods
        self._stats = stats
        self._requests = requests
        self._started_at = started_at

    async def answer(self, what: str, query: Query) -> tuple[bytes, str]:
        """(body, content type) of summary, metrics, resource, cadvisor or probes. Raises: ServiceUnavailable."""
        if what == "summary":
            return await self._summary(brief=flag(query, "only_cpu_and_memory"))
        return await self._metrics(what)

    async def _window(self) -> Window:
        try:
            return await self._stats.window()
        except (RuntimeFailed, OSError) as error:
            raise ServiceUnavailable(f"the node cannot be measured: {error}") from error

    async def _summary(self, *, brief: bool) -> tuple[bytes, str]:
        window = await self._window()
        processes, most = self._stats.processes()
        facts = Facts(
            node=self._node,
            started_at=self._started_at,
            memory_bytes=self._machine.memory_bytes,
            processes=processes,
            max_processes=most,
        )
        try:
            disk = await self._stats.disk() if not brief else Disk()
        except (RuntimeFailed, OSError) as error:
            raise ServiceUnavailable(f"the node's disk cannot be measured: {error}") from error
        found = compute_summary(window, facts, disk)
        return msgspec.json.encode(brief_summary(found) if brief else found), JSON

    async def _metrics(self, what: str) -> tuple[bytes, str]:
        if what == "metrics":
            body, type_ = metrics.render(metrics.state_families(self._state()), process=True)
        elif what == "probes":
            body, type_ = metrics.render(metrics.probe_families(self._probes()))
        elif what == "cadvisor":
            reading, machine = (await self._window()).newer, self._machine
            body, type_ = metrics.render(metrics.cadvisor_families(reading, machine.cpus, machine.memory_bytes))
        else:
            try:
                found = (await self._window()).newer
            except ServiceUnavailable:
                found = None
            body, type_ = metrics.render(metrics.resource_families(found))
        return body, type_

    def _state(self) -> metrics.NodeState:
        observed = [each.observed for each in self._pods.workers()]
        states = Counter(str(container.state) for each in observed for container in each.containers)
        running = sum(1 for each in observed if each.sandbox is not None and each.sandbox.ready)
        return metrics.NodeState(node=self._node, pods=running, containers=states, requests=self._requests)

    def _probes(self) -> Iterator[metrics.ProbeCount]:
        for worker in self._pods.workers():
            meta = worker.pod.metadata
            for (container, kind, result), count in worker.prober.counts.items():
                yield metrics.ProbeCount(
                    pod=meta.name,
                    pod_uid=meta.uid,
                    namespace=meta.namespace,
                    container=container,
                    kind=kind,
                    result=result,
                    count=count,
                )
