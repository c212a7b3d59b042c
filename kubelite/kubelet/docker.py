"""Pods as Docker containers: a sandbox of our own pause image, and containers that share its namespaces.

The runtime keeps nothing that the engine does not: labels identify everything, so a restarted kubelet adopts all of it. Its
files: `docker_client` (the door), `docker_config` and `docker_state` (pure: requests and answers), `docker_containers`,
`docker_images`, `docker_streams`, `docker_cgroups`. `network` plumbs the sandbox, because the engine's own networks double
the time of a start.
Source: https://docs.docker.com/reference/api/engine/, upstream's dockershim (behaviour on missing images and containers)
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import ceil
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.client.streams import ExecStream, LogOptions
from kubelite.kubelet import docker_cgroups as cgroups, docker_state as found
from kubelite.kubelet.docker_client import REQUEST_DEADLINE_S, EngineClient, Refused, filters, lines, translated
from kubelite.kubelet.docker_config import container_name, container_request, resources_request, sandbox_request
from kubelite.kubelet.docker_containers import EngineContainers, for_each
from kubelite.kubelet.docker_images import DockerImages
from kubelite.kubelet.docker_streams import (
    ProcessStream,
    SocketStream,
    connect,
    demultiplexed,
    limited,
    log_parameters,
    opened,
    socket_stream,
)
from kubelite.kubelet.network import PodNetwork
from kubelite.kubelet.oom_log import OomLog
from kubelite.kubelet.pause import pause_image
from kubelite.kubelet.runtime import (
    Container,
    ContainerConfig,
    ContainerStats,
    PodSandboxConfig,
    Resources,
    RuntimeEvent,
    RuntimeFailed,
    RuntimeVersion,
    Sandbox,
    Unreachable,
)

PAUSE_IMAGE = "kubelite/pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ACTIONS = frozenset({"create", "start", "update", "die", "oom", "destroy"})
_NOT_FOUND = 404
_CAP_SYS_RESOURCE = 1 << 24


class DockerRuntime(DockerImages):
    """Runtime on a Docker engine. `instance` separates the containers of several kubelites on one engine."""

    def __init__(self, *, instance: str, socket: str, clock: Clock, network: PodNetwork) -> None:
        super().__init__(EngineClient(socket))
        self._containers = EngineContainers(self._client, instance, clock)
        self._instance = instance
        self._clock = clock
        self._network = network
        # More starts at once than this do not raise the rate, only everybody's latency.
        self._starts = anyio.CapacityLimiter(4 * (os.cpu_count() or 1))
        self._exec_ended: dict[str, anyio.Event] = {}
        self._out_of_memory: set[str] = set()  #: containers that the kernel said so of
        self._oom_log = OomLog(self._hear_oom)
        self._info = found.Info()
        self._restricted = False
        self._log = get_logger("kubelet.docker")

    @property
    def name(self) -> str:
        return "docker"

    @property
    def image_root(self) -> Path | None:
        """Where the engine keeps images, as far as that is visible here."""
        path = Path(self._info.docker_root_dir)
        return path if self._info.docker_root_dir and path.is_dir() else None

    async def run(self, listener: Callable[[RuntimeEvent], None], *, task_status: TaskStatus[None]) -> None:
        """Hears the engine's events until cancelled. Raises: RuntimeFailed when the node cannot be prepared."""
        backoff = Backoff(base_s=0.1, cap_s=5.0)
        label = f"{found.INSTANCE}={self._instance}"
        parameters = {"filters": filters(type=["container"], label=[label])}
        started = False
        self._oom_log.open()
        try:
            while True:
                try:
                    async with self._client.stream("GET", "events", reason="Events", params=parameters) as chunks:
                        await self._prepare()
                        backoff.forget()
                        self._hear_relist(listener)
                        if not started:
                            started = True
                            task_status.started()
                        async for line in lines(chunks):
                            self._hear(msgspec.json.decode(line, type=found.Event), listener)
                except Unreachable as error:
                    self._log.warning("Lost the container engine", err=error.message)
                await self._clock.sleep(backoff.next())
        finally:
            self._oom_log.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._client.close()

    async def _prepare(self) -> None:
        self._info = await self._client.request("GET", "info", reason="NodeNotReady", answer=found.Info)
        try:
            self._restricted = not _has_sys_resource(self._client.socket)
        except OSError as error:
            raise Unreachable(f"cannot ask who serves {self._client.socket}: {error}") from error
        if self._restricted:
            self._log.info("The engine lacks CAP_SYS_RESOURCE; clamping OOM scores and narrowing privileged containers")
        await self._network.setup()
        await self._load_pause_image()

    async def _load_pause_image(self) -> None:
        architecture = _ARCHITECTURES.get(self._info.architecture, self._info.architecture)
        archive, image_id = pause_image(architecture, PAUSE_IMAGE)
        present = await self.image_status(PAUSE_IMAGE)
        if present is None or present.id != image_id:
            await self.load_image(archive)

    def _hear_relist(self, listener: Callable[[RuntimeEvent], None]) -> None:
        for ended in self._exec_ended.values():
            ended.set()
        listener(RuntimeEvent(pod_uid="", action="relist"))

    def _hear(self, event: found.Event, listener: Callable[[RuntimeEvent], None]) -> None:
        attributes = event.actor.attributes
        if event.action == "exec_die" and (ended := self._exec_ended.get(attributes.get("execID", ""))):
            ended.set()
        elif event.action in _ACTIONS:
            uid = attributes.get(found.POD_UID, "")
            if event.action == "destroy":
                self._out_of_memory.discard(event.actor.id)
            listener(RuntimeEvent(pod_uid=uid, container_id=event.actor.id, action=event.action))

    def _hear_oom(self, cgroup: str, container_id: str) -> None:
        if self._instance in cgroup:
            self._out_of_memory.add(container_id)

    async def version(self) -> RuntimeVersion:
        answer = await self._client.request("GET", "version", reason="Version", answer=dict[str, object])
        return RuntimeVersion(name="docker", version=str(answer["Version"]), api_version=str(answer["ApiVersion"]))

    async def run_pod_sandbox(self, config: PodSandboxConfig) -> Sandbox:
        handler = config.runtime_handler
        if handler and handler not in self._info.runtimes:
            message = f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
            raise RuntimeFailed("CreatePodSandboxError", message)
        parent = cgroups.cgroup_parent(self._info.cgroup_driver, config.cgroup_parent)
        request = sandbox_request(
            config, instance=self._instance, image=PAUSE_IMAGE, cgroup_parent=parent, restricted=self._restricted
        )
        name = container_name(
            found.SANDBOX_NAME,
            pod=config.name,
            namespace=config.namespace,
            uid=config.uid,
            attempt=config.attempt,
            instance=self._instance,
        )
        try:
            sandbox_id = await self._containers.create(name, request, reason="CreatePodSandboxError")
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            await self._load_pause_image()  # someone pruned it
            sandbox_id = await self._containers.create(name, request, reason="CreatePodSandboxError")
        async with self._starts:
            await self._containers.post(sandbox_id, "start", reason="CreatePodSandboxError")
        inspected = await self._containers.inspect(sandbox_id, reason="CreatePodSandboxError")
        if config.ip:
            try:
                await self._network.attach(pid=inspected.state.pid, ip=config.ip, sandbox_id=sandbox_id)
            except OSError as error:
                message = f'failed to set up pod "{config.name}_{config.namespace}" network: {error}'
                raise RuntimeFailed("CreatePodSandboxError", message) from error
        return found.parse_sandbox(inspected, attached=True)

    async def stop_pod_sandbox(self, sandbox_id: str) -> None:
        members = await self._containers.ids(label=f"{found.SANDBOX_ID}={sandbox_id}", alive=True)
        await for_each([*members, sandbox_id], partial(self._containers.kill, reason="KillPodSandboxError"))

    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        inspected = await self._containers.inspect_if_present(sandbox_id)
        members = await self._containers.ids(label=f"{found.SANDBOX_ID}={sandbox_id}")
        await for_each([*members, sandbox_id], self._containers.remove)
        if inspected is not None:
            cgroups.remove_tree(cgroups.cgroup_path(inspected.host_config.cgroup_parent))

    async def list_pod_sandboxes(self, pod_uid: str = "") -> list[Sandbox]:
        summaries = await self._containers.ids(pod_uid=pod_uid, label=f"{found.CONTAINER_NAME}={found.SANDBOX_NAME}")
        return [self._sandbox(inspected) for inspected in await self._containers.inspect_all(summaries)]

    async def list_containers(self, pod_uid: str = "") -> list[Container]:
        summaries = await self._containers.ids(pod_uid=pod_uid, label=found.SANDBOX_ID)
        inspected = await self._containers.inspect_all(summaries)
        return [found.parse_container(one, out_of_memory=one.id in self._out_of_memory) for one in inspected]

    async def create_container(self, sandbox: Sandbox, config: ContainerConfig) -> str:
        inspected = await self._containers.inspect(sandbox.id, reason="CreateContainerError")
        joined = sandbox.id if found.SHARES_PIDS in (inspected.config.labels or {}) else config.target_id
        request = container_request(
            sandbox,
            config,
            instance=self._instance,
            cgroup_parent=inspected.host_config.cgroup_parent,
            pid_mode=f"container:{joined}" if joined else inspected.host_config.pid_mode,
            runtime=inspected.host_config.runtime,
            restricted=self._restricted,
        )
        name = container_name(
            config.name,
            pod=sandbox.name,
            namespace=sandbox.namespace,
            uid=sandbox.uid,
            attempt=config.attempt,
            instance=self._instance,
        )
        return await self._containers.create(name, request, reason="CreateContainerError")

    async def start_container(self, container_id: str) -> None:
        async with self._starts:
            await self._containers.post(container_id, "start", reason="RunContainerError")

    async def stop_container(self, container_id: str, *, grace_s: float) -> None:
        if grace_s <= 0:
            await self._containers.kill(container_id, reason="KillContainerError")
            return
        seconds = ceil(grace_s)
        await self._containers.end(
            container_id,
            "stop",
            reason="KillContainerError",
            params={"t": str(seconds)},
            deadline_s=seconds + REQUEST_DEADLINE_S,
        )

    async def remove_container(self, container_id: str) -> None:
        await self._containers.remove(container_id)

    async def update_container(self, container_id: str, resources: Resources) -> None:
        await self._containers.post(container_id, "update", reason="ResizeError", body=resources_request(resources))

    async def writable_bytes(self, container_id: str) -> int:
        try:
            inspected = await self._containers.inspect(container_id, reason="ContainerStatusError", sizes=True)
        except Refused:
            return 0
        return inspected.size_rw + _file_size(inspected.log_path)

    @asynccontextmanager
    async def exec(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool = False, tty: bool = False
    ) -> AsyncIterator[ExecStream]:
        docker = self._client.docker()
        with translated("ExecError"), anyio.fail_after(REQUEST_DEADLINE_S):
            process = await docker.containers.container(container_id).exec(list(command), stdin=stdin, tty=tty)
        ended = self._exec_ended[process.id] = anyio.Event()

        async def inspect() -> found.InspectedExec:
            path = f"exec/{process.id}/json"
            return await self._client.request("GET", path, reason="ExecError", answer=found.InspectedExec)

        async def resize(width: int, height: int) -> None:
            with translated("ExecError"):
                await process.resize(w=width, h=height)

        async def exit_code() -> int:
            nonlocal ended
            # The output may end before the process does; its end is an event, and after a gap in those a relist.
            while (facts := await inspect()).running or facts.exit_code is None:
                await ended.wait()
                ended = self._exec_ended[process.id] = anyio.Event()
            return facts.exit_code

        try:
            async with opened(process.start()) as stream:
                yield ProcessStream(stream, resize=resize, exit_code=exit_code)
        finally:
            del self._exec_ended[process.id]
            with anyio.CancelScope(shield=True), anyio.move_on_after(5), suppress(RuntimeFailed):
                await self._kill_exec(container_id, inspect)

    async def _kill_exec(self, container_id: str, inspect: Callable[[], Awaitable[found.InspectedExec]]) -> None:
        """The engine has no call for it. A process that is about to start has no pid yet, and no event tells when it has."""
        while (facts := await inspect()).running:
            if facts.pid and cgroups.contains_process(facts.pid, container_id):
                with suppress(ProcessLookupError):
                    os.kill(facts.pid, signal.SIGKILL)
                return
            await self._clock.sleep(0.02)

    @asynccontextmanager
    async def attach(self, container_id: str, *, stdin: bool = False, tty: bool = False) -> AsyncIterator[ExecStream]:
        """`tty` is the container's own; it is known from its configuration."""
        container = self._client.docker().containers.container(container_id)

        async def resize(width: int, height: int) -> None:
            params = {"w": str(width), "h": str(height)}
            await self._containers.post(container_id, "resize", reason="AttachError", params=params)

        async def exit_code() -> int:
            answer = await self._client.request(
                "POST", f"containers/{container_id}/wait", reason="AttachError", answer=dict[str, object]
            )
            return int(str(answer["StatusCode"]))

        async with opened(container.attach(stdin=stdin, stdout=True, stderr=True)) as stream:
            yield ProcessStream(stream, resize=resize, exit_code=exit_code)

    @asynccontextmanager
    async def dial(self, sandbox_id: str, port: int) -> AsyncIterator[SocketStream]:
        inspected = await self._containers.inspect(sandbox_id, reason="PortForwardError")
        if not inspected.state.pid:
            raise RuntimeFailed("PortForwardError", f"sandbox {sandbox_id} is not running")
        try:
            sock = await connect(inspected.state.pid, port)
        except OSError as error:
            message = f"failed to connect to localhost:{port} inside the pod: {error.strerror or error}"
            raise RuntimeFailed("PortForwardError", message) from error
        async with socket_stream(sock) as stream:
            yield stream

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        inspected = await self._containers.inspect(container_id, reason="LogError")
        path = f"containers/{container_id}/logs"
        async with self._client.stream("GET", path, reason="LogError", params=log_parameters(options)) as chunks:
            payloads = chunks if inspected.config.tty else demultiplexed(chunks)
            async for chunk in limited(payloads, options.limit_bytes):
                yield chunk

    async def stats(self, container_ids: tuple[str, ...]) -> list[ContainerStats]:
        now = self._clock.now()
        inspected = await self._containers.inspect_all(container_ids)
        read = [cgroups.read_stats(one.state.pid, one.id, now) for one in inspected if one.state.pid]
        return [stats for stats in read if stats is not None]

    def _sandbox(self, inspected: found.Inspected) -> Sandbox:
        ip = (inspected.config.labels or {}).get(found.POD_IP, "")
        return found.parse_sandbox(inspected, attached=not ip or self._network.is_attached(inspected.id, ip))


def _file_size(path: str) -> int:
    try:
        return Path(path).stat().st_size if path else 0
    except OSError:  # just rotated
        return 0


def _has_sys_resource(path: str) -> bool:
    """Whether the process that listens on the engine's socket may raise limits and lower OOM scores."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", credentials)[0] or "self"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_RESOURCE)
    return True
