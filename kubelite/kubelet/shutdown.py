"""The node goes down: it takes no more pods, says so, and ends those it has, ordinary ones first, critical ones after them.

`compute_groups` is pure. Ended pods are Failed, with the reason Terminated: their controllers make others elsewhere. Source:
pkg/kubelet/nodeshutdown/nodeshutdown_manager.go, https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import anyio
import msgspec

from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.node import NodeActor
from kubelite.kubelet.observed import is_terminal
from kubelite.kubelet.pod_killer import grace_period_s
from kubelite.kubelet.pod_manager import PodManager

if TYPE_CHECKING:
    from kubelite.kubelet.pod_worker import PodWorker

MESSAGE = "Pod was terminated in response to imminent node shutdown."
NOT_READY = "node is shutting down"
_CRITICAL_PRIORITY = 2_000_000_000
#: What a status gets to reach the API when the time of its pod is over.
_TOLD_S = 2.0

log = get_logger(__name__)


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """How long everything may take, and the part of it that is kept for critical pods. Zero: pods are left as they are."""

    total_s: float = 0.0
    critical_s: float = 0.0


class Group(msgspec.Struct, frozen=True):
    """Pods that end together, within `period_s`."""

    period_s: float
    pods: tuple[Pod, ...]


def compute_groups(pods: Iterable[Pod], periods: Periods) -> list[Group]:
    """In the order in which they end; groups without pods take no time."""
    parts: tuple[list[Pod], list[Pod]] = ([], [])
    for pod in pods:
        parts[(pod.spec.priority or 0) >= _CRITICAL_PRIORITY].append(pod)
    lengths = (periods.total_s - periods.critical_s, periods.critical_s)
    return [Group(length, tuple(each)) for length, each in zip(lengths, parts, strict=True) if each]


class NodeShutdown:
    """Runs once."""

    def __init__(self, pods: PodManager, node: NodeActor, periods: Periods) -> None:
        self._pods = pods
        self._node = node
        self._periods = periods

    async def run(self) -> None:
        """Returns when the pods have ended, or their time is over."""
        if not self._periods.total_s:
            return
        self._pods.closing = NOT_READY
        self._node.shutting_down(NOT_READY)
        workers = {
            each.pod.metadata.uid: each for each in self._pods.workers() if not is_terminal(each.writer.last.phase)
        }
        log.info("Shutting the node down", pods=len(workers))
        for group in compute_groups((each.pod for each in workers.values()), self._periods):
            chosen = [workers[pod.metadata.uid] for pod in group.pods]
            for worker in chosen:
                worker.evict(_failure(worker.pod, group.period_s))
            with anyio.move_on_after(group.period_s + _TOLD_S) as deadline:
                await _ended(chosen)
            if deadline.cancelled_caught:
                log.warning("Pods did not end in time", pods=[each.name for each in chosen if not each.over.is_set()])


def _failure(pod: Pod, period_s: float) -> Failure:
    grace_s = min(grace_period_s(pod), period_s)
    return Failure("Terminated", MESSAGE, grace_s=grace_s, disruption=True, has_event=False)


async def _ended(workers: Iterable[PodWorker]) -> None:
    """Waits until they are over, and the API knows."""
    for worker in workers:
        await worker.over.wait()
        await worker.writer.drained()
