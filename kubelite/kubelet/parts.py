"""What every pod worker of a node shares: made once by `kubelet`, handed to each worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Pod
from kubelite.client.interface import Client
from kubelite.client.plan import Report
from kubelite.client.view import View
from kubelite.kubelet.handlers import Hooks, ProbeRunner
from kubelite.kubelet.host_ports import HostPort
from kubelite.kubelet.images import ImagePuller
from kubelite.kubelet.node_status import NodeFacts
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


class ServiceGate(Protocol):
    """Where the kubelet tells of its pods before the API can: the node's proxy. Not for pods on the host's network."""

    async def remove_endpoint(self, ip: str, *, dead: bool = False) -> None:
        """Returns when no new connection reaches `ip`; `dead`: not even where no other endpoint is left."""

    def map_host_ports(self, pod_uid: str, ip: str, ports: tuple[HostPort, ...]) -> None:
        """These ports of the host lead to the pod at `ip`, and no others of the pod's any more."""

    def restore_endpoint(self, ip: str) -> None:
        """The pod at `ip` is about to be reported ready: from now on its EndpointSlices decide."""


class NoServices:
    """The gate of a node without a proxy: its pods are in no kernel's maps."""

    async def remove_endpoint(self, ip: str, *, dead: bool = False) -> None:
        return None

    def map_host_ports(self, pod_uid: str, ip: str, ports: tuple[HostPort, ...]) -> None:
        return None

    def restore_endpoint(self, ip: str) -> None:
        return None


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
    services: ServiceGate
    mirror_of: Callable[[Pod], Pod | None]  #: the API's picture of a static pod
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
