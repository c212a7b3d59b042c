"""What a node says of itself: capacity, addresses, conditions, images. Pure.

Source: pkg/kubelet/nodestatus/setters.go, pkg/kubelet/kubelet_node_status.go, https://kubernetes.io/docs/reference/node/node-status/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeStatus,
    NodeSystemInfo,
)
from kubelite.api.meta import Quantity
from kubelite.api.quantity import canonical
from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.runtime import Image

KUBELET_VERSION = "v1.33.4+kubelite"
MAX_PODS = 110
MAX_IMAGES, MAX_IMAGE_NAMES = 50, 5
#: What the default eviction thresholds keep back. Source: pkg/kubelet/eviction/defaults_linux.go
RESERVED_MEMORY_BYTES = 100 << 20
RESERVED_DISK_PERCENT = 10


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What containers may ask about their node. `allocatable` stands in for missing limits."""

    host_ip: str
    allocatable: Mapping[str, Quantity]


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """What pods do not get, since below it they are evicted. `disk_bytes`: None is a tenth of the disk."""

    memory_bytes: int = RESERVED_MEMORY_BYTES
    disk_bytes: int | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a kubelet runs."""

    ip: str
    cpus: int
    memory_bytes: int
    disk_bytes: int
    huge_pages: Mapping[str, int] = msgspec.field(default_factory=dict)  #: size ("2Mi") to bytes
    max_pods: int = MAX_PODS
    reserved: Reserved = Reserved()
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel_version: str = ""
    os_image: str = ""
    architecture: str = "amd64"


class Signal(msgspec.Struct, frozen=True):
    """How much of something is left, and of how much."""

    available: int
    capacity: int


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """Less of a resource is left than there has to be; both amounts as quantities."""

    resource: str  #: memory | ephemeral-storage | inodes | pids
    threshold: str
    available: str
    is_soft: bool = False


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What may change. `not_ready` is the reason why the node takes no pods, if there is one."""

    not_ready: str = ""
    memory_pressure: bool = False
    disk_pressure: bool = False
    pid_pressure: bool = False
    disk_bytes: int = 0
    disk_free_bytes: int = 0
    signals: Mapping[str, Signal] = msgspec.field(default_factory=dict)  #: what was measured, by eviction signal
    shortages: tuple[Shortage, ...] = ()  #: what has to be relieved, the most urgent first

    @property
    def pressures(self) -> tuple[tuple[str, bool], ...]:
        """By the name of their condition."""
        return (
            ("MemoryPressure", self.memory_pressure),
            ("DiskPressure", self.disk_pressure),
            ("PIDPressure", self.pid_pressure),
        )


def capacity(machine: Machine) -> dict[str, Quantity]:
    return {
        "cpu": str(machine.cpus),
        "ephemeral-storage": canonical(f"{machine.disk_bytes // 1024}Ki"),
        **{f"hugepages-{size}": str(amount) for size, amount in machine.huge_pages.items()},
        "memory": canonical(f"{machine.memory_bytes // 1024}Ki"),
        "pods": str(machine.max_pods),
    }


def allocatable(machine: Machine) -> dict[str, Quantity]:
    memory = max(machine.memory_bytes - machine.reserved.memory_bytes, 0)
    kept = machine.reserved.disk_bytes
    if kept is None:
        kept = machine.disk_bytes * RESERVED_DISK_PERCENT // 100
    return capacity(machine) | {
        "ephemeral-storage": str(max(machine.disk_bytes - kept, 0)),
        "memory": canonical(f"{memory // 1024}Ki"),
    }


def node_labels(name: str, machine: Machine) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }


def compute_node_status(
    name: str,
    machine: Machine,
    health: Health,
    *,
    runtime: str,
    images: Sequence[Image],
    old: NodeStatus,
    now: float,
    port: int = 0,
) -> NodeStatus:
    """`runtime` as containerRuntimeVersion has it, e.g. docker://20.10.24; `old` keeps times and what others wrote;

    `port` is the kubelet's own API's, 0 if it serves none."""
    return replace(
        old,
        capacity={**old.capacity, **capacity(machine)},
        allocatable={**old.allocatable, **allocatable(machine)},
        conditions=_conditions(health, old, now),
        addresses=(NodeAddress(type="InternalIP", address=machine.ip), NodeAddress(type="Hostname", address=name)),
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=port)),
        node_info=NodeSystemInfo(
            machine_id=machine.machine_id,
            system_uuid=machine.system_uuid,
            boot_id=machine.boot_id,
            kernel_version=machine.kernel_version,
            os_image=machine.os_image,
            container_runtime_version=runtime,
            kubelet_version=KUBELET_VERSION,
            operating_system="linux",
            architecture=machine.architecture,
        ),
        images=_images(images),
    )


def _conditions(health: Health, old: NodeStatus, now: float) -> tuple[NodeCondition, ...]:
    ready = not health.not_ready
    table = (
        ("MemoryPressure", health.memory_pressure, "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory",
         "kubelet has insufficient memory available", "kubelet has sufficient memory available"),
        ("DiskPressure", health.disk_pressure, "KubeletHasDiskPressure", "KubeletHasNoDiskPressure",
         "kubelet has disk pressure", "kubelet has no disk pressure"),
        ("PIDPressure", health.pid_pressure, "KubeletHasInsufficientPID", "KubeletHasSufficientPID",
         "kubelet has insufficient PID available", "kubelet has sufficient PID available"),
        ("Ready", ready, "KubeletReady", "KubeletNotReady",
         "kubelet is posting ready status", health.not_ready),
    )  # fmt: skip
    known = {each.type: each for each in old.conditions}
    others = tuple(each for each in old.conditions if each.type not in {row[0] for row in table})
    made = []
    for type_, holds, reason, reason_not, message, message_not in table:
        status = "True" if holds else "False"
        before = known.get(type_)
        since = before.last_transition_time if before is not None and before.status == status else None
        made.append(
            NodeCondition(
                type=type_,
                status=status,
                last_heartbeat_time=rfc3339(now),
                last_transition_time=since or rfc3339(now),
                reason=reason if holds else reason_not,
                message=message if holds else message_not,
            )
        )
    return others + tuple(made)


def _images(images: Sequence[Image]) -> tuple[ContainerImage, ...]:
    """The largest first, as many as upstream reports."""
    largest = sorted(images, key=lambda image: image.size_bytes, reverse=True)[:MAX_IMAGES]
    return tuple(
        ContainerImage(names=(*image.digests, *image.tags)[:MAX_IMAGE_NAMES], size_bytes=image.size_bytes)
        for image in largest
    )


def same_but_for_heartbeat(one: NodeStatus, other: NodeStatus) -> bool:
    """Whether only the times of heartbeats differ."""

    def still(status: NodeStatus) -> NodeStatus:
        return replace(status, conditions=tuple(replace(each, last_heartbeat_time=None) for each in status.conditions))

    return still(one) == still(other)


def binary_quantity(amount: int) -> str:
    """Bytes as quantities print them.

    >>> binary_quantity(0), binary_quantity(1536), binary_quantity(5 << 20)
    ('0', '1536', '5Mi')
    """
    for shift, unit in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if amount and amount % (1 << shift) == 0:
            return f"{amount >> shift}{unit}"
    return str(amount)
