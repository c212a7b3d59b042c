"""Streams into this node's containers: which container is meant, what stands against it, and the runtime's stream.

Implements `client.streams.PodStreams`. Source: pkg/kubelet/kubelet_pods.go (GetExec, GetAttach, validateContainerLogStatus),
pkg/registry/core/pod/strategy.go (messages before the kubelet is asked)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kubelite.api.core_v1 import ContainerStatus, Pod
from kubelite.api.errors import BadRequest, InternalError, NotFound, not_found
from kubelite.client.streams import ByteStream, ExecStream, LogOptions
from kubelite.kubelet.observed import find_spec
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.runtime import Container, Runtime, RuntimeFailed, State

if TYPE_CHECKING:
    from kubelite.kubelet.pod_worker import PodWorker


class KubeletStreams:
    """The streams of one node's pods."""

    def __init__(self, pods: PodManager, runtime: Runtime) -> None:
        self._pods = pods
        self._runtime = runtime

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> AsyncIterator[ExecStream]:
        running = await self._running(namespace, pod, container, "exec in")
        try:
            async with self._runtime.exec(running.id, command, stdin=stdin, tty=tty) as stream:
                yield _Process(stream)
        except RuntimeFailed as error:
            raise _exec_failed(error) from error

    @asynccontextmanager
    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> AsyncIterator[ExecStream]:
        worker = self._worker(namespace, pod)
        name = _container_name(worker.pod, container)
        running = await self._running(namespace, pod, name, "attach to")
        spec = find_spec(worker.pod, name)
        # A process has a terminal or has none from its start on, whatever the client asks for.
        with_tty = spec.tty if spec is not None else tty
        try:
            async with self._runtime.attach(running.id, stdin=stdin, tty=with_tty) as stream:
                yield stream
        except RuntimeFailed as error:
            raise InternalError(f"error attaching to container: {error.message}") from error

    @asynccontextmanager
    async def dial(self, namespace: str, pod: str, port: int) -> AsyncIterator[ByteStream]:
        worker = self._worker(namespace, pod)
        observed = await worker.parts.pleg.observe(worker.pod.metadata.uid)
        sandbox = observed.sandbox
        if sandbox is None or not sandbox.ready:
            raise NotFound(f'pod not found ("{pod}_{namespace}")')
        try:
            async with self._runtime.dial(sandbox.id, port) as stream:
                yield stream
        except RuntimeFailed as error:
            raise InternalError(error.message) from error

    @asynccontextmanager
    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions, *, previous: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        worker = self._worker(namespace, pod)
        name = _container_name(worker.pod, container)
        chosen = log_container_id(pod, name, _status(worker, name), previous=previous)
        yield self._read(chosen, options)

    async def _read(self, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._runtime.logs(container_id, options):
                yield chunk
        except RuntimeFailed as error:
            raise InternalError(f"failed to open log file: {error.message}") from error

    def _worker(self, namespace: str, pod: str) -> PodWorker:
        worker = self._pods.worker_of(namespace, pod)
        if worker is None:
            raise not_found("", "pods", pod)
        return worker

    async def _running(self, namespace: str, pod: str, container: str, what: str) -> Container:
        worker = self._worker(namespace, pod)
        if worker.writer.last.phase in {"Succeeded", "Failed"}:
            phase = worker.writer.last.phase
            raise BadRequest(f"cannot {what} a container in a completed pod; current phase is {phase}")
        name = _container_name(worker.pod, container)
        observed = await worker.parts.pleg.observe(worker.pod.metadata.uid)
        newest = observed.newest(name)
        if newest is None or newest.state is not State.RUNNING:
            raise NotFound(f'container not found ("{name}")')
        return newest


class _Process:
    """An ExecStream whose failure, e.g. a program that does not exist, is the API's error where it is met."""

    def __init__(self, stream: ExecStream) -> None:
        self._stream = stream
        self.write = stream.write
        self.close_stdin = stream.close_stdin
        self.resize = stream.resize
        self.exit_code = stream.exit_code

    async def read(self) -> tuple[int, bytes] | None:
        try:
            return await self._stream.read()
        except RuntimeFailed as error:
            raise _exec_failed(error) from error


def _exec_failed(error: RuntimeFailed) -> InternalError:
    return InternalError(f"Internal error occurred: error executing command in container: {error.message}")


def _container_name(pod: Pod, asked: str) -> str:
    """The container that is meant: the one that is named, or the only one. Raises: BadRequest."""
    if not asked:
        if len(pod.spec.containers) == 1:
            return pod.spec.containers[0].name
        names = " ".join(each.name for each in pod.spec.containers)
        message = f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{names}]"
        if pod.spec.init_containers:
            message += f" or one of the init containers: [{' '.join(each.name for each in pod.spec.init_containers)}]"
        raise BadRequest(message)
    if find_spec(pod, asked) is None:
        raise BadRequest(f"container {asked} is not valid for pod {pod.metadata.name}")
    return asked


def _status(worker: PodWorker, name: str) -> ContainerStatus | None:
    status = worker.writer.last
    everything = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    return next((each for each in everything if each.name == name), None)


def log_container_id(pod: str, name: str, status: ContainerStatus | None, *, previous: bool) -> str:
    """Whose log is meant: the present run's, else the last one's. Raises: BadRequest, with upstream's reasons."""
    if status is None:
        raise BadRequest(f'container "{name}" in pod "{pod}" is not available')
    last = status.last_state.terminated
    chosen = ""
    if previous:
        if last is None or not last.container_id:
            raise BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')
        chosen = last.container_id
    elif status.state.running is not None:
        chosen = status.container_id
    elif (terminated := status.state.terminated) is not None:
        chosen = terminated.container_id or (last.container_id if last is not None else "")
    elif last is not None:
        chosen = last.container_id
    elif (waiting := status.state.waiting) is not None:
        texts = {
            "ErrImagePull": "image can't be pulled",
            "ImagePullBackOff": "trying and failing to pull image",
        }
        why = texts.get(waiting.reason, waiting.reason)
        raise BadRequest(f'container "{name}" in pod "{pod}" is waiting to start: {why}')
    if not chosen:
        raise BadRequest(f'container "{name}" in pod "{pod}" is terminated')
    return chosen.partition("://")[2]
