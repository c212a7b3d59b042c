"""Starts the containers of one pod: image, configuration, create, start, postStart; and remembers what stood in the way.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer), kuberuntime_manager.go (SyncPod)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from kubelite.api.core_v1 import Container as ContainerSpec, EphemeralContainer, Pod, Secret
from kubelite.kubelet import crash_backoff
from kubelite.kubelet.container_config import container_config, pod_ref, seccomp_profile
from kubelite.kubelet.container_status import Waiting
from kubelite.kubelet.crash_backoff import Delay
from kubelite.kubelet.env import Addresses, ConfigFailed, container_env
from kubelite.kubelet.handlers import HookFailed, Target
from kubelite.kubelet.images import ImageFailed, Report
from kubelite.kubelet.observed import Spec, find_spec, is_sidecar
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_actions import Held, Start
from kubelite.kubelet.runtime import Container, RuntimeFailed, Sandbox

#: When a container that could not be made is tried again, if nothing happens before. Source: pod_workers.go (backOffPeriod)
RETRY_S = 10.0
#: How often a pod that waits for a back-off is looked at, and the wait told of.
RESYNC_S = 12.0
#: How long a failed pull is shown as such before it is shown as held back.
SHOW_PULL_ERROR_S = 1.0


class _StartFailed(Exception):
    def __init__(self, reason: str, message: str, retry_at: float | None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_at = retry_at


class PodStarter:
    """The memory of one pod's starts: back-off delays, and why containers wait."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.delays: dict[str, Delay] = {}
        self.waiting: dict[str, Waiting] = {}
        self._retry_at: dict[str, float] = {}

    def retry_now(self) -> None:
        """What a container is made from changed."""
        self._retry_at.clear()

    def hold(self, pod: Pod, held: Held) -> None:
        """A container waits for its back-off; told at every pass, and counted."""
        ref = pod_ref(pod)
        delay = crash_backoff.duration(held.delay_s)
        text = f"back-off {delay} restarting failed container={held.name} pod={ref}"
        self.waiting[held.name] = Waiting("CrashLoopBackOff", text)
        event = f"Back-off restarting failed container {held.name} in pod {ref}"
        self._parts.report(pod, "Warning", "BackOff", event, container=held.name)

    async def start_all(
        self, pod: Pod, sandbox: Sandbox, starts: tuple[Start, ...], running: Sequence[Container]
    ) -> float | None:
        """Starts them in order; returns when to try again what failed. An init container that fails stops the rest."""
        requeue: float | None = None
        for start in starts:
            spec = find_spec(pod, start.name)
            if spec is None:
                continue
            retry, now = self._retry_at.get(start.name), self._parts.clock.now()
            if retry is None or not now < retry <= now + RESYNC_S:  # beyond that: the clock was set back
                retry = await self._try(pod, sandbox, start, spec, running)
            if retry is None:
                continue
            requeue = min(requeue or retry, retry)
            if start.kind == "init" and not (isinstance(spec, ContainerSpec) and is_sidecar(spec)):
                break
        return requeue

    async def _try(
        self, pod: Pod, sandbox: Sandbox, start: Start, spec: Spec, running: Sequence[Container]
    ) -> float | None:
        """Starts one container; returns when to try again if that failed."""
        name = start.name
        try:
            await self._start(pod, sandbox, start, spec, running)
        except _StartFailed as failed:
            self.waiting[name] = Waiting(failed.reason, failed.message)
            now = self._parts.clock.now()
            retry_at = min(failed.retry_at, now + RESYNC_S) if failed.retry_at else now + RETRY_S
            self._retry_at[name] = retry_at
            return retry_at
        self.waiting.pop(name, None)
        self._retry_at.pop(name, None)
        return None

    async def _start(self, pod: Pod, sandbox: Sandbox, start: Start, spec: Spec, running: Sequence[Container]) -> None:
        parts = self._parts

        def report(type_: str, reason: str, message: str) -> None:
            parts.report(pod, type_, reason, message, container=spec.name)

        def fail(reason: str, message: str, retry_at: float | None = None, *, shown: str = "") -> _StartFailed:
            report("Warning", "Failed", f"Error: {shown or message}")
            return _StartFailed(reason, message, retry_at)

        try:
            image = await parts.puller.ensure(
                pod.metadata.uid,
                spec.image,
                spec.image_pull_policy or "IfNotPresent",
                secrets=self._pull_secrets(pod),
                report=report,
            )
        except ImageFailed as error:
            retry_at = error.retry_at
            if error.reason == "ErrImagePull":
                retry_at = parts.clock.now() + SHOW_PULL_ERROR_S
            raise fail(error.reason, error.message, retry_at, shown=error.reason) from error
        await self._mount_images(pod, spec, report, fail)
        addresses = Addresses(pod_ip=sandbox.ip, node=parts.node)
        try:
            env = container_env(pod, spec, parts.view, addresses)
            mounts = await parts.storage.mounts(pod, spec, attempt=start.attempt, env=env, addresses=addresses)
            config = container_config(
                pod,
                spec,
                attempt=start.attempt,
                image=image,
                env=env,
                mounts=mounts,
                seccomp_text=self._seccomp_text(pod, spec),
                target_id=_target_id(spec, running),
                node_memory_bytes=parts.node_memory_bytes,
            )
        except (ConfigFailed, OSError) as error:
            raise fail("CreateContainerConfigError", str(error)) from error
        # Not to be cut short: a container whose id nobody has heard could not be ended.
        with anyio.CancelScope(shield=True):
            try:
                container_id = await parts.runtime.create_container(sandbox, config)
            except RuntimeFailed as error:
                raise fail("CreateContainerError", error.message) from error
            report("Normal", "Created", f"Created container: {spec.name}")
            if start.delay is not None:
                self.delays[spec.name] = start.delay
            try:
                await parts.runtime.start_container(container_id)
            except RuntimeFailed as error:
                raise fail("RunContainerError", error.message, parts.clock.now()) from error
            report("Normal", "Started", f"Started container {spec.name}")
        await self._post_start(pod, sandbox, spec, container_id)

    async def _mount_images(self, pod: Pod, spec: Spec, report: Report, fail: Callable[..., _StartFailed]) -> None:
        """Image volumes, which are pulled like the container's own image. Raises: _StartFailed."""
        parts, named = self._parts, {mount.name for mount in spec.volume_mounts}
        for volume in pod.spec.volumes:
            if volume.image is None or volume.name not in named:
                continue
            reference, policy = volume.image.reference, volume.image.pull_policy or "IfNotPresent"
            try:
                image = await parts.puller.ensure(
                    pod.metadata.uid, reference, policy, secrets=self._pull_secrets(pod), report=report
                )
                parts.storage.mount_image(pod, volume.name, await parts.runtime.image_layers(image.id))
            except ImageFailed as error:
                raise fail(error.reason, error.message, error.retry_at, shown=error.reason) from error
            except (RuntimeFailed, OSError) as error:
                raise fail(
                    "ImageVolumeMountFailed", f'failed to mount image volume "{volume.name}": {error}'
                ) from error

    async def _post_start(self, pod: Pod, sandbox: Sandbox, spec: Spec, container_id: str) -> None:
        hook = spec.lifecycle.post_start if spec.lifecycle else None
        if hook is None:
            return
        target = Target(pod=pod, spec=spec, container_id=container_id, pod_ip=sandbox.ip)
        try:
            await self._parts.hooks.run(target, hook)
        except HookFailed as error:
            parts = self._parts
            parts.report(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", container=spec.name)
            parts.report(pod, "Normal", "Killing", "FailedPostStartHook", container=spec.name)
            await parts.runtime.stop_container(container_id, grace_s=2.0)
            raise _StartFailed("PostStartHookError", "PostStartHook failed", parts.clock.now()) from error

    def _pull_secrets(self, pod: Pod) -> list[Secret]:
        view, namespace = self._parts.view, pod.metadata.namespace
        found = [view.get(Secret, each.name, namespace) for each in pod.spec.image_pull_secrets]
        return [each for each in found if each is not None]

    def _seccomp_text(self, pod: Pod, spec: Spec) -> str:
        """Raises: ConfigFailed, OSError."""
        profile = seccomp_profile(pod, spec)
        if profile is None or profile.type != "Localhost":
            return ""
        if not self._parts.seccomp_root or not profile.localhost_profile:
            raise ConfigFailed("localhostProfile must be set if seccompProfile type is Localhost.")
        return (Path(self._parts.seccomp_root) / profile.localhost_profile).read_text()


def _target_id(spec: Spec, running: Sequence[Container]) -> str:
    """The container whose processes an ephemeral one wants to see. Raises: ConfigFailed."""
    name = spec.target_container_name if isinstance(spec, EphemeralContainer) else ""
    if not name:
        return ""
    found = next((each.id for each in running if each.name == name), "")
    if not found:
        raise ConfigFailed(f"unable to find target container {name}")
    return found
