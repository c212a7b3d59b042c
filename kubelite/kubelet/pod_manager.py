"""Which pods this node runs: one worker per pod, started, told and supervised here.

At start it adopts what the runtime has: a pod that the API still binds to this node gets a worker, which finds its containers
running and leaves them alone; everything else of this node's is removed. A worker that fails is started again with back-off and
does the same: no other pod notices. (Beside the supervisor and the host this is the third place that catches every exception:
it supervises actors that come and go with their pods.)
Source: pkg/kubelet/kubelet_pods.go (HandlePodCleanups)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kubelite.actor.backoff import Backoff
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.api.errors import StatusError
from kubelite.api.meta import Object
from kubelite.kubelet.eviction import compute_refusal
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.node_status import Health
from kubelite.kubelet.observed import ObservedPod, is_static, is_terminal
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_admission import compute_rejection
from kubelite.kubelet.runtime import RuntimeEvent, RuntimeFailed

if TYPE_CHECKING:
    from kubelite.kubelet.pod_worker import PodWorker

#: What containers get whose pod nobody knows. Source: pkg/kubelet/kubelet_pods.go
ORPHAN_GRACE_S = 2.0

log = get_logger(__name__)


class Feed(Protocol):
    """Objects of one kind, as an informer gives them."""

    def subscribe(self, handler: Callable[[Any, Any], None]) -> None: ...
    def unsubscribe(self, handler: Callable[[Any, Any], None]) -> None: ...


class PodManager:
    """`pods` gives exactly the pods bound to this node; `configs` are the feeds of ConfigMaps and Secrets."""

    def __init__(self, parts: Parts, *, pods: Feed, configs: Sequence[Feed]) -> None:
        self.name = "pods"
        self._parts = parts
        self._pods = pods
        self._configs = tuple(configs)
        self._workers: dict[str, PodWorker] = {}
        self._users: dict[tuple[str, str, str], set[str]] = {}  # (kind, namespace, name) to pod uids
        self.health = Health()  #: of the node, as reported last
        self.closing = ""  #: why no more pods are taken, ever
        self._group: TaskGroup | None = None
        self._relist = anyio.Event()

    def worker_of(self, namespace: str, name: str) -> PodWorker | None:
        """The newest pod of that name."""
        found = [
            each
            for each in self._workers.values()
            if each.pod.metadata.name == name and each.pod.metadata.namespace == namespace
        ]
        return found[-1] if found else None

    def pods(self) -> list[Pod]:
        """All pods of the node, as their workers know them."""
        return [worker.pod for worker in self._workers.values()]

    def wake(self) -> None:
        """Every pod is looked at again."""
        for worker in self._workers.values():
            worker.wake()

    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self._parts.pleg.subscribe(self._hear)
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                for sandboxes in (await self._observe_all()).values():
                    for sandbox in sandboxes.sandboxes:
                        if sandbox.ip and sandbox.ready:
                            self._parts.addresses.claim(sandbox.ip)
                self._pods.subscribe(self._on_pod)
                for feed in self._configs:
                    feed.subscribe(self._on_config)
                task_status.started()
                while True:
                    await self._remove_orphans()
                    await self._relist.wait()
                    self._relist = anyio.Event()
        finally:
            self._pods.unsubscribe(self._on_pod)
            for feed in self._configs:
                feed.unsubscribe(self._on_config)
            self._workers.clear()
            self._group = None

    async def _observe_all(self) -> dict[str, ObservedPod]:
        """Waits for the runtime if need be."""
        backoff = Backoff(base_s=0.1, cap_s=5.0)
        while True:
            try:
                return await self._parts.pleg.observe_all()
            except RuntimeFailed as error:
                log.warning("Runtime did not list its pods", error=error.message)
                await self._parts.clock.sleep(backoff.next())

    def _hear(self, event: RuntimeEvent) -> None:
        if not event.pod_uid:
            self._relist.set()
            for worker in self._workers.values():
                worker.hear(event)
        elif (concerned := self._workers.get(event.pod_uid)) is not None:
            concerned.hear(event)

    def _on_pod(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or self._group is None:
            return
        if old is not None and new is not None and old.metadata.uid != new.metadata.uid:
            self._on_pod(old, None)
        uid = pod.metadata.uid
        known = self._workers.get(uid)
        if new is None:
            if known is not None:
                known.remove()
            return
        self._note_references(new)
        if known is not None:
            known.update(new)
        else:
            self._group.start_soon(self._supervise, self._employ(new, self._rejection(new)))

    def _employ(self, pod: Pod, rejection: Failure | None = None) -> PodWorker:
        from kubelite.kubelet.pod_worker import PodWorker  # with a node's first pod: an empty cluster starts without it

        uid = pod.metadata.uid
        worker = self._workers[uid] = PodWorker(pod, self._parts, partial(self._neighbours, uid), rejection)
        return worker

    def _rejection(self, pod: Pod) -> Failure | None:
        """Why a pod that has not been taken yet is not."""
        if pod.status.start_time or pod.metadata.deletion_timestamp is not None or is_static(pod):
            return None
        if self.closing:
            return Failure("NodeShutdown", f"Pod was rejected as the {self.closing}.")
        if refusal := compute_refusal(pod, self.health):
            return refusal
        return compute_rejection(pod, self._neighbours(pod.metadata.uid), self._parts.node.allocatable)

    def _neighbours(self, uid: str) -> list[Pod]:
        """The other pods of the node that are not over, with the resources that they were granted."""
        others = (each for other, each in self._workers.items() if other != uid and each.failure is None)
        return [each.pod for each in others if not is_terminal(each.writer.last.phase)]

    def _note_references(self, pod: Pod) -> None:
        for kind, name in _references(pod):
            self._users.setdefault((kind, pod.metadata.namespace, name), set()).add(pod.metadata.uid)

    def _on_config(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        for uid in self._users.get((obj.kind, obj.metadata.namespace, obj.metadata.name), ()):
            if (worker := self._workers.get(uid)) is not None:
                worker.config_changed()

    async def _supervise(self, worker: PodWorker) -> None:
        backoff = Backoff(base_s=0.2, cap_s=60.0)
        uid = worker.pod.metadata.uid
        while True:
            try:
                await worker.run()
                break
            except Exception as error:  # one pod's failure stays its own, see above
                delay = backoff.next()
                log.error("Restarting pod worker", pod=worker.name, delay_s=delay, exc_info=error)
            await self._parts.clock.sleep(delay)
            gone = worker.removed
            worker = self._employ(worker.grant.asked)
            if gone:
                worker.remove()
        del self._workers[uid]
        for other in self._workers.values():
            if other.grant.condition is not None:
                other.wake()  # there may be room for it now
        for kind, name in _references(worker.pod):
            users = self._users.get((kind, worker.pod.metadata.namespace, name))
            if users is not None:
                users.discard(uid)
                if not users:
                    del self._users[kind, worker.pod.metadata.namespace, name]

    async def _remove_orphans(self) -> None:
        """Removes what belongs to no pod of the API, on the runtime and on disk."""
        parts = self._parts
        try:
            found = await parts.pleg.observe_all()
            for uid, observed in found.items():
                if uid not in self._workers:
                    await self._remove(observed)
            for uid in parts.storage.present() - set(self._workers):
                await parts.storage.remove(uid)
        except (RuntimeFailed, StatusError, OSError) as error:
            log.warning("Failed to remove orphaned pods", error=str(error))

    async def _remove(self, observed: ObservedPod) -> None:
        parts = self._parts
        log.info("Removing orphaned pod", pod=[each.name for each in observed.sandboxes])
        if observed.ip:
            await parts.services.remove_endpoint(observed.ip, dead=True)
        for container in observed.running:
            await parts.runtime.stop_container(container.id, grace_s=ORPHAN_GRACE_S)
        for container in observed.containers:
            await parts.runtime.remove_container(container.id)
        for sandbox in observed.sandboxes:
            await parts.runtime.remove_pod_sandbox(sandbox.id)
            if sandbox.ip and sandbox.ready:
                parts.addresses.release(sandbox.ip)


def _references(pod: Pod) -> frozenset[tuple[str, str]]:
    from kubelite.kubelet.container_config import references  # with a node's first pod, as above

    return references(pod)
