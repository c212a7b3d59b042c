"""Sees to it that a container's image is there, by its pull policy; failing pulls are held back per pod and image.

Source: pkg/kubelet/images/image_manager.go, https://kubernetes.io/docs/concepts/containers/images/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import anyio
import msgspec

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Secret
from kubelite.kubelet import crash_backoff
from kubelite.kubelet.crash_backoff import Delay
from kubelite.kubelet.pull_secrets import Credentials, credentials_for
from kubelite.kubelet.runtime import Image, Runtime, RuntimeFailed, Unreachable

#: An Event about the container: (type, reason, message).
Report = Callable[[str, str, str], None]

PARALLEL_PULLS = 5
_REFERENCE = re.compile(
    r"^(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+|/)[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)


class ImageFailed(Exception):
    """The image is not there. `reason` is the container's, e.g. ErrImagePull; `retry_at` when to try again."""

    def __init__(self, reason: str, message: str, retry_at: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_at = retry_at


class _Failure(msgspec.Struct, frozen=True):
    message: str
    delay: Delay


class ImagePuller:
    """One per node: pulls are limited, and an image that could not be pulled is remembered."""

    def __init__(
        self, runtime: Runtime, clock: Clock, *, pulled: Callable[[str], None] = lambda image_id: None
    ) -> None:
        """`pulled` hears the id of every image that was pulled."""
        self._runtime = runtime
        self._clock = clock
        self._pulled = pulled
        self._limit = anyio.CapacityLimiter(PARALLEL_PULLS)
        self._failures: dict[tuple[str, str], _Failure] = {}

    async def ensure(
        self, pod_uid: str, image: str, policy: str, *, secrets: Iterable[Secret], report: Report
    ) -> Image:
        """The image. Raises: ImageFailed."""
        if not _REFERENCE.match(image):
            text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            text += "invalid reference format"
            report("Warning", "InspectFailed", text)
            raise ImageFailed("InvalidImageName", text)
        try:
            present = await self._runtime.image_status(image)
        except RuntimeFailed as error:
            text = f'Failed to inspect image "{image}": {error.message}'
            report("Warning", "InspectFailed", text)
            raise ImageFailed("ImageInspectError", text) from error
        if present is not None and policy != "Always":
            report("Normal", "Pulled", f'Container image "{image}" already present on machine')
            return present
        if policy == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            report("Warning", "ErrImageNeverPull", text)
            raise ImageFailed("ErrImageNeverPull", text)
        return await self._pull((pod_uid, image), credentials_for(image, secrets), report)

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._failures if key[0] == pod_uid]:
            del self._failures[key]

    async def _pull(self, key: tuple[str, str], credentials: list[Credentials], report: Report) -> Image:
        image = key[1]
        failed = self._failures.get(key)
        decided_at = failed.delay.decided_at if failed is not None else 0.0
        if failed is not None and (until := crash_backoff.held_until(failed.delay, decided_at, self._clock.now())):
            text = f'Back-off pulling image "{image}"'
            report("Normal", "BackOff", text)
            raise ImageFailed("ImagePullBackOff", f"{text}: {failed.message}", until)
        report("Normal", "Pulling", f'Pulling image "{image}"')
        asked = self._clock.monotonic()
        try:
            async with self._limit:
                began = self._clock.monotonic()
                await self._pull_with(image, credentials)
            found = await self._runtime.image_status(image)
        except RuntimeFailed as error:
            known, now = failed.delay if failed else None, self._clock.now()
            delay = crash_backoff.next_delay(known, known.decided_at if known else now, now)
            self._failures[key] = _Failure(f"ErrImagePull: {error.message}", delay)
            report("Warning", "Failed", f'Failed to pull image "{image}": {error.message}')
            raise ImageFailed("ErrImagePull", error.message, now + delay.delay_s) from error
        if found is None:
            raise ImageFailed("ErrImagePull", f'image "{image}" is gone after it was pulled', self._clock.now() + 10)
        self._failures.pop(key, None)
        self._pulled(found.id)
        now = self._clock.monotonic()
        report(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{image}" in {now - began:.3f}s ({now - asked:.3f}s including waiting). '
            f"Image size: {found.size_bytes} bytes.",
        )
        return found

    async def _pull_with(self, image: str, credentials: list[Credentials]) -> None:
        """Tries each of them, or without any. Raises: RuntimeFailed of the last try."""
        tries = credentials or [Credentials("", "")]
        for last, each in enumerate(tries, start=1):
            try:
                await self._runtime.pull_image(image, username=each.username, password=each.password)
            except Unreachable:
                raise
            except RuntimeFailed:
                if last == len(tries):
                    raise
            else:
                return
