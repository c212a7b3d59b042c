"""What the runtime shows of each pod, kept until an event says that it changed.

The name is upstream's: pod lifecycle event generator. Nothing is polled: an event of the runtime marks its pod, a relist marks
all; who asks next gets a fresh list.
"""

from __future__ import annotations

from collections.abc import Callable

from kubelite.kubelet.observed import ObservedPod, observed_pod
from kubelite.kubelet.runtime import Container, Runtime, RuntimeEvent, Sandbox

Listener = Callable[[RuntimeEvent], None]


class Pleg:
    """`subscribe` one listener; it hears every event after the cache knows of it, on the event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[str, ObservedPod] = {}
        self._asking: dict[str, object] = {}  # pod uid: the latest question that no event has outdated
        self._listener: Listener | None = None

    def subscribe(self, listener: Listener) -> None:
        self._listener = listener

    def hear(self, event: RuntimeEvent) -> None:
        """The runtime's listener."""
        if event.pod_uid:
            self.forget(event.pod_uid)
        else:
            self._known.clear()
            self._asking.clear()
        if self._listener is not None:
            self._listener(event)

    async def observe(self, pod_uid: str, *, fresh: bool = False) -> ObservedPod:
        """Raises: RuntimeFailed."""
        if not fresh and (known := self._known.get(pod_uid)) is not None:
            return known
        question = self._asking[pod_uid] = object()
        # The sandboxes first: the engine is slow to tell of a container that is just dying.
        sandboxes = await self._runtime.list_pod_sandboxes(pod_uid)
        containers = await self._runtime.list_containers(pod_uid)
        found = observed_pod(sandboxes, containers)
        if self._asking.get(pod_uid) is question:  # otherwise something happened meanwhile: the next one asks again
            self._known[pod_uid] = found
            del self._asking[pod_uid]
        return found

    async def observe_all(self) -> dict[str, ObservedPod]:
        """Every pod of this node that the runtime has anything of. Raises: RuntimeFailed."""
        sandboxes: dict[str, list[Sandbox]] = {}
        containers: dict[str, list[Container]] = {}
        for sandbox in await self._runtime.list_pod_sandboxes():
            sandboxes.setdefault(sandbox.uid, []).append(sandbox)
        for container in await self._runtime.list_containers():
            containers.setdefault(container.pod_uid, []).append(container)
        uids = {**sandboxes, **containers}
        return {uid: observed_pod(sandboxes.get(uid, []), containers.get(uid, [])) for uid in uids}

    def forget(self, pod_uid: str) -> None:
        self._known.pop(pod_uid, None)
        self._asking.pop(pod_uid, None)
