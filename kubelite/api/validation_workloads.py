"""What must hold of the kinds that make pods. Pure.

Source: k8s.io/kubernetes pkg/apis/{apps,batch}/validation, pkg/apis/core/validation (ReplicationController)
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from kubelite.api import apps_v1 as apps, batch_v1 as batch, core_v1 as core
from kubelite.api.meta import IntOrString, LabelSelector
from kubelite.api.selectors import matches
from kubelite.api.validation_field import (
    Errors,
    forbidden,
    immutable,
    invalid,
    longest,
    non_negative,
    not_supported,
    one_of,
    regex_message,
    required,
)
from kubelite.api.validation_meta import validate_selector
from kubelite.api.validation_pod import validate_template

_PERCENT = "[0-9]+%"
_PERCENT_TEXT = regex_message(
    "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
)
_NO_MATCH = "`selector` does not match template `labels`"


def _selector(selector: LabelSelector | None, path: str, empty: str) -> Errors:
    if selector is None:
        return [required(path)]
    found = validate_selector(selector, path)
    if not selector.match_labels and not selector.match_expressions:
        found.append(invalid(path, selector, empty))
    return found


def _template(template: core.PodTemplateSpec, selector: LabelSelector | None, path: str = "spec.template") -> Errors:
    """The template of something that keeps pods running."""
    found: Errors = []
    chosen = selector is not None and bool(selector.match_labels or selector.match_expressions)
    if selector is not None and chosen and not matches(selector, template.metadata.labels):
        found.append(invalid(f"{path}.metadata.labels", template.metadata.labels, _NO_MATCH))
    found += validate_template(template, path)
    if template.spec.restart_policy != "Always":
        found.append(not_supported(f"{path}.spec.restartPolicy", template.spec.restart_policy, ("Always",)))
    return found


def int_or_percent(path: str, value: IntOrString | None) -> Errors:
    """A count or a share, none of them negative."""
    if value is None:
        return []
    if isinstance(value, int):
        return non_negative(path, value)
    return [] if re.fullmatch(_PERCENT, value) else [invalid(path, value, _PERCENT_TEXT)]


def _at_most_all(path: str, value: IntOrString | None) -> Errors:
    if isinstance(value, str) and re.fullmatch(_PERCENT, value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def _count(value: IntOrString | None) -> int:
    if isinstance(value, str):
        return int(value[:-1]) if re.fullmatch(_PERCENT, value) else 1
    return value or 0


def validate_deployment(deployment: apps.Deployment) -> Errors:
    spec = deployment.spec
    found = non_negative("spec.replicas", spec.replicas)
    found += _selector(spec.selector, "spec.selector", "empty selector is invalid for deployment")
    found += _template(spec.template, spec.selector)
    if spec.template.spec.active_deadline_seconds is not None:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    found += _strategy(spec.strategy)
    found += non_negative("spec.minReadySeconds", spec.min_ready_seconds)
    found += non_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
    deadline = spec.progress_deadline_seconds
    if deadline is not None:
        found += non_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= spec.min_ready_seconds:
            found.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def _strategy(strategy: apps.DeploymentStrategy, path: str = "spec.strategy") -> Errors:
    if strategy.type == "Recreate":
        if strategy.rolling_update is None:
            return []
        return [forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    if strategy.type != "RollingUpdate":
        return [not_supported(f"{path}.type", strategy.type, ("Recreate", "RollingUpdate"))]
    rolling = strategy.rolling_update
    if rolling is None:
        return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    return _rolling(rolling.max_unavailable, rolling.max_surge, f"{path}.rollingUpdate")


def _rolling(unavailable: IntOrString | None, surge: IntOrString | None, path: str) -> Errors:
    found = int_or_percent(f"{path}.maxUnavailable", unavailable)
    found += int_or_percent(f"{path}.maxSurge", surge)
    if _count(unavailable) == 0 and _count(surge) == 0:
        found.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return found + _at_most_all(f"{path}.maxUnavailable", unavailable)


def validate_deployment_update(new: apps.Deployment, old: apps.Deployment) -> Errors:
    return validate_deployment(new) + immutable("spec.selector", new.spec.selector, old.spec.selector)


def validate_replica_set(replica_set: apps.ReplicaSet) -> Errors:
    spec = replica_set.spec
    found = non_negative("spec.replicas", spec.replicas)
    found += non_negative("spec.minReadySeconds", spec.min_ready_seconds)
    found += _selector(spec.selector, "spec.selector", "empty selector is invalid for deployment")
    found += _template(spec.template, spec.selector)
    if spec.template.spec.active_deadline_seconds is not None:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    return found


def validate_replica_set_update(new: apps.ReplicaSet, old: apps.ReplicaSet) -> Errors:
    return validate_replica_set(new) + immutable("spec.selector", new.spec.selector, old.spec.selector)


def validate_replication_controller(controller: core.ReplicationController) -> Errors:
    spec = controller.spec
    found = non_negative("spec.minReadySeconds", spec.min_ready_seconds)
    if not spec.selector:
        found.append(required("spec.selector"))
    found += non_negative("spec.replicas", spec.replicas)
    if spec.template is None:
        return [*found, required("spec.template")]
    return found + _template(spec.template, LabelSelector(match_labels=spec.selector))


def validate_daemon_set(daemon_set: apps.DaemonSet) -> Errors:
    spec = daemon_set.spec
    found = _selector(spec.selector, "spec.selector", "empty selector is invalid for daemonset")
    found += _template(spec.template, spec.selector)
    if spec.template.spec.active_deadline_seconds is not None:
        why = "activeDeadlineSeconds in DaemonSet is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    found += non_negative("spec.minReadySeconds", spec.min_ready_seconds)
    strategy = spec.update_strategy
    at = "spec.updateStrategy"
    if strategy.type == "RollingUpdate" and strategy.rolling_update is not None:
        rolling = strategy.rolling_update
        here = f"{at}.rollingUpdate"
        found += _rolling(rolling.max_unavailable, rolling.max_surge, here)
        if _count(rolling.max_unavailable) and _count(rolling.max_surge):
            why = "may not be set when maxUnavailable is non-zero"
            found.append(invalid(f"{here}.maxSurge", rolling.max_surge, why))
    elif strategy.type not in ("RollingUpdate", "OnDelete"):
        found.append(not_supported(at, strategy.type, ("RollingUpdate", "OnDelete")))
    return found + non_negative("spec.revisionHistoryLimit", spec.revision_history_limit)


def validate_daemon_set_update(new: apps.DaemonSet, old: apps.DaemonSet) -> Errors:
    return validate_daemon_set(new) + immutable("spec.selector", new.spec.selector, old.spec.selector)


def validate_stateful_set(stateful_set: apps.StatefulSet) -> Errors:
    spec = stateful_set.spec
    policies = ("OrderedReady", "Parallel")
    found = one_of("spec.podManagementPolicy", spec.pod_management_policy, policies)
    strategy = spec.update_strategy
    if strategy.type not in ("RollingUpdate", "OnDelete"):
        found.append(invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
    elif strategy.type == "OnDelete" and strategy.rolling_update is not None:
        why = "only allowed for updateStrategy 'RollingUpdate'"
        found.append(invalid("spec.updateStrategy.rollingUpdate", strategy.rolling_update, why))
    elif strategy.rolling_update is not None:
        found += non_negative("spec.updateStrategy.rollingUpdate.partition", strategy.rolling_update.partition)
    kept = spec.persistent_volume_claim_retention_policy
    for name, value in (("whenDeleted", kept.when_deleted), ("whenScaled", kept.when_scaled)) if kept else ():
        found += one_of(f"spec.persistentVolumeClaimRetentionPolicy.{name}", value, ("Retain", "Delete"))
    found += non_negative("spec.replicas", spec.replicas)
    found += non_negative("spec.minReadySeconds", spec.min_ready_seconds)
    if spec.ordinals is not None:
        found += non_negative("spec.ordinals.start", spec.ordinals.start)
    found += _selector(spec.selector, "spec.selector", "empty selector is invalid for statefulset")
    names = {volume.name for volume in spec.template.spec.volumes}
    added = tuple(
        core.Volume(name=claim.metadata.name, empty_dir=core.EmptyDirVolumeSource())
        for claim in spec.volume_claim_templates
        if claim.metadata.name not in names
    )
    template = spec.template
    if added:  # claims can be mounted as the template's own volumes
        template = replace(template, spec=replace(template.spec, volumes=template.spec.volumes + added))
    found += _template(template, spec.selector)
    if spec.template.spec.active_deadline_seconds is not None:
        why = "activeDeadlineSeconds in StatefulSet is not Supported"
        found.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    return found


def validate_stateful_set_update(new: apps.StatefulSet, old: apps.StatefulSet) -> Errors:
    found = validate_stateful_set(new)
    spec = new.spec
    masked = replace(
        spec,
        replicas=old.spec.replicas,
        ordinals=old.spec.ordinals,
        template=old.spec.template,
        update_strategy=old.spec.update_strategy,
        revision_history_limit=old.spec.revision_history_limit,
        persistent_volume_claim_retention_policy=old.spec.persistent_volume_claim_retention_policy,
        min_ready_seconds=old.spec.min_ready_seconds,
    )
    if masked != old.spec:
        why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        why += "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        found.append(forbidden("spec", why))
    return found


def _job_spec(spec: batch.JobSpec, path: str) -> Errors:
    found: Errors = []
    for name, value in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        found += non_negative(f"{path}.{name}", value)
    if spec.completion_mode is not None:
        found += one_of(f"{path}.completionMode", spec.completion_mode, ("NonIndexed", "Indexed"))
        if spec.completion_mode == "Indexed" and spec.completions is None:
            found.append(required(f"{path}.completions", "when completion mode is Indexed"))
    found += validate_template(spec.template, f"{path}.template")
    policy = spec.template.spec.restart_policy
    at = f"{path}.template.spec.restartPolicy"
    if policy == "Always":
        found.append(required(at, 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        found.append(not_supported(at, policy, ("OnFailure", "Never")))
    return found


def validate_job(job: batch.Job) -> Errors:
    spec = job.spec
    found = _selector(spec.selector, "spec.selector", "empty selector is invalid for job")
    labels = spec.template.metadata.labels
    if spec.selector is not None and not matches(spec.selector, labels):
        found.append(invalid("spec.template.metadata.labels", labels, _NO_MATCH))
    return found + _job_spec(spec, "spec")


def validate_job_update(new: batch.Job, old: batch.Job) -> Errors:
    found = _job_spec(new.spec, "spec")
    found += immutable("spec.completions", new.spec.completions, old.spec.completions)
    found += immutable("spec.selector", new.spec.selector, old.spec.selector)
    if not (old.spec.suspend and old.status.start_time is None):
        found += immutable("spec.template", new.spec.template, old.spec.template)
    found += immutable("spec.completionMode", new.spec.completion_mode, old.spec.completion_mode)
    return found


def validate_cron_job(cron_job: batch.CronJob) -> Errors:
    spec = cron_job.spec
    found: Errors = []
    if not spec.schedule:
        found.append(required("spec.schedule"))
    elif len(spec.schedule.split()) != 5 and not spec.schedule.startswith("@"):
        count = len(spec.schedule.split())
        why = f"expected exactly 5 fields, found {count}: {spec.schedule.split()}"
        found.append(invalid("spec.schedule", spec.schedule, why))
    found += non_negative("spec.startingDeadlineSeconds", spec.starting_deadline_seconds)
    if not spec.concurrency_policy:
        found.append(required("spec.concurrencyPolicy"))
    else:
        found += one_of("spec.concurrencyPolicy", spec.concurrency_policy, ("Allow", "Forbid", "Replace"))
    found += non_negative("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
    found += non_negative("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit)
    if len(cron_job.metadata.name) > 52:
        found.append(invalid("metadata.name", cron_job.metadata.name, longest(52)))
    return found + _job_spec(spec.job_template.spec, "spec.jobTemplate.spec")


def validate_cron_job_update(new: Any, old: Any) -> Errors:
    return validate_cron_job(new)
