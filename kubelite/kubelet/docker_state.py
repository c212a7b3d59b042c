"""What the engine reports, as the kubelet's values. Pure; reads only the fields that it needs.

The labels on a container are all that a restarted kubelet knows of it, so this file also names them; `docker_config` writes
them. Source: https://docs.docker.com/reference/api/engine/ (ContainerInspect), upstream's dockershim (naming of containers,
mapping of states), containerd's CRI plugin (StartError, exit code 128)
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kubelite.api.timestamp import parse_rfc3339
from kubelite.kubelet.runtime import Container, Image, Resources, Sandbox, State

INSTANCE = "kubelite.io/instance"
SANDBOX_ID = "kubelite.io/sandbox-id"
ATTEMPT = "kubelite.io/attempt"
POD_IP = "kubelite.io/pod-ip"
IMAGE = "kubelite.io/image"
#: On a sandbox whose containers join its PID namespace.
SHARES_PIDS = "kubelite.io/shares-pids"
POD_UID = "io.kubernetes.pod.uid"
POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
CONTAINER_NAME = "io.kubernetes.container.name"
#: Annotations are kept as labels with this prefix: the engine has no annotations.
ANNOTATION = "annotation."
#: The container name of a sandbox, as upstream's; no container of a pod can have it.
SANDBOX_NAME = "POD"

_OWN = frozenset(
    {INSTANCE, SANDBOX_ID, ATTEMPT, POD_IP, IMAGE, SHARES_PIDS, POD_UID, POD_NAME, POD_NAMESPACE, CONTAINER_NAME}
)
#: What containerd reports for a container whose process could not be started.
_START_ERROR_EXIT_CODE = 128


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An entry of the engine's list."""

    id: str


class Created(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str


class InspectedState(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    status: str
    running: bool = False
    paused: bool = False
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ""
    finished_at: str = ""


class InspectedConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    labels: dict[str, str] | None = None
    tty: bool = False
    image: str = ""


class InspectedHost(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    cgroup_parent: str = ""
    pid_mode: str = ""
    runtime: str = ""
    cpu_shares: int = 0
    cpu_quota: int = 0
    memory: int = 0


class Inspected(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str
    created: str
    log_path: str = ""
    size_rw: int = 0
    image: str = ""
    state: InspectedState
    config: InspectedConfig
    host_config: InspectedHost = msgspec.field(default_factory=InspectedHost)


class InspectedExec(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    running: bool = False
    exit_code: int | None = None
    pid: int = 0


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    user: str = ""
    env: list[str] | None = None


class InspectedImage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    size: int = 0
    config: ImageConfig | None = None


class Pruned(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    images_deleted: list[dict[str, str]] | None = None
    space_reclaimed: int = 0


class EventActor(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = msgspec.field(default="", name="ID")
    attributes: dict[str, str] = msgspec.field(default_factory=dict)


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    action: str = ""
    actor: EventActor = msgspec.field(default_factory=EventActor)


class Info(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    architecture: str = "x86_64"
    cgroup_driver: str = "cgroupfs"
    docker_root_dir: str = ""
    runtimes: dict[str, object] = msgspec.field(default_factory=dict)


def parse_time(text: str) -> float:
    """Unix seconds of the engine's time; 0 for its "never", which is in the year 1.

    >>> parse_time("1970-01-01T00:00:01.500000000Z"), parse_time("0001-01-01T00:00:00Z")
    (1.5, 0.0)
    """
    return max(0.0, parse_rfc3339(text)) if text else 0.0


def parse_sandbox(found: Inspected, *, attached: bool) -> Sandbox:
    labels = found.config.labels or {}
    return Sandbox(
        id=found.id,
        uid=labels.get(POD_UID, ""),
        namespace=labels.get(POD_NAMESPACE, ""),
        name=labels.get(POD_NAME, ""),
        attempt=int(labels.get(ATTEMPT, "0")),
        ready=found.state.running and not found.state.paused and attached,
        ip=labels.get(POD_IP, ""),
        created_at=parse_time(found.created),
        pid=found.state.pid,
        labels=_labels(labels),
        annotations=_annotations(labels),
    )


def parse_container(found: Inspected, *, out_of_memory: bool = False) -> Container:
    """`out_of_memory`: the kernel said so; the engine forgets it where it hears of the end first."""
    labels = found.config.labels or {}
    facts = found.state
    created_at, finished_at = parse_time(found.created), parse_time(facts.finished_at)
    state, reason, message, exit_code = State.EXITED, "", "", facts.exit_code
    if facts.running or facts.paused:
        state, exit_code, finished_at = State.RUNNING, 0, 0.0
    elif facts.status == "created" and not facts.exit_code:
        state = State.CREATED
    elif facts.status == "created" or (facts.error and not finished_at):
        reason, message, exit_code, finished_at = "StartError", facts.error, _START_ERROR_EXIT_CODE, created_at
    elif facts.exit_code == 0:
        # Also when a child was killed for memory: the engine says OOMKilled, but the container did its work.
        reason = "Completed"
    else:
        reason = "OOMKilled" if facts.oom_killed or out_of_memory else "Error"
    return Container(
        id=found.id,
        sandbox_id=labels.get(SANDBOX_ID, ""),
        pod_uid=labels.get(POD_UID, ""),
        name=labels.get(CONTAINER_NAME, ""),
        attempt=int(labels.get(ATTEMPT, "0")),
        image=labels.get(IMAGE, found.config.image),
        image_ref=found.image,
        state=state,
        created_at=created_at,
        started_at=parse_time(facts.started_at),
        finished_at=finished_at,
        exit_code=exit_code,
        reason=reason,
        message=message,
        pid=facts.pid,
        resources=Resources(
            cpu_shares=found.host_config.cpu_shares,
            cpu_quota_us=found.host_config.cpu_quota,
            memory_limit_bytes=found.host_config.memory,
        ),
        labels=_labels(labels),
        annotations=_annotations(labels),
    )


def parse_image(found: InspectedImage) -> Image:
    config = found.config or ImageConfig()
    return Image(
        id=found.id,
        tags=tuple(tag for tag in found.repo_tags or () if tag != "<none>:<none>"),
        digests=tuple(digest for digest in found.repo_digests or () if digest != "<none>@<none>"),
        size_bytes=found.size,
        user=config.user,
        env=tuple(config.env or ()),
    )


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in _OWN and not key.startswith(ANNOTATION)}


def _annotations(labels: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(ANNOTATION): value for key, value in labels.items() if key.startswith(ANNOTATION)}
