"""Defaults of the kinds that make pods, and of the other groups. Pure.

Source: k8s.io/kubernetes pkg/apis/{apps,batch,autoscaling,networking,policy,rbac,storage,scheduling}/v1/defaults.go
"""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from kubelite.api import (
    apps_v1 as apps,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    networking_v1 as networking,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.defaults_core import default_claim
from kubelite.api.defaults_pod import default_template

T = TypeVar("T")
_RBAC = "rbac.authorization.k8s.io"


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def default_deployment(deployment: apps.Deployment) -> apps.Deployment:
    spec = deployment.spec
    strategy = spec.strategy
    type_ = strategy.type or "RollingUpdate"
    rolling = strategy.rolling_update
    if type_ == "RollingUpdate":
        rolling = rolling or apps.RollingUpdateDeployment()
        rolling = replace(
            rolling, max_unavailable=_or(rolling.max_unavailable, "25%"), max_surge=_or(rolling.max_surge, "25%")
        )
    spec = replace(
        spec,
        replicas=_or(spec.replicas, 1),
        template=default_template(spec.template),
        strategy=apps.DeploymentStrategy(type=type_, rolling_update=rolling),
        revision_history_limit=_or(spec.revision_history_limit, 10),
        progress_deadline_seconds=_or(spec.progress_deadline_seconds, 600),
    )
    return replace(deployment, spec=spec)


def default_replica_set(replica_set: apps.ReplicaSet) -> apps.ReplicaSet:
    spec = replica_set.spec
    spec = replace(spec, replicas=_or(spec.replicas, 1), template=default_template(spec.template))
    return replace(replica_set, spec=spec)


def default_daemon_set(daemon_set: apps.DaemonSet) -> apps.DaemonSet:
    spec = daemon_set.spec
    type_ = spec.update_strategy.type or "RollingUpdate"
    rolling = spec.update_strategy.rolling_update
    if type_ == "RollingUpdate":
        rolling = rolling or apps.RollingUpdateDaemonSet()
        rolling = replace(rolling, max_unavailable=_or(rolling.max_unavailable, 1), max_surge=_or(rolling.max_surge, 0))
    spec = replace(
        spec,
        template=default_template(spec.template),
        update_strategy=apps.DaemonSetUpdateStrategy(type=type_, rolling_update=rolling),
        revision_history_limit=_or(spec.revision_history_limit, 10),
    )
    return replace(daemon_set, spec=spec)


def default_stateful_set(stateful_set: apps.StatefulSet) -> apps.StatefulSet:
    spec = stateful_set.spec
    strategy = spec.update_strategy
    if not strategy.type:
        rolling = strategy.rolling_update or apps.RollingUpdateStatefulSetStrategy()
        strategy = apps.StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling)
    if strategy.type == "RollingUpdate" and strategy.rolling_update and strategy.rolling_update.partition is None:
        strategy = replace(strategy, rolling_update=replace(strategy.rolling_update, partition=0))
    kept = spec.persistent_volume_claim_retention_policy or apps.StatefulSetPersistentVolumeClaimRetentionPolicy()
    kept = replace(kept, when_deleted=kept.when_deleted or "Retain", when_scaled=kept.when_scaled or "Retain")
    spec = replace(
        spec,
        replicas=_or(spec.replicas, 1),
        template=default_template(spec.template),
        volume_claim_templates=tuple(default_claim(claim) for claim in spec.volume_claim_templates),
        pod_management_policy=spec.pod_management_policy or "OrderedReady",
        update_strategy=strategy,
        revision_history_limit=_or(spec.revision_history_limit, 10),
        persistent_volume_claim_retention_policy=kept,
    )
    return replace(stateful_set, spec=spec)


def _job_spec(spec: batch.JobSpec) -> batch.JobSpec:
    """The defaults of a Job, not of a CronJob's template."""
    alone = spec.completions is None and spec.parallelism is None
    policy = spec.pod_replacement_policy
    if policy is None:
        policy = "Failed" if spec.pod_failure_policy is not None else "TerminatingOrFailed"
    failures = 6 if spec.backoff_limit_per_index is None else 2**31 - 1
    return replace(
        spec,
        completions=1 if alone else spec.completions,
        parallelism=_or(spec.parallelism, 1),
        backoff_limit=_or(spec.backoff_limit, failures),
        completion_mode=_or(spec.completion_mode, "NonIndexed"),
        suspend=_or(spec.suspend, False),
        pod_replacement_policy=policy,
        manual_selector=_or(spec.manual_selector, False),
        template=default_template(spec.template),
    )


