"""Pods that are nothing but state and a clock: no engine, no root, no network.

Containers run until they are stopped, unless annotations of their pod (or their own) say otherwise. `<key>` below stands for
`simulated.kubelite.io/<key>`, or `simulated.kubelite.io/<container>.<key>` for one container of the pod:

    run-for: 5s          ends by itself after that time
    exit-code: "3"       with this code (0)
    start-delay: 2s      `start_container` takes that long
    start-error: text    `start_container` fails with that message
    stop-delay: 1s       a stop takes that long (0s), at most the grace period, and then it is a kill
    logs: text           what the container has written (one line that says it started)
    fail-probe: liveness,readiness   `probe` fails for these kinds
    cpu-millis: "250", memory-bytes: "1048576", writable-bytes: "0"   what it is said to use

Every image is present except those of registries under .invalid, which cannot be pulled. One heap of deadlines serves all
containers, so ten thousand pods cost no tasks. Source: RFC 2606 (.invalid)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from heapq import heappop, heappush

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.client.streams import ByteStream, ExecStream, LogOptions
from kubelite.kubelet.runtime import (
    Container,
    ContainerConfig,
    ContainerStats,
    Image,
    PodSandboxConfig,
    Resources,
    RuntimeEvent,
    RuntimeFailed,
    RuntimeVersion,
    Sandbox,
    State,
)
from kubelite.kubelet.simulated_process import SimulatedConsole, SimulatedProcess, format_logs

_PREFIX = "simulated.kubelite.io/"
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class SimulatedRuntime:
    """Runtime of one simulated node. Its state ends with the object."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._of_pod: dict[str, list[str]] = {}  # pod uid: ids of sandboxes and containers
        self._deadlines: list[tuple[float, str, int]] = []  # (monotonic, container id, exit code)
        self._waiting: anyio.CancelScope | None = None
        self._ended: dict[str, anyio.Event] = {}  # only of containers that somebody follows
        self._removed_images: set[str] = set()
        self._listener: Callable[[RuntimeEvent], None] | None = None

    @property
    def name(self) -> str:
        return "simulated"

    async def run(self, listener: Callable[[RuntimeEvent], None], *, task_status: TaskStatus[None]) -> None:
        self._listener = listener
        listener(RuntimeEvent(pod_uid="", action="relist"))
        task_status.started()
        while True:
            now = self._clock.monotonic()
            while self._deadlines and self._deadlines[0][0] <= now:
                _, container_id, exit_code = heappop(self._deadlines)
                self._end(container_id, exit_code)
            with anyio.CancelScope() as self._waiting:
                if self._deadlines:
                    await self._clock.sleep(self._deadlines[0][0] - now)
                else:
                    await anyio.sleep_forever()

    def kill(self, target_id: str, exit_code: int = 137) -> None:
        """A container, or a sandbox with all of its containers, dies at once."""
        if target_id in self._sandboxes:
            self._stop_sandbox(target_id, exit_code)
        else:
            self._end(target_id, exit_code)

    def probe(self, container_id: str, kind: str) -> bool:
        """Whether a probe (startup, liveness or readiness) of the container succeeds now."""
        container = self._containers.get(container_id)
        if container is None or container.state != State.RUNNING:
            return False
        return kind not in self._setting(container, "fail-probe").split(",")

    async def version(self) -> RuntimeVersion:
        return RuntimeVersion(name="simulated", version="1.0.0", api_version="v1")

    async def run_pod_sandbox(self, config: PodSandboxConfig) -> Sandbox:
        sandbox = Sandbox(
            id=self._clock.token(32).hex(),
            uid=config.uid,
            namespace=config.namespace,
            name=config.name,
            attempt=config.attempt,
            ready=True,
            ip=config.ip,
            created_at=self._clock.now(),
            labels=config.labels,
            annotations=config.annotations,
        )
        self._sandboxes[sandbox.id] = sandbox
        self._of_pod.setdefault(sandbox.uid, []).append(sandbox.id)
        self._tell(sandbox.uid, sandbox.id, "create")
        self._tell(sandbox.uid, sandbox.id, "start")
        return sandbox

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        self._stop_sandbox(sandbox_id, 137)

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        self._stop_sandbox(sandbox_id, 137)
        for container in self._members(sandbox_id):
            await self.remove_container(container.id)
        del self._sandboxes[sandbox_id]
        self._forget(sandbox.uid, sandbox_id)

    async def list_pod_sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        ids = self._of_pod.get(pod_uid, ()) if pod_uid else self._sandboxes
        return [self._sandboxes[one] for one in ids if one in self._sandboxes]

    async def create_container(self, sandbox: Sandbox, config: ContainerConfig) -> str:
        if sandbox.id not in self._sandboxes:
            raise RuntimeFailed("CreateContainerError", f"No such container: {sandbox.id}")
        for namesake in [each for each in await self.list_containers(sandbox.uid) if each.name == config.name]:
            if namesake.attempt == config.attempt:
                if namesake.state is State.RUNNING:
                    raise RuntimeFailed("CreateContainerError", f"The name is in use by container {namesake.id}")
                await self.remove_container(namesake.id)
        container = Container(
            id=self._clock.token(32).hex(),
            sandbox_id=sandbox.id,
            pod_uid=sandbox.uid,
            name=config.name,
            attempt=config.attempt,
            image=config.image,
            image_ref=config.image_ref or _image_id(config.image),
            state=State.CREATED,
            created_at=self._clock.now(),
            resources=config.resources,
            labels=config.labels,
            annotations=config.annotations,
        )
        self._containers[container.id] = container
        self._of_pod[sandbox.uid].append(container.id)
        self._tell(sandbox.uid, container.id, "create")
        return container.id

    async def start_container(self, container_id: str) -> None:
        container = self._get(container_id, "RunContainerError")
        if delay := self._duration(container, "start-delay"):
            await self._clock.sleep(delay)
            container = self._get(container_id, "RunContainerError")
        if container.state == State.RUNNING:
            return
        if not self._sandboxes[container.sandbox_id].ready:
            raise RuntimeFailed(
                "RunContainerError", f"cannot join network of a non running container: {container.sandbox_id}"
            )
        now = self._clock.now()
        if message := self._setting(container, "start-error"):
            failed = replace(container, state=State.EXITED, exit_code=128, reason="StartError", message=message)
            self._containers[container_id] = replace(failed, finished_at=now)
            raise RuntimeFailed("RunContainerError", message)
        self._containers[container_id] = replace(container, state=State.RUNNING, started_at=now)
        self._tell(container.pod_uid, container_id, "start")
        if self._setting(container, "run-for"):
            self._end_after(container_id, self._duration(container, "run-for"), self._number(container, "exit-code"))

    async def stop_container(self, container_id: str, *, grace_s: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state != State.RUNNING:
            return
        delay = self._duration(container, "stop-delay")
        if grace_s > 0 and delay > 0:
            await self._clock.sleep(min(delay, grace_s))
        self._end(container_id, 137 if grace_s <= 0 or delay > grace_s else 143)

    async def remove_container(self, container_id: str) -> None:
        self._end(container_id, 137)
        if container := self._containers.pop(container_id, None):
            self._forget(container.pod_uid, container_id)

    async def list_containers(self, pod_uid: str = "") -> list[Container]:
        ids = self._of_pod.get(pod_uid, ()) if pod_uid else self._containers
        return [self._containers[one] for one in ids if one in self._containers]

    async def update_container(self, container_id: str, resources: Resources) -> None:
        container = self._get(container_id, "ResizeError")
        self._containers[container_id] = replace(container, resources=resources)
        self._tell(container.pod_uid, container_id, "update")

    async def writable_bytes(self, container_id: str) -> int:
        container = self._containers.get(container_id)
        return self._number(container, "writable-bytes") if container else 0

    async def image_status(self, image: str) -> Image | None:
        if _is_unreachable(image) or image in self._removed_images:
            return None
        return Image(id=_image_id(image), tags=(image,), digests=(), size_bytes=0)

    async def pull_image(self, image: str, *, username: str = "", password: str = "") -> str:
        if _is_unreachable(image):
            raise RuntimeFailed("ErrImagePull", f"failed to resolve reference {image!r}: no such host")
        self._removed_images.discard(image)
        return _image_id(image)

    async def list_images(self) -> list[Image]:
        names = dict.fromkeys(container.image for container in self._containers.values())
        return [Image(id=_image_id(name), tags=(name,), digests=(), size_bytes=0) for name in names]

    async def image_layers(self, image: str) -> tuple[str, ...]:
        return ()

    async def remove_image(self, image: str) -> None:
        self._removed_images.add(image)

    @asynccontextmanager
    async def exec(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool = False, tty: bool = False
    ) -> AsyncIterator[ExecStream]:
        self._running(container_id, "ExecError")
        process = SimulatedProcess(command, clock=self._clock)
        try:
            yield process
        finally:
            process.close()

    @asynccontextmanager
    async def attach(self, container_id: str, *, stdin: bool = False, tty: bool = False) -> AsyncIterator[ExecStream]:
        self._running(container_id, "AttachError")

        async def exit_code() -> int:
            await self._wait(container_id)
            return self._containers[container_id].exit_code if container_id in self._containers else 137

        yield SimulatedConsole(exit_code)

    def dial(self, sandbox_id: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        raise RuntimeFailed(
            "PortForwardError", f"failed to connect to localhost:{port} inside the pod: it is simulated"
        )

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        container = self._get(container_id, "LogError")
        if container.started_at:
            text = self._setting(container, "logs") or f"Started simulated container {container.name}"
            for chunk in format_logs(text, container.started_at, options):
                yield chunk
        if options.follow:
            await self._wait(container_id)

    async def stats(self, container_ids: tuple[str, ...]) -> list[ContainerStats]:
        now = self._clock.now()
        running = [self._containers[one] for one in container_ids if one in self._containers]
        return [self._stats(container, now) for container in running if container.state == State.RUNNING]

    def _stats(self, container: Container, now: float) -> ContainerStats:
        memory = self._number(container, "memory-bytes")
        return ContainerStats(
            container_id=container.id,
            at=now,
            cpu_usage_ns=int((now - container.started_at) * self._number(container, "cpu-millis") * 1e6),
            memory_working_set_bytes=memory,
            memory_rss_bytes=memory,
            memory_usage_bytes=memory,
        )

    def _end_after(self, container_id: str, delay_s: float, exit_code: int) -> None:
        entry = (self._clock.monotonic() + delay_s, container_id, exit_code)
        heappush(self._deadlines, entry)
        if self._deadlines[0] is entry and self._waiting is not None:
            self._waiting.cancel()

    def _end(self, container_id: str, exit_code: int) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state != State.RUNNING:
            return
        self._containers[container_id] = replace(
            container,
            state=State.EXITED,
            finished_at=self._clock.now(),
            exit_code=exit_code,
            reason="Error" if exit_code else "Completed",
        )
        if ended := self._ended.pop(container_id, None):
            ended.set()
        self._tell(container.pod_uid, container_id, "die")

    def _stop_sandbox(self, sandbox_id: str, exit_code: int) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for container in self._members(sandbox_id):
            self._end(container.id, exit_code)
        if sandbox.ready:
            self._sandboxes[sandbox_id] = replace(sandbox, ready=False)
            self._tell(sandbox.uid, sandbox_id, "die")

    def _members(self, sandbox_id: str) -> list[Container]:
        ids = self._of_pod[self._sandboxes[sandbox_id].uid]
        found = [self._containers[one] for one in ids if one in self._containers]
        return [container for container in found if container.sandbox_id == sandbox_id]

    def _forget(self, pod_uid: str, target_id: str) -> None:
        self._of_pod[pod_uid].remove(target_id)
        if not self._of_pod[pod_uid]:
            del self._of_pod[pod_uid]
        self._tell(pod_uid, target_id, "destroy")

    async def _wait(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is not None and container.state == State.RUNNING:
            await self._ended.setdefault(container_id, anyio.Event()).wait()

    def _get(self, container_id: str, reason: str) -> Container:
        if container_id not in self._containers:
            raise RuntimeFailed(reason, f"No such container: {container_id}")
        return self._containers[container_id]

    def _running(self, container_id: str, reason: str) -> None:
        if self._get(container_id, reason).state != State.RUNNING:
            raise RuntimeFailed(reason, f"Container {container_id} is not running")

    def _setting(self, container: Container, key: str) -> str:
        pod = self._sandboxes[container.sandbox_id].annotations if container.sandbox_id in self._sandboxes else {}
        for source in (container.annotations, pod):
            for name in (f"{_PREFIX}{container.name}.{key}", _PREFIX + key):
                if name in source:
                    return source[name]
        return ""

    def _number(self, container: Container, key: str) -> int:
        return int(self._setting(container, key) or 0)

    def _duration(self, container: Container, key: str) -> float:
        return parse_duration(self._setting(container, key))

    def _tell(self, pod_uid: str, container_id: str, action: str) -> None:
        if self._listener is not None:
            self._listener(RuntimeEvent(pod_uid=pod_uid, container_id=container_id, action=action))


def parse_duration(text: str) -> float:
    """Seconds of a duration as Kubernetes writes it.

    >>> parse_duration("1m30s"), parse_duration("250ms"), parse_duration("")
    (90.0, 0.25, 0.0)
    """
    parts = re.findall(r"([\d.]+)(ms|[hms])", text)
    return sum((float(number) * _UNIT_S[unit] for number, unit in parts), start=0.0)


def _image_id(image: str) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def _is_unreachable(image: str) -> bool:
    return image.partition("/")[0].partition(":")[0].endswith(".invalid")
