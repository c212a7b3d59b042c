"""The node's own actor: registers it, renews its Lease every 10 s, and reports its status when that changes.

A Lease says that the kubelet lives; the status is written on a change, and every 5 minutes.
Source: https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats, pkg/kubelet/kubelet_node_status.go
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import msgspec
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.coordination_v1 import Lease, LeaseSpec
from kubelite.api.core_v1 import Node, NodeSpec
from kubelite.api.errors import AlreadyExists, Conflict, NotFound, StatusError
from kubelite.api.meta import ObjectMeta, OwnerReference
from kubelite.api.timestamp import rfc3339_micro
from kubelite.client.interface import Client
from kubelite.client.plan import Report
from kubelite.client.view import View
from kubelite.kubelet.node_status import (
    Health,
    Machine,
    compute_node_status,
    node_labels,
    same_but_for_heartbeat,
)
from kubelite.kubelet.parts import COMPONENT, Recorder
from kubelite.kubelet.runtime import Image, Runtime, RuntimeFailed

RENEW_S = 10.0
LEASE_S = 40
REPORT_S = 300.0
CLOCK_SET_S = 1.0  #: a wall clock that leaves the steady one by more than this between two heartbeats was set
LEASE_NAMESPACE = "kube-node-lease"

log = get_logger(__name__)


class _Reading(msgspec.Struct, frozen=True):
    """What a report is made from."""

    health: Health
    runtime: str
    images: tuple[Image, ...]


class NodeActor:
    """`watch` hears of every reading of the node's health, and says what of it is reported.

    `clock_was_set` is called when wall times that were computed before no longer say how long to wait.
    `changed` makes it report at once, e.g. after an image was pulled.
    """

    def __init__(
        self,
        name: str,
        *,
        machine: Machine,
        health: Callable[[], Health],
        watch: Callable[[Health], Awaitable[Health]],
        pod_cidr: str,
        client: Client,
        view: View,
        renew_s: float,
        clock_was_set: Callable[[], None],
        runtime: Runtime,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self.name = f"node/{name}"
        self._node = name
        self._machine = machine
        self._health = health
        self._watch = watch
        self._pod_cidr = pod_cidr
        self._client = client
        self._view = view
        self._renew_s = renew_s
        self._clock_was_set = clock_was_set
        self._epoch: float | None = None  #: the wall time at which the steady clock was zero
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock
        self.port = 0  #: of the kubelet's own API, once it serves
        self._runtime_version = ""
        self._closing = ""  #: why it will not be ready again
        self._reported_at = 0.0
        self._reported: tuple[_Reading, str] | None = None  #: what was reported last, and the version that became
        self._latest: Node | None = None  #: as the API answered last; the view may be a little behind
        self._conditions: dict[str, str] = {}
        self._lease: Lease | None = None
        self._wake = anyio.Event()

    def shutting_down(self, why: str) -> None:
        """From now on the node is not ready."""
        self._closing = why
        if (node := self._known()) is not None:
            self._event(node, "Shutdown", "Shutdown manager detected shutdown event")
        self.changed()

    def changed(self) -> None:
        self._reported_at = 0.0
        self._wake.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reports started when the node is registered with its first status."""
        started = False
        while True:
            self._wake = anyio.Event()
            try:
                await self._beat()
                if not started:
                    started = True
                    task_status.started()
            except (StatusError, OSError) as error:
                log.warning("Failed to report node status", node=self._node, error=str(error))
            with anyio.move_on_after(self._renew_s if started else 1.0):
                await self._wake.wait()

    async def _beat(self) -> None:
        epoch = self._clock.now() - self._clock.monotonic()
        if self._epoch is not None and abs(epoch - self._epoch) > CLOCK_SET_S:
            log.warning("The clock was set", node=self._node, by_s=round(epoch - self._epoch))
            self._clock_was_set()
        self._epoch = epoch
        health = await self._watch(await self._check())
        reading = _Reading(health, self._runtime_version, tuple(await self._images()))
        node = self._known() or await self._register(reading)
        due = abs(self._clock.now() - self._reported_at) >= REPORT_S
        if due or (reading, node.metadata.resource_version) != self._reported:
            try:
                node = await self._report(node, reading, due=due)
            except Conflict:
                self._latest = await self._register(reading)
                self.changed()  # somebody labelled or tainted the node meanwhile: again, on top of that
                return
            self._reported = (reading, node.metadata.resource_version)
        await self._renew(node)

    async def _report(self, node: Node, reading: _Reading, *, due: bool) -> Node:
        """Writes the status if it says something new, or is `due`. Raises: StatusError."""
        updated = self._updated(node, reading)
        if due or not same_but_for_heartbeat(updated.status, node.status):
            self._latest = node = await self._client.update(updated, subresource="status")
            self._reported_at = self._clock.now()
        self._tell(node)
        return node

    def _updated(self, node: Node, reading: _Reading) -> Node:
        status = compute_node_status(
            self._node,
            self._machine,
            reading.health,
            runtime=reading.runtime,
            images=reading.images,
            old=node.status,
            now=self._clock.now(),
            port=self.port,
        )
        return replace(node, status=status)

    def _known(self) -> Node | None:
        """The node as this process saw it last, without asking; None when it may be gone."""
        seen = self._view.get(Node, self._node)
        if seen is None or self._latest is None or seen.metadata.uid != self._latest.metadata.uid:
            return seen
        return max(seen, self._latest, key=lambda each: int(each.metadata.resource_version))

    async def _check(self) -> Health:
        try:
            version = await self._runtime.version()
        except RuntimeFailed as error:
            return replace(self._health(), not_ready=f"container runtime is down: {error.message}")
        self._runtime_version = f"{version.name}://{version.version}"
        health = self._health()
        return replace(health, not_ready=self._closing) if self._closing else health

    async def _images(self) -> list[Image]:
        try:
            return await self._runtime.list_images()
        except RuntimeFailed:
            return []

    async def _register(self, reading: _Reading) -> Node:
        """The node, made with its status if it is not there."""
        try:
            node = await self._client.get(Node, self._node)
        except NotFound:
            node = Node(
                metadata=ObjectMeta(
                    name=self._node,
                    labels=node_labels(self._node, self._machine),
                    annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
                ),
                spec=NodeSpec(pod_cidr=self._pod_cidr, pod_cidrs=(self._pod_cidr,)) if self._pod_cidr else NodeSpec(),
            )
            try:
                node = self._latest = await self._client.create(self._updated(node, reading))
                self._reported_at = self._clock.now()
            except AlreadyExists:
                node = await self._client.get(Node, self._node)
            self._event(node, "Starting", "Starting kubelet.")
        return node

    async def _renew(self, node: Node) -> None:
        now = rfc3339_micro(self._clock.now())
        spec = LeaseSpec(holder_identity=self._node, lease_duration_seconds=LEASE_S, renew_time=now)
        try:
            if self._lease is None:
                self._lease = await self._client.get(Lease, self._node, LEASE_NAMESPACE)
            self._lease = await self._client.update(replace(self._lease, spec=spec))
        except NotFound:
            owner = OwnerReference(api_version="v1", kind="Node", name=self._node, uid=node.metadata.uid)
            meta = ObjectMeta(name=self._node, namespace=LEASE_NAMESPACE, owner_references=(owner,))
            self._lease = await self._client.create(Lease(metadata=meta, spec=spec))
        except Conflict:
            self._lease = None

    def _tell(self, node: Node) -> None:
        """An Event for every condition that changed."""
        names = {
            ("MemoryPressure", "False"): "NodeHasSufficientMemory",
            ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
            ("DiskPressure", "False"): "NodeHasNoDiskPressure",
            ("DiskPressure", "True"): "NodeHasDiskPressure",
            ("PIDPressure", "False"): "NodeHasSufficientPID",
            ("PIDPressure", "True"): "NodeHasInsufficientPID",
            ("Ready", "True"): "NodeReady",
            ("Ready", "False"): "NodeNotReady",
        }
        for condition in node.status.conditions:
            reason = names.get((condition.type, condition.status))
            if reason is not None and self._conditions.get(condition.type) != condition.status:
                self._conditions[condition.type] = condition.status
                self._event(node, reason, f"Node {self._node} status is now: {reason}")

    def _event(self, node: Node, reason: str, message: str) -> None:
        # As upstream, the node's Events name it by its name instead of its uid.
        named = replace(node, metadata=replace(node.metadata, uid=self._node))
        self._recorder.report(COMPONENT, Report(regarding=named, reason=reason, message=message))
