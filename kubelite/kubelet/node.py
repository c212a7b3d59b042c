"""The node's own actor: registers it, renews its Lease every 10 s, and reports its status when that changes.

A Lease says that the kubelet lives; the status is written on a change, and every 5 minutes.
Source: https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats, pkg/kubelet/kubelet_node_status.go
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
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
LEASE_NAMESPACE = "kube-node-lease"

log = get_logger(__name__)


class NodeActor:
    """`watch` hears of every reading of the node's health, and says what of it is reported.

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
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock
        self._runtime_version = ""
        self._reported_at = 0.0
        self._conditions: dict[str, str] = {}
        self._lease: Lease | None = None
        self._wake = anyio.Event()

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
            with anyio.move_on_after(RENEW_S if started else 1.0):
                await self._wake.wait()

    async def _beat(self) -> None:
        node = await self._register()
        status = compute_node_status(
            self._node,
            self._machine,
            await self._watch(await self._check()),
            runtime=self._runtime_version,
            images=await self._images(),
            old=node.status,
            now=self._clock.now(),
        )
        due = self._clock.now() - self._reported_at >= REPORT_S
        if due or not same_but_for_heartbeat(status, node.status):
            try:
                await self._client.update(replace(node, status=status), subresource="status")
            except Conflict:
                self.changed()  # somebody labelled or tainted the node meanwhile: again, on top of that
                return
            self._reported_at = self._clock.now()
        self._tell(replace(node, status=status))
        await self._renew(node)

    async def _check(self) -> Health:
        try:
            version = await self._runtime.version()
        except RuntimeFailed as error:
            return replace(self._health(), not_ready=f"container runtime is down: {error.message}")
        self._runtime_version = f"{version.name}://{version.version}"
        return self._health()

    async def _images(self) -> list[Image]:
        try:
            return await self._runtime.list_images()
        except RuntimeFailed:
            return []

    async def _register(self) -> Node:
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
                node = await self._client.create(node)
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
