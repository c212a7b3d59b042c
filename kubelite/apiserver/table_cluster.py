"""The rows of everything else: nodes, namespaces, configuration, storage, events, rights. Pure.

Source: kubernetes pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubelite.api import coordination_v1 as coordination, core_v1 as core, scheduling_v1 as scheduling
from kubelite.api.apiservices import service_cells
from kubelite.api.timestamp import parse_rfc3339
from kubelite.apiserver.table_columns import (
    NONE,
    UNKNOWN,
    UNSET,
    Column,
    Printer,
    age,
    columns,
    human_duration,
    joined,
    since,
)

_ROLE = "node-role.kubernetes.io/"
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _roles(labels: Mapping[str, str]) -> Iterable[str]:
    for key, value in sorted(labels.items()):
        if key.startswith(_ROLE) and key != _ROLE:
            yield key.removeprefix(_ROLE)
        elif key == "kubernetes.io/role" and value:
            yield value


def _address(node: core.Node, type_: str) -> str:
    return next((entry.address for entry in node.status.addresses if entry.type == type_), NONE)


def _node(obj: core.Node, now: float) -> Sequence[Any]:
    ready = next((entry for entry in obj.status.conditions if entry.type == "Ready"), None)
    status = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    info = obj.status.node_info
    return (
        obj.metadata.name,
        f"{status},SchedulingDisabled" if obj.spec.unschedulable else status,
        joined(dict.fromkeys(_roles(obj.metadata.labels))),
        age(obj, now),
        info.kubelet_version,
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.os_image or UNKNOWN,
        info.kernel_version or UNKNOWN,
        info.container_runtime_version or UNKNOWN,
    )


NODE = Printer(
    columns(
        *("Name", "Status", "Roles", "Age", "Version"),
        wide=("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
    ),
    _node,
)


def _namespace(obj: core.Namespace, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.status.phase, age(obj, now)


NAMESPACE = Printer(columns("Name", "Status", "Age"), _namespace)


def _config_map(obj: core.ConfigMap, now: float) -> Sequence[Any]:
    return obj.metadata.name, len(obj.data) + len(obj.binary_data), age(obj, now)


CONFIG_MAP = Printer(columns("Name", "Data", "Age"), _config_map)


def _secret(obj: core.Secret, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.type, len(obj.data), age(obj, now)


SECRET = Printer(columns("Name", "Type", "Data", "Age"), _secret)


def _account(obj: core.ServiceAccount, now: float) -> Sequence[Any]:
    return obj.metadata.name, len(obj.secrets), age(obj, now)


ACCOUNT = Printer(columns("Name", "Secrets", "Age"), _account)


def _modes(modes: Iterable[str]) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in dict.fromkeys(modes))


def _volume(obj: core.PersistentVolume, now: float) -> Sequence[Any]:
    spec, claim = obj.spec, obj.spec.claim_ref
    deleting = obj.metadata.deletion_timestamp is not None
    return (
        obj.metadata.name,
        str(spec.capacity.get("storage", "")),
        _modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        "Terminating" if deleting else obj.status.phase,
        f"{claim.namespace}/{claim.name}" if claim is not None else "",
        obj.metadata.annotations.get("volume.beta.kubernetes.io/storage-class", spec.storage_class_name),
        spec.volume_attributes_class_name or UNSET,
        obj.status.reason,
        age(obj, now),
        spec.volume_mode or UNSET,
    )


VOLUME = Printer(
    columns(
        *("Name", "Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass"),
        *("VolumeAttributesClass", "Reason", "Age"),
        wide=("VolumeMode",),
    ),
    _volume,
)


def _claim(obj: core.PersistentVolumeClaim, now: float) -> Sequence[Any]:
    spec, bound = obj.spec, bool(obj.spec.volume_name)
    deleting = obj.metadata.deletion_timestamp is not None
    return (
        obj.metadata.name,
        "Terminating" if deleting else obj.status.phase,
        spec.volume_name,
        str(obj.status.capacity.get("storage", "")) if bound else "",
        _modes(obj.status.access_modes) if bound else "",
        obj.metadata.annotations.get("volume.beta.kubernetes.io/storage-class", spec.storage_class_name or ""),
        spec.volume_attributes_class_name or UNSET,
        age(obj, now),
        spec.volume_mode or UNSET,
    )


CLAIM = Printer(
    columns(
        *("Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass", "Age"),
        wide=("VolumeMode",),
    ),
    _claim,
)


def _storage_class(obj: Any, now: float) -> Sequence[Any]:
    default = obj.metadata.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return (
        f"{obj.metadata.name} (default)" if default else obj.metadata.name,
        obj.provisioner,
        obj.reclaim_policy or "Delete",
        obj.volume_binding_mode or "Immediate",
        bool(obj.allow_volume_expansion),
        age(obj, now),
    )


STORAGE_CLASS = Printer(
    columns("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"), _storage_class
)


def _source(component: str, host: str) -> str:
    return f"{component}, {host}" if component and host else component or host


def _event(obj: Any, now: float) -> Sequence[Any]:
    """core/v1 and events.k8s.io/v1 Events, whose fields have other names."""
    old = isinstance(obj, core.Event)
    about = obj.involved_object if old else obj.regarding
    first_seen = obj.first_timestamp if old else obj.deprecated_first_timestamp
    last_seen = obj.last_timestamp if old else obj.deprecated_last_timestamp
    count = (obj.count if old else obj.deprecated_count) or 1
    source = obj.source if old else obj.deprecated_source
    first = since(first_seen or obj.event_time, now)
    last = since(last_seen, now) if last_seen else first
    if obj.series is not None:
        last = human_duration(now - parse_rfc3339(obj.series.last_observed_time or obj.event_time))
        count = obj.series.count
    reporter = obj.reporting_component if old else obj.reporting_controller
    return (
        last,
        obj.type,
        obj.reason,
        f"{about.kind.lower()}/{about.name}" if about is not None else "",
        about.field_path if about is not None else "",
        _source(source.component or reporter, source.host or obj.reporting_instance),
        (obj.message if old else obj.note).strip(),
        first,
        count,
        obj.metadata.name,
    )


EVENT = Printer(
    (
        *columns("Last Seen", "Type", "Reason", "Object", wide=("Subobject", "Source")),
        *columns("Message", wide=("First Seen",)),
        Column("Count", "integer", priority=1),
        Column("Name", format="name", priority=1),
    ),
    _event,
)


def _binding(obj: Any, now: float) -> Sequence[Any]:
    by_kind: dict[str, list[str]] = {}
    for subject in obj.subjects:
        name = f"{subject.namespace}/{subject.name}" if subject.kind == "ServiceAccount" else subject.name
        by_kind.setdefault(subject.kind, []).append(name)
    subjects = [", ".join(by_kind.get(kind, ())) for kind in ("User", "Group", "ServiceAccount")]
    return (obj.metadata.name, f"{obj.role_ref.kind}/{obj.role_ref.name}", age(obj, now), *subjects)


BINDING = Printer(columns("Name", "Role", "Age", wide=("Users", "Groups", "ServiceAccounts")), _binding)


def _lease(obj: coordination.Lease, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.spec.holder_identity or "", age(obj, now)


LEASE = Printer(columns("Name", "Holder", "Age"), _lease)


def _priority(obj: scheduling.PriorityClass, now: float) -> Sequence[Any]:
    policy = obj.preemption_policy or "PreemptLowerPriority"
    return obj.metadata.name, obj.value, obj.global_default, age(obj, now), policy


PRIORITY = Printer(
    columns(*("Name", "Value", "Global-Default", "Age", "PreemptionPolicy"), value="integer", global_default="boolean"),
    _priority,
)


def _quota(obj: core.ResourceQuota, now: float) -> Sequence[Any]:
    request: list[str] = []
    limit: list[str] = []
    for name in sorted(obj.status.hard):
        text = f"{name}: {obj.status.used.get(name, 0)}/{obj.status.hard[name]}"
        (limit if name.startswith("limits.") else request).append(text)
    return obj.metadata.name, ", ".join(request), ", ".join(limit), age(obj, now)


QUOTA = Printer(columns("Name", "Request", "Limit", "Age"), _quota)


def _signing_request(obj: Any, now: float) -> Sequence[Any]:
    types = {entry.type for entry in obj.status.conditions}
    shown = [name for name in ("Approved", "Denied", "Failed") if name in types] or ["Pending"]
    if obj.status.certificate:
        shown.append("Issued")
    seconds = obj.spec.expiration_seconds
    wanted = human_duration(seconds) if seconds is not None else NONE
    return obj.metadata.name, age(obj, now), obj.spec.signer_name, obj.spec.username, wanted, ",".join(shown)


SIGNING_REQUEST = Printer(
    columns("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"), _signing_request
)


def _runtime_class(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.handler, age(obj, now)


RUNTIME_CLASS = Printer(columns("Name", "Handler", "Age"), _runtime_class)


def _component(obj: core.ComponentStatus, now: float) -> Sequence[Any]:
    healthy = next((each for each in obj.conditions if each.type == "Healthy"), None)
    if healthy is None:
        return obj.metadata.name, "Unknown", "", ""
    status = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.status, "Unknown")
    return obj.metadata.name, status, healthy.message, healthy.error


COMPONENT = Printer(columns("Name", "Status", "Message", "Error"), _component)


def _api_service(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, *service_cells(obj), age(obj, now)


API_SERVICE = Printer(columns("Name", "Service", "Available", "Age"), _api_service)


def _scale(obj: Any, now: float) -> Sequence[Any]:
    return obj.metadata.name, obj.spec.replicas, obj.status.replicas, age(obj, now)


SCALE = Printer(columns("Name", "Desired", "Available", "Age", desired="integer", available="integer"), _scale)
