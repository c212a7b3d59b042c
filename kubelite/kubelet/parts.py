"""What every pod worker of a node shares: made once by `kubelet`, handed to each worker."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Pod
from kubelite.client.interface import Client
from kubelite.client.plan import Report
from kubelite.client.view import View
from kubelite.kubelet.env import NodeFacts
from kubelite.kubelet.handlers import Hooks, ProbeRunner
from kubelite.kubelet.images import ImagePuller
from kubelite.kubelet.pleg import Pleg
from kubelite.kubelet.runtime import Runtime
from kubelite.kubelet.storage import Storage

COMPONENT = "kubelet"


class Recorder(Protocol):
    def report(self, component: str, report: Report) -> None: ...


class PodAddresses(Protocol):
    """The addresses of this node's pods."""

    def allocate(self) -> str:
        """Raises: RuntimeFailed when none is left."""

    def claim(self, ip: str) -> None:
        """`ip` is in use already."""

    def release(self, ip: str) -> None: ...


#: Takes an address out of every Service and returns when no new connection will reach it.
LeaveService = Callable[[str], Coroutine[Any, Any, None]]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    client: Client
    view: View
    runtime: Runtime
    clock: Clock
    recorder: Recorder
    pleg: Pleg
    puller: ImagePuller
    hooks: Hooks
    probes: ProbeRunner
    storage: Storage
    addresses: PodAddresses
    leave_service: LeaveService
    node: NodeFacts
    node_memory_bytes: int
    cluster_domain: str
    seccomp_root: str  #: where profiles of type Localhost are; empty: there are none
    runtime_name: str  #: the scheme of container ids, e.g. docker

    def report(self, pod: Pod, type_: str, reason: str, message: str, *, container: str = "") -> None:
        """An Event on the pod, or on one of its containers."""
        self.recorder.report(
            COMPONENT,
            Report(
                regarding=pod,
                type="Warning" if type_ == "Warning" else "Normal",
                reason=reason,
                message=message,
                field_path=_field_path(pod, container) if container else "",
            ),
        )


def _field_path(pod: Pod, container: str) -> str:
    kind = "containers"
    if any(each.name == container for each in pod.spec.init_containers):
        kind = "initContainers"
    elif any(each.name == container for each in pod.spec.ephemeral_containers):
        kind = "ephemeralContainers"
    return f"spec.{kind}{{{container}}}"