def default_job(job: batch.Job) -> batch.Job:
    metadata = job.metadata
    if job.spec.template.metadata.labels and not metadata.labels:
        metadata = replace(metadata, labels=job.spec.template.metadata.labels)
    return replace(job, metadata=metadata, spec=_job_spec(job.spec))


def default_cron_job(cron_job: batch.CronJob) -> batch.CronJob:
    spec = cron_job.spec
    template = spec.job_template
    template = replace(template, spec=replace(template.spec, template=default_template(template.spec.template)))
    spec = replace(
        spec,
        job_template=template,
        concurrency_policy=spec.concurrency_policy or "Allow",
        suspend=_or(spec.suspend, False),
        successful_jobs_history_limit=_or(spec.successful_jobs_history_limit, 3),
        failed_jobs_history_limit=_or(spec.failed_jobs_history_limit, 1),
    )
    return replace(cron_job, spec=spec)


def default_autoscaler_v1(scaler: autoscaling_v1.HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
    return replace(scaler, spec=replace(scaler.spec, min_replicas=_or(scaler.spec.min_replicas, 1)))


def default_autoscaler_v2(scaler: autoscaling_v2.HorizontalPodAutoscaler) -> autoscaling_v2.HorizontalPodAutoscaler:
    metrics = scaler.spec.metrics
    if not metrics:
        target = autoscaling_v2.MetricTarget(type="Utilization", average_utilization=80)
        cpu = autoscaling_v2.ResourceMetricSource(name="cpu", target=target)
        metrics = (autoscaling_v2.MetricSpec(type="Resource", resource=cpu),)
    behavior = scaler.spec.behavior
    if behavior is not None:
        from kubelite.api.autoscaling_defaults import default_behavior

        behavior = default_behavior(behavior)
    spec = replace(scaler.spec, min_replicas=_or(scaler.spec.min_replicas, 1), metrics=metrics, behavior=behavior)
    return replace(scaler, spec=spec)


def default_network_policy(policy: networking.NetworkPolicy) -> networking.NetworkPolicy:
    def ports(rule: Any) -> Any:
        return replace(rule, ports=tuple(replace(port, protocol=_or(port.protocol, "TCP")) for port in rule.ports))

    spec = policy.spec
    types = spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",))
    ingress, egress = tuple(map(ports, spec.ingress)), tuple(map(ports, spec.egress))
    return replace(policy, spec=replace(spec, policy_types=types, ingress=ingress, egress=egress))


def default_ingress_class(ingress_class: networking.IngressClass) -> networking.IngressClass:
    parameters = ingress_class.spec.parameters
    if parameters is None or parameters.scope is not None:
        return ingress_class
    spec = replace(ingress_class.spec, parameters=replace(parameters, scope="Cluster"))
    return replace(ingress_class, spec=spec)


B = TypeVar("B", rbac.RoleBinding, rbac.ClusterRoleBinding)


def _binding(binding: B) -> B:
    subjects = tuple(
        replace(subject, api_group=_RBAC) if subject.kind in ("User", "Group") and not subject.api_group else subject
        for subject in binding.subjects
    )
    role = binding.role_ref
    return replace(binding, subjects=subjects, role_ref=replace(role, api_group=role.api_group or _RBAC))


def default_role_binding(binding: rbac.RoleBinding) -> rbac.RoleBinding:
    return _binding(binding)


def default_cluster_role_binding(binding: rbac.ClusterRoleBinding) -> rbac.ClusterRoleBinding:
    return _binding(binding)


def default_priority_class(priority: scheduling.PriorityClass) -> scheduling.PriorityClass:
    return replace(priority, preemption_policy=_or(priority.preemption_policy, "PreemptLowerPriority"))


def default_storage_class(storage_class: storage.StorageClass) -> storage.StorageClass:
    return replace(
        storage_class,
        reclaim_policy=_or(storage_class.reclaim_policy, "Delete"),
        volume_binding_mode=_or(storage_class.volume_binding_mode, "Immediate"),
    )


def default_csi_driver(driver: storage.CSIDriver) -> storage.CSIDriver:
    spec = driver.spec
    return replace(
        driver,
        spec=replace(
            spec,
            attach_required=_or(spec.attach_required, True),
            pod_info_on_mount=_or(spec.pod_info_on_mount, False),
            storage_capacity=_or(spec.storage_capacity, False),
            fs_group_policy=_or(spec.fs_group_policy, "ReadWriteOnceWithFSType"),
            volume_lifecycle_modes=spec.volume_lifecycle_modes or ("Persistent",),
            requires_republish=_or(spec.requires_republish, False),
            se_linux_mount=_or(spec.se_linux_mount, False),
        ),
    )
