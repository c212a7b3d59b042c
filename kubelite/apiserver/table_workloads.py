"""The rows of workloads: replica sets and what makes them, sets, jobs, autoscalers and budgets. Pure.

Source: kubernetes pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubelite.api import apps_v1 as apps, autoscaling_v2 as autoscaling, batch_v1 as batch, policy_v1 as policy
from kubelite.api.timestamp import parse_rfc3339
from kubelite.apiserver.table_columns import (
    NONE,
    UNKNOWN,
    UNSET,
    Printer,
    age,
    columns,
    container_columns,
    human_duration,
    labels_text,
    selector_text,
    since,
)

_WIDE = ("Containers", "Images", "Selector")


def _replicas(obj: Any, now: float) -> Sequence[Any]:
    """ReplicaSet and ReplicationController."""
    selector = obj.spec.selector
    shown = selector_text(selector) if isinstance(obj, apps.ReplicaSet) else labels_text(selector)
    status = obj.status
    counts = (obj.spec.replicas or 0, status.replicas, status.ready_replicas)
    return (obj.metadata.name, *counts, age(obj, now), *container_columns(obj.spec.template), shown)


REPLICAS = Printer(
    columns(
        "Name", "Desired", "Current", "Ready", "Age", wide=_WIDE, desired="integer", current="integer", ready="integer"
    ),
    _replicas,
)


def _deployment(obj: apps.Deployment, now: float) -> Sequence[Any]:
    status = obj.status
    return (
        obj.metadata.name,
        f"{status.ready_replicas}/{obj.spec.replicas or 0}",
        status.updated_replicas,
        status.available_replicas,
        age(obj, now),
        *container_columns(obj.spec.template),
        selector_text(obj.spec.selector),
    )


DEPLOYMENT = Printer(columns("Name", "Ready", "Up-to-date", "Available", "Age", wide=_WIDE), _deployment)


def _daemon_set(obj: apps.DaemonSet, now: float) -> Sequence[Any]:
    status = obj.status
    return (
        obj.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
        labels_text(obj.spec.template.spec.node_selector),
        age(obj, now),
        *container_columns(obj.spec.template),
        selector_text(obj.spec.selector),
    )


DAEMON_SET = Printer(
    columns(
        *("Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age"),
        wide=_WIDE,
        desired="integer",
        current="integer",
        ready="integer",
        up_to_date="integer",
        available="integer",
    ),
    _daemon_set,
)


def _stateful_set(obj: apps.StatefulSet, now: float) -> Sequence[Any]:
    ready = f"{obj.status.ready_replicas}/{obj.spec.replicas or 0}"
    return (obj.metadata.name, ready, age(obj, now), *container_columns(obj.spec.template))


STATEFUL_SET = Printer(columns("Name", "Ready", "Age", wide=("Containers", "Images")), _stateful_set)


def _revision(obj: apps.ControllerRevision, now: float) -> Sequence[Any]:
    owner = next((entry for entry in obj.metadata.owner_references if entry.controller), None)
    group = owner.api_version.rpartition("/")[0] if owner else ""
    kind = owner.kind.lower() if owner else ""
    shown = f"{kind}.{group}/{owner.name}" if owner and group else f"{kind}/{owner.name}" if owner else NONE
    return obj.metadata.name, shown, obj.revision, age(obj, now)


REVISION = Printer(columns("Name", "Controller", "Revision", "Age"), _revision)


def _job_status(obj: batch.Job) -> str:
    true = {entry.type for entry in obj.status.conditions if entry.status == "True"}
    for type_, shown in (("Complete", "Complete"), ("Failed", "Failed")):
        if type_ in true:
            return shown
    if obj.metadata.deletion_timestamp is not None:
        return "Terminating"
    for type_, shown in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if type_ in true:
            return shown
    return "SuccessCriteriaMet" if "SuccessCriteriaMet" in true else "Running"


def _job(obj: batch.Job, now: float) -> Sequence[Any]:
    spec, status = obj.spec, obj.status
    if spec.completions is not None:
        completions = f"{status.succeeded}/{spec.completions}"
    elif (spec.parallelism or 0) > 1:
        completions = f"{status.succeeded}/1 of {spec.parallelism}"
    else:
        completions = f"{status.succeeded}/1"
    duration = ""
    if status.start_time:
        end = parse_rfc3339(status.completion_time) if status.completion_time else now
        duration = human_duration(end - parse_rfc3339(status.start_time))
    return (
        obj.metadata.name,
        _job_status(obj),
        completions,
        duration,
        age(obj, now),
        *container_columns(spec.template),
        selector_text(spec.selector),
    )


JOB = Printer(columns("Name", "Status", "Completions", "Duration", "Age", wide=_WIDE), _job)


def _cron_job(obj: batch.CronJob, now: float) -> Sequence[Any]:
    last = obj.status.last_schedule_time
    return (
        obj.metadata.name,
        obj.spec.schedule,
        obj.spec.time_zone or NONE,
        str(bool(obj.spec.suspend)) if obj.spec.suspend is not None else UNSET,
        len(obj.status.active),
        since(last, now) if last else NONE,
        age(obj, now),
        *container_columns(obj.spec.job_template.spec.template),
        selector_text(obj.spec.job_template.spec.selector),
    )


CRON_JOB = Printer(
    columns(
        *("Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"),
        wide=_WIDE,
        suspend="boolean",
        active="integer",
    ),
    _cron_job,
)


def _template(obj: Any, now: float) -> Sequence[Any]:
    return (obj.metadata.name, *container_columns(obj.template), labels_text(obj.template.metadata.labels))


POD_TEMPLATE = Printer(columns("Name", "Containers", "Images", "Pod Labels"), _template)


def _targets(obj: autoscaling.HorizontalPodAutoscaler) -> str:
    shown = []
    current = {m.resource.name: m.resource.current for m in obj.status.current_metrics if m.resource is not None}
    for metric in obj.spec.metrics:
        if metric.type != "Resource" or metric.resource is None:
            shown.append(f"{UNKNOWN}/{metric.type}")
            continue
        target, now_at = metric.resource.target, current.get(metric.resource.name)
        if target.average_value is not None:
            value = now_at.average_value if now_at else None
            shown.append(f"{metric.resource.name}: {value if value is not None else UNKNOWN}/{target.average_value}")
            continue
        used = now_at.average_utilization if now_at else None
        percent = f"{used}%" if used is not None else UNKNOWN
        aim = f"{target.average_utilization}%" if target.average_utilization is not None else "<auto>"
        shown.append(f"{metric.resource.name}: {percent}/{aim}")
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more if shown else NONE


def _autoscaler(obj: Any, now: float) -> Sequence[Any]:
    spec, ref = obj.spec, obj.spec.scale_target_ref
    if isinstance(obj, autoscaling.HorizontalPodAutoscaler):
        targets = _targets(obj)
    else:
        used, aim = obj.status.current_cpu_utilization_percentage, spec.target_cpu_utilization_percentage
        percent = f"{used}%" if used is not None else UNKNOWN
        targets = f"cpu: {percent}/{f'{aim}%' if aim is not None else '<auto>'}"
    minimum = spec.min_replicas if spec.min_replicas is not None else UNSET
    return (
        obj.metadata.name,
        f"{ref.kind}/{ref.name}",
        targets,
        str(minimum),
        spec.max_replicas,
        obj.status.current_replicas,
        age(obj, now),
    )


AUTOSCALER = Printer(
    columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"),
    _autoscaler,
)


def _budget(obj: policy.PodDisruptionBudget, now: float) -> Sequence[Any]:
    spec = obj.spec
    least = "N/A" if spec.min_available is None else str(spec.min_available)
    most = "N/A" if spec.max_unavailable is None else str(spec.max_unavailable)
    return obj.metadata.name, least, most, obj.status.disruptions_allowed, age(obj, now)


BUDGET = Printer(
    columns("Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age", allowed_disruptions="integer"),
    _budget,
)
