"""Pods from manifests in a directory of the node, which run whatever the API says; the API shows a mirror of each.

A static pod's identity is the hash of its manifest: an edited file is another pod. Its mirror has the hash in an annotation,
takes the status that the kubelet reports, and is made again when somebody deletes it; the containers do not notice.
Source: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/, pkg/kubelet/config/common.go (applyDefaults),
pkg/kubelet/pod/mirror_client.go
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Node, Pod, Toleration
from kubelite.api.defaults import apply_defaults
from kubelite.api.errors import BadRequest, NotFound, StatusError
from kubelite.api.manifest import parse_manifest
from kubelite.api.meta import DeleteOptions, OwnerReference, Preconditions
from kubelite.api.scheme import Scheme
from kubelite.api.timestamp import rfc3339
from kubelite.client.interface import Client
from kubelite.kubelet import syscalls
from kubelite.kubelet.observed import MIRROR, SOURCE

HASH, SEEN = "kubernetes.io/config.hash", "kubernetes.io/config.seen"
_RETRY_S = 2.0

Handler = Callable[[Pod | None, Pod | None], None]
log = get_logger(__name__)


class PodFeed(Protocol):
    def subscribe(self, handler: Handler) -> None: ...
    def unsubscribe(self, handler: Handler) -> None: ...


def parse_static(text: bytes, node: str, seen_at: str) -> list[Pod]:
    """The pods of one manifest, as this node runs them. Raises: BadRequest."""
    made = []
    for parsed in parse_manifest(text, Scheme()):
        if not isinstance(parsed, Pod):
            raise BadRequest(f"a static manifest holds pods, not {parsed.kind}")
        meta = parsed.metadata
        identity = hashlib.sha256(f"{node}\0{meta.namespace}\0{meta.name}\0".encode() + text).hexdigest()[:32]
        annotations = {**meta.annotations, HASH: identity, SOURCE: "file", SEEN: seen_at}
        everything = Toleration(operator="Exists", effect="NoExecute")
        spec = replace(parsed.spec, node_name=node, tolerations=(*parsed.spec.tolerations, everything))
        named = replace(
            meta,
            name=f"{meta.name}-{node}",
            namespace=meta.namespace or "default",
            uid=identity,
            annotations=annotations,
            creation_timestamp=seen_at,
        )
        made.append(apply_defaults(replace(parsed, metadata=named, spec=spec)))
    return made


class StaticPods:
    """An actor, and the feed of the node's pods: those of `feed` without the mirrors, and the static ones."""

    def __init__(self, directory: Path, node: str, feed: PodFeed, *, client: Client, clock: Clock) -> None:
        self.name = "static-pods"
        self._directory = directory
        self._node = node
        self._feed = feed
        self._client = client
        self._clock = clock
        self._handler: Handler | None = None
        self._pods: dict[str, Pod] = {}  # by uid
        self._mirrors: dict[tuple[str, str], Pod] = {}  # by namespace and name
        self._wake = anyio.Event()

    def subscribe(self, handler: Handler) -> None:
        self._handler = handler
        self._feed.subscribe(self._hear)  # the mirrors first: they know how the pods were
        self._read()

    def unsubscribe(self, handler: Handler) -> None:
        self._feed.unsubscribe(self._hear)
        self._handler = None
        self._pods.clear()
        self._mirrors.clear()

    def mirror_of(self, pod: Pod) -> Pod | None:
        """The API's picture of a static pod."""
        found = self._mirrors.get((pod.metadata.namespace, pod.metadata.name))
        return found if found is not None and _mirrors(found, pod) else None

    def _hear(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or self._handler is None:
            return
        if MIRROR not in pod.metadata.annotations:
            self._handler(old, new)
            return
        key = (pod.metadata.namespace, pod.metadata.name)
        if new is not None:
            self._mirrors[key] = new
            pod = self._pods.get(new.metadata.annotations[MIRROR])
            if old is None and pod is not None:
                self._handler(pod, pod)  # its status is to be written here now
        else:
            self._mirrors.pop(key, None)
        if new is None or old is None or new.metadata.deletion_timestamp is not None:
            self._wake.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        descriptor = syscalls.watch_directory(str(self._directory))
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow, descriptor)
                task_status.started()
                while True:
                    self._wake = anyio.Event()
                    with anyio.move_on_after(None if await self._mirror_all() else _RETRY_S):
                        await self._wake.wait()
        finally:
            os.close(descriptor)

    async def _follow(self, descriptor: int) -> None:
        while True:
            await anyio.wait_readable(descriptor)
            with suppress(BlockingIOError):
                while os.read(descriptor, 65536):
                    continue
            self._read()
            self._wake.set()

    def _read(self) -> None:
        """Takes the directory as it is now: what has come runs, what has gone ends."""
        now = rfc3339(self._clock.now())
        found: dict[str, Pod] = {}
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            try:
                found |= {pod.metadata.uid: pod for pod in parse_static(path.read_bytes(), self._node, now)}
            except (BadRequest, OSError) as error:
                log.warning("Skipped a static pod manifest", path=str(path), error=str(error))
        gone = {uid: pod for uid, pod in self._pods.items() if uid not in found}
        come = {uid: pod for uid, pod in found.items() if uid not in self._pods}
        self._pods = {uid: pod for uid, pod in self._pods.items() if uid not in gone} | come
        if self._handler is not None:
            for pod in gone.values():
                self._handler(pod, None)
            for pod in come.values():
                mirror = self.mirror_of(pod)
                self._handler(None, replace(pod, status=mirror.status) if mirror is not None else pod)

    async def _mirror_all(self) -> bool:
        """Makes the API show exactly the static pods; False when something has to be tried again."""
        wanted = {(pod.metadata.namespace, pod.metadata.name): pod for pod in self._pods.values()}
        done = True
        for key, mirror in list(self._mirrors.items()):
            pod = wanted.get(key)
            if pod is None or not _mirrors(mirror, pod) or mirror.metadata.deletion_timestamp is not None:
                done = await self._try(self._delete(mirror)) and done
        for key, pod in wanted.items():
            if key not in self._mirrors:
                done = await self._try(self._create(pod)) and done
        return done

    async def _try(self, write: Awaitable[None]) -> bool:
        try:
            await write
        except (StatusError, OSError) as error:
            log.warning("Failed to write a mirror pod", error=str(error))
            return False
        return True

    async def _delete(self, mirror: Pod) -> None:
        meta = mirror.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=meta.uid))
        with suppress(NotFound):
            await self._client.delete(Pod, meta.name, meta.namespace, options=options)

    async def _create(self, pod: Pod) -> None:
        node = await self._client.get(Node, self._node)
        owner = OwnerReference(api_version="v1", kind="Node", name=self._node, uid=node.metadata.uid, controller=True)
        meta = replace(
            pod.metadata,
            uid="",
            creation_timestamp=None,
            annotations={**pod.metadata.annotations, MIRROR: pod.metadata.uid},
            owner_references=(owner,),
        )
        await self._client.create(replace(pod, metadata=meta))


def _mirrors(mirror: Pod, pod: Pod) -> bool:
    return mirror.metadata.annotations.get(MIRROR) == pod.metadata.uid
