"""Writes one pod's status to the API, newest last, without ever holding up its worker.

What waits is coalesced, except that no transition is lost: a status that differs in phase, readiness or a container's state is
written even if a newer one waits already. Conditions of others are taken from the object that is written to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
from msgspec.structs import replace

from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod, PodCondition, PodStatus
from kubelite.api.errors import Conflict, NotFound, StatusError
from kubelite.client.interface import Client
from kubelite.kubelet.pod_conditions import DISRUPTED, OWNED

MAX_WAITING = 16

Mirror = Callable[[], Pod | None]

log = get_logger(__name__)


def transition(status: PodStatus) -> tuple[object, ...]:
    """What no reader may miss a change of."""
    ready = next((each.status for each in status.conditions if each.type == "Ready"), "")
    states = tuple(
        (
            each.name,
            each.restart_count,
            each.ready,
            each.started,
            each.state.running is not None,
            each.state.terminated is not None,
            each.state.waiting.reason if each.state.waiting else "",
        )
        for each in (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)
    )
    return (status.phase, status.reason, ready, status.pod_ip, states)


def merged(base: PodStatus, own: PodStatus) -> PodStatus:
    """`own`, with what others write kept from `base`."""
    mine = tuple(each for each in own.conditions if each.type in OWNED or _ended_by_kubelet(each))
    types = {each.type for each in mine}
    others = tuple(each for each in base.conditions if each.type not in OWNED and each.type not in types)
    return replace(
        own,
        conditions=others + mine,
        nominated_node_name=base.nominated_node_name,
        resize=base.resize,
        resource_claim_statuses=base.resource_claim_statuses,
    )


def _ended_by_kubelet(condition: PodCondition) -> bool:
    return condition.type == DISRUPTED and condition.reason == "TerminationByKubelet"


class StatusWriter:
    """`write` queues; `run` is a task of the pod's worker; `drained` waits until all is written."""

    def __init__(self, pod: Pod, client: Client, clock: Clock, mirror: Mirror | None = None) -> None:
        """`mirror`: the object to write to, where that is not the pod itself; None while it does not exist."""
        self._base = pod
        self._mirror = mirror
        self._client = client
        self._clock = clock
        self._waiting: deque[PodStatus] = deque()
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        self._idle.set()
        self.last = pod.status  #: what was given to be written last

    def rebase(self, pod: Pod) -> None:
        """A newer state of the object arrived."""
        self._base = pod

    def write_again(self) -> None:
        """The mirror is new and knows nothing."""
        status, self.last = self.last, PodStatus()
        self.write(status)

    def write(self, status: PodStatus) -> None:
        if status == self.last:
            return
        crowded = len(self._waiting) >= MAX_WAITING
        if self._waiting and (crowded or transition(self._waiting[-1]) == transition(status)):
            self._waiting.pop()
        self._waiting.append(status)
        self.last = status
        self._idle = anyio.Event()
        self._wake.set()

    async def drained(self) -> None:
        while self._waiting or not self._idle.is_set():
            await self._idle.wait()

    async def run(self) -> None:
        backoff = Backoff(base_s=0.02, cap_s=10.0)
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._waiting:
                status = self._waiting.popleft()
                try:
                    await self._put(status)
                except NotFound:
                    self._waiting.clear()
                except (StatusError, OSError) as error:
                    log.warning("Failed to write pod status", pod=self._base.metadata.name, error=str(error))
                    self._waiting.appendleft(status)
                    await self._clock.sleep(backoff.next())
                else:
                    backoff.forget()
            self._idle.set()

    async def _put(self, status: PodStatus) -> None:
        """Raises: StatusError other than Conflict; NotFound also when a successor has the name."""
        while True:
            base = self._base if self._mirror is None else self._mirror()
            if base is None:
                raise NotFound(f'pods "{self._base.metadata.name}" not found')
            try:
                written = replace(base, status=merged(base.status, status))
                result = await self._client.update(written, subresource="status")
                if self._mirror is None:
                    self._base = result
                return
            except Conflict:
                if self._mirror is not None:
                    raise
                meta = base.metadata
                fresh = await self._client.get(Pod, meta.name, meta.namespace)
                if fresh.metadata.uid != meta.uid:
                    raise NotFound(f'pods "{meta.name}" not found') from None
                self._base = fresh
