"""Asks a container something: the four kinds of probe, and the hooks around its life.

A node without real containers brings its own `ProbeRunner`; everybody else uses `RuntimeProbes`.
Source: pkg/kubelet/prober/prober.go, pkg/probe, pkg/kubelet/lifecycle/handlers.go
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio
import msgspec

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Container, EphemeralContainerCommon, LifecycleHandler, Pod, ProbeHandler
from kubelite.kubelet.runtime import Runtime, RuntimeFailed

if TYPE_CHECKING:
    from kubelite.kubelet import probes
    from kubelite.kubelet.pod_actions import ProbeKind

MAX_OUTPUT_BYTES = 10 * 1024
#: A hook's GET has no timeout of its own; the pod's grace period, or this, ends it.
HOOK_TIMEOUT_S = 600.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A running container."""

    pod: Pod
    spec: Container | EphemeralContainerCommon
    container_id: str
    pod_ip: str


class Outcome(msgspec.Struct, frozen=True):
    """`unknown`: the question could not be asked, which is neither success nor failure."""

    ok: bool
    output: str = ""
    unknown: bool = False


class ProbeRunner(Protocol):
    """Answers a probe within `timeout_s`."""

    async def probe(self, target: Target, kind: ProbeKind, handler: ProbeHandler, *, timeout_s: float) -> Outcome: ...


class SimulatedProbes:
    """Asks nothing but `answer`, with container id and kind of probe."""

    def __init__(self, answer: Callable[[str, str], bool]) -> None:
        self._answer = answer

    async def probe(self, target: Target, kind: ProbeKind, handler: ProbeHandler, *, timeout_s: float) -> Outcome:
        return Outcome(ok=self._answer(target.container_id, kind), output="simulated")


class HookFailed(Exception):
    """A lifecycle hook did not succeed."""


async def run_command(runtime: Runtime, container_id: str, command: tuple[str, ...]) -> tuple[int, str]:
    """(exit code, the beginning of what it printed). Raises: RuntimeFailed."""
    output = b""
    async with runtime.exec(container_id, command) as process:
        while (chunk := await process.read()) is not None:
            if len(output) < MAX_OUTPUT_BYTES:
                output += chunk[1]
        code = await process.exit_code()
    return code, output[:MAX_OUTPUT_BYTES].decode(errors="replace")


class RuntimeProbes:
    """Probes by exec through the runtime, and by connections to the pod's address."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def probe(self, target: Target, kind: ProbeKind, handler: ProbeHandler, *, timeout_s: float) -> Outcome:
        from kubelite.kubelet import grpc_health, probes

        try:
            if handler.exec is not None:
                return await self._exec(target, handler.exec.command, timeout_s)
            if handler.http_get is not None:
                return await _http(probes.http_request(handler.http_get, target.spec, target.pod_ip), timeout_s)
            if handler.tcp_socket is not None:
                port = probes.port_number(handler.tcp_socket.port, target.spec)
                return await _tcp(handler.tcp_socket.host or target.pod_ip, port, timeout_s)
            if handler.grpc is not None:
                service = handler.grpc.service or ""
                await grpc_health.check(target.pod_ip, handler.grpc.port, service, timeout_s=timeout_s)
                return Outcome(ok=True)
        except grpc_health.GrpcFailed as error:
            return Outcome(ok=False, output=str(error))
        except ValueError as error:
            return Outcome(ok=False, output=str(error), unknown=True)
        return Outcome(ok=False, output="missing probe handler", unknown=True)

    async def _exec(self, target: Target, command: tuple[str, ...], timeout_s: float) -> Outcome:
        from kubelite.kubelet.env import expand

        values = {each.name: each.value for each in target.spec.env if each.value_from is None}
        expanded = tuple(expand(part, values) for part in command)
        try:
            with anyio.fail_after(timeout_s):
                code, output = await run_command(self._runtime, target.container_id, expanded)
        except TimeoutError:
            return Outcome(ok=False, output=f"command timed out: {' '.join(expanded)!r} timed out after {timeout_s:g}s")
        except RuntimeFailed as error:
            return Outcome(ok=False, output=error.message, unknown=error.reason != "ExecError")
        return Outcome(ok=code == 0, output=output)


async def _http(request: probes.HttpRequest, timeout_s: float) -> Outcome:
    from kubelite.kubelet import http_get

    try:
        answer = await http_get.get(request, timeout_s=timeout_s)
    except http_get.HttpFailed as error:
        return Outcome(ok=False, output=str(error))
    if 200 <= answer.status < 400:
        return Outcome(ok=True, output=answer.body.decode(errors="replace"))
    return Outcome(ok=False, output=f"HTTP probe failed with statuscode: {answer.status}")


async def _tcp(host: str, port: int, timeout_s: float) -> Outcome:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(ok=False, output=f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        from kubelite.kubelet.http_get import dial_error

        return Outcome(ok=False, output=dial_error(host, port, error))
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Outcome(ok=True)


class Hooks:
    """Runs postStart and preStop handlers."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    async def run(self, target: Target, handler: LifecycleHandler) -> None:
        """Raises: HookFailed."""
        from kubelite.kubelet import http_get, probes

        try:
            if handler.exec is not None:
                code, output = await run_command(self._runtime, target.container_id, handler.exec.command)
                if code:
                    raise HookFailed(f"command terminated with exit code {code}: {output}")
            elif handler.http_get is not None:
                agent = "kube-lifecycle/1.33"
                request = probes.http_request(handler.http_get, target.spec, target.pod_ip, agent)
                answer = await http_get.get(request, timeout_s=HOOK_TIMEOUT_S)
                if not 200 <= answer.status < 400:
                    raise HookFailed(f"HTTP lifecycle hook ({request.path}) failed with status {answer.status}")
            elif handler.sleep is not None:
                await self._clock.sleep(handler.sleep.seconds)
        except (RuntimeFailed, http_get.HttpFailed, ValueError) as error:
            raise HookFailed(str(error)) from error
