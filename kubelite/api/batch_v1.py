"""The typed objects of batch/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 batch/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.core_v1 import ObjectReference, PodTemplateSpec
from kubelite.api.meta import LabelSelector, Object, ObjectMeta, Time, Value, merge


class JobSpec(Value):
    parallelism: int | None = None
    completions: int | None = None
    active_deadline_seconds: int | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    selector: LabelSelector | None = None
    manual_selector: bool | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    ttl_seconds_after_finished: int | None = None
    completion_mode: str | None = None
    suspend: bool | None = None
    pod_replacement_policy: str | None = None
    managed_by: str | None = None


class JobStatus(Value):
    conditions: Annotated[tuple[JobCondition, ...], merge(patch="merge", merge_key="type", list_type="atomic")] = ()
    start_time: Time | None = None
    completion_time: Time | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int | None = None
    completed_indexes: str = ""
    failed_indexes: str | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    ready: int | None = None


class Job(Object):
    api_version: ClassVar[str] = "batch/v1"
    kind: ClassVar[str] = "Job"
    spec: JobSpec = field(default_factory=JobSpec)
    status: JobStatus = field(default_factory=JobStatus)


class PodFailurePolicyOnExitCodesRequirement(Value):
    container_name: str | None = None
    operator: str = field(default_factory=str)
    values: Annotated[tuple[int, ...], merge(list_type="set")] = ()


class PodFailurePolicyOnPodConditionsPattern(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)


class PodFailurePolicyRule(Value):
    action: str = field(default_factory=str)
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: Annotated[tuple[PodFailurePolicyOnPodConditionsPattern, ...], merge(list_type="atomic")] = ()


class PodFailurePolicy(Value):
    rules: Annotated[tuple[PodFailurePolicyRule, ...], merge(list_type="atomic")] = ()


class SuccessPolicy(Value):
    rules: Annotated[tuple[SuccessPolicyRule, ...], merge(list_type="atomic")] = ()


class SuccessPolicyRule(Value):
    succeeded_indexes: str | None = None
    succeeded_count: int | None = None


class UncountedTerminatedPods(Value):
    succeeded: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    failed: Annotated[tuple[str, ...], merge(list_type="set")] = ()


class JobCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class JobTemplateSpec(Value):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: JobSpec = field(default_factory=JobSpec)


class CronJobSpec(Value):
    schedule: str = field(default_factory=str)
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = ""
    suspend: bool | None = None
    job_template: JobTemplateSpec = field(default_factory=JobTemplateSpec)
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None


class CronJobStatus(Value):
    active: Annotated[tuple[ObjectReference, ...], merge(list_type="atomic")] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(Object):
    api_version: ClassVar[str] = "batch/v1"
    kind: ClassVar[str] = "CronJob"
    spec: CronJobSpec = field(default_factory=CronJobSpec)
    status: CronJobStatus = field(default_factory=CronJobStatus)
