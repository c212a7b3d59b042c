"""What a kubelet asks of a container runtime, in the words of the Container Runtime Interface (CRI).

Two implementations pass the same contract suite: `docker` (real containers, the only file that knows aiodocker) and
`simulated` (nothing but state and a clock). This file holds only values and Protocols; it knows nothing of API objects:
`pod_worker` translates. Times are unix seconds, sizes bytes, CPU in CRI's cgroup terms.

Order of a pod: `run_pod_sandbox` -> `create_container` -> `start_container`; in reverse `stop_container` -> `remove_container`
-> `remove_pod_sandbox`. Every stop and remove is idempotent: what is already gone is no error.
Source: https://github.com/kubernetes/cri-api (api.proto)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

import msgspec

from kubelite.client.streams import ByteStream, ExecStream, LogOptions


class PodSandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One pod's shared environment. `ip` is chosen by the caller (empty with `host_network`)."""

    uid: str
    namespace: str
    name: str
    attempt: int = 0
    hostname: str
    ip: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    sysctls: Mapping[str, str] = msgspec.field(default_factory=dict)
    runtime_handler: str = ""  #: of the pod's RuntimeClass; empty: the runtime's default
    cgroup_parent: str = ""  #: e.g. /kubelite-1a2b/kubepods/burstable/pod<uid>
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    host_path: str
    container_path: str
    readonly: bool = False
    propagation: str = "rprivate"  #: rprivate | rslave | rshared


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Zero means unlimited, or the kernel's default."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 100_000
    memory_limit_bytes: int = 0
    pids_limit: int = 0
    oom_score_adj: int = 0


class SecurityContext(msgspec.Struct, frozen=True, kw_only=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    privileged: bool = False
    readonly_rootfs: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp: str = "unconfined"  #: unconfined | runtime/default | the profile's JSON text
    unmasked_proc: bool = False


class ContainerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One container, all references resolved. `command` None: the image's entrypoint; `args` None: the image's command."""

    name: str
    attempt: int
    image: str
    image_ref: str = ""  #: the id that `image_status` or `pull_image` gave; `image` if empty
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    resources: Resources = msgspec.field(default_factory=Resources)
    security: SecurityContext = msgspec.field(default_factory=SecurityContext)
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    target_id: str = ""  #: the container whose process namespace it joins
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


class State(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """An observed sandbox; `ready` when its process runs and its network is plumbed."""

    id: str
    uid: str
    namespace: str
    name: str
    attempt: int
    ready: bool
    ip: str
    created_at: float
    pid: int = 0
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """An observed container. Times are 0 when not reached; `reason` is CRI's (Completed, Error, OOMKilled, StartError)."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    image: str
    image_ref: str
    state: State
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    pid: int = 0
    resources: Resources | None = None  #: what the kernel holds it to; None: not known
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int
    user: str = ""
    env: tuple[str, ...] = ()


class RuntimeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a container or sandbox of `pod_uid`. An empty `pod_uid`: anything may have; list again."""

    pod_uid: str
    container_id: str = ""
    action: str = ""  #: create | start | update | die | oom | destroy | relist


class RuntimeVersion(msgspec.Struct, frozen=True, kw_only=True):
    name: str  #: e.g. docker
    version: str
    api_version: str


class RuntimeFailed(Exception):
    """The runtime refused or failed. `reason` is what the kubelet reports, e.g. ErrImagePull, CreateContainerError."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Unreachable(RuntimeFailed):
    """The runtime does not answer now; the same call may work later."""

    def __init__(self, message: str) -> None:
        super().__init__("RuntimeUnreachable", message)


class GroupUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of a control group. A limit of zero is none."""

    cpu_usage_ns: int = 0
    cpu_periods: int = 0
    cpu_throttled_periods: int = 0
    cpu_throttled_ns: int = 0
    memory_usage_bytes: int = 0
    memory_working_set_bytes: int = 0
    memory_rss_bytes: int = 0
    memory_cache_bytes: int = 0
    memory_limit_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    processes: int = 0


class ContainerStats(GroupUsage, frozen=True, kw_only=True):
    container_id: str
    at: float


class Runtime(Protocol):
    """The runtime of one node. Raises RuntimeFailed (with the kubelet's reason) and Unreachable.

    `run` is its actor loop (event stream, reconnects); it reports started when the runtime answered once, and calls
    `listener` for every event, synchronously. After a gap it sends a relist event, with the stream already open.
    """

    async def version(self) -> RuntimeVersion: ...
    async def run_pod_sandbox(self, config: PodSandboxConfig) -> Sandbox: ...
    async def stop_pod_sandbox(self, sandbox_id: str) -> None: ...
    async def remove_pod_sandbox(self, sandbox_id: str) -> None:
        """Kills and removes what is left of it, its containers included."""

    async def list_pod_sandboxes(self, pod_uid: str = "") -> list[Sandbox]: ...
    async def create_container(self, sandbox: Sandbox, config: ContainerConfig) -> str:
        """Returns the container's id."""

    async def start_container(self, container_id: str) -> None: ...
    async def stop_container(self, container_id: str, *, grace_s: float) -> None:
        """TERM (or the image's stop signal), then KILL after `grace_s`; returns when the container is dead."""

    async def remove_container(self, container_id: str) -> None: ...
    async def list_containers(self, pod_uid: str = "") -> list[Container]: ...
    async def update_container(self, container_id: str, resources: Resources) -> None: ...
    async def writable_bytes(self, container_id: str) -> int:
        """What a container has written to its own file system and log; 0 if it is gone."""

    async def image_status(self, image: str) -> Image | None: ...
    async def pull_image(self, image: str, *, username: str = "", password: str = "") -> str:
        """Returns the image's id."""

    async def list_images(self) -> list[Image]: ...
    async def remove_image(self, image: str) -> None: ...
    async def image_layers(self, image: str) -> tuple[str, ...]:
        """The directories on this host that an image's files are in, the topmost first; none if there are no files."""

    def exec(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool = False, tty: bool = False
    ) -> AbstractAsyncContextManager[ExecStream]:
        """Runs a process; leaving the context kills what still runs."""

    def attach(
        self, container_id: str, *, stdin: bool = False, tty: bool = False
    ) -> AbstractAsyncContextManager[ExecStream]: ...
    def dial(self, sandbox_id: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A TCP connection to 127.0.0.1:`port` inside the pod's network namespace."""

    def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[bytes]: ...
    async def stats(self, container_ids: tuple[str, ...]) -> list[ContainerStats]: ...
