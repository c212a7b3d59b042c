"""What the pods of a Job amount to: success and failure per pod and index, rules about failures, when to try again.

Pure facts for `job`. Source: k8s.io/kubernetes pkg/controller/job/{indexed_job_utils,pod_failure_policy,backoff_utils}.go
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from kubelite.api.batch_v1 import Job, PodFailurePolicyOnExitCodesRequirement
from kubelite.api.core_v1 import Container, ContainerStatus, EnvVar, EnvVarSource, ObjectFieldSelector, Pod
from kubelite.controllers.pods import condition_of, from_template, seconds

FINALIZER = "batch.kubernetes.io/job-tracking"
JOB_NAME = "batch.kubernetes.io/job-name"  #: the label
INDEX = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
INDEX_IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
BACKOFF_S = 10.0  #: before a failed pod is replaced; doubles with every failure
MAX_BACKOFF_S = 600.0


def is_indexed(job: Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def index_of(pod: Pod) -> int | None:
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isdecimal() else None


def parse_indexes(text: str | None) -> set[int]:
    """
    >>> sorted(parse_indexes("1,3-5"))
    [1, 3, 4, 5]
    """
    found: set[int] = set()
    for part in filter(None, (text or "").split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """
    >>> format_indexes({1, 3, 4, 5})
    '1,3-5'
    """
    spans: list[list[int]] = []
    for index in sorted(indexes):
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ",".join(f"{a}" if a == b else f"{a},{b}" if b == a + 1 else f"{a}-{b}" for a, b in spans)


def only_failed_are_replaced(job: Job) -> bool:
    """Whether a terminating pod holds its place until it has ended."""
    return job.spec.pod_replacement_policy == "Failed" or job.spec.pod_failure_policy is not None


def has_failed(job: Job, pod: Pod) -> bool:
    if pod.status.phase == "Failed":
        return True
    ending = pod.metadata.deletion_timestamp is not None and pod.status.phase != "Succeeded"
    return ending and not only_failed_are_replaced(job)


class Failures(msgspec.Struct, frozen=True):
    """How often an index has failed; `ignored` are those that a rule does not count."""

    counted: int = 0
    ignored: int = 0


def _failures_before(pod: Pod) -> Failures:
    notes = pod.metadata.annotations
    return Failures(int(notes.get(INDEX_FAILURES, "0")), int(notes.get(INDEX_IGNORED, "0")))


def failures_with(job: Job, pod: Pod) -> Failures:
    """Those of its index once `pod` has failed."""
    before = _failures_before(pod)
    if failure_verdict(job, pod).action == "Ignore":
        return Failures(before.counted, before.ignored + 1)
    return Failures(before.counted + 1, before.ignored)


def last_failures(job: Job, pods: Iterable[Pod]) -> dict[int, Pod]:
    """The latest failed pod of each index: it alone knows how often the index has failed."""
    last: dict[int, Pod] = {}

    def order(pod: Pod) -> tuple[int, float]:
        before = _failures_before(pod)
        return before.counted + before.ignored, finished_at(pod)

    for pod in pods:
        index = index_of(pod)
        if index is not None and has_failed(job, pod) and (index not in last or order(last[index]) <= order(pod)):
            last[index] = pod
    return last


def new_pod(job: Job, index: int | None, failures: Failures) -> Pod:
    """A tracked pod, of `index` in an indexed Job."""
    pod = from_template(job, job.spec.template)
    meta, spec = pod.metadata, pod.spec
    meta = replace(meta, finalizers=(*meta.finalizers, FINALIZER))
    if index is not None:
        notes = {INDEX: str(index)}
        if job.spec.backoff_limit_per_index is not None:
            counts = {INDEX_FAILURES: str(failures.counted)}
            if failures.ignored:
                counts[INDEX_IGNORED] = str(failures.ignored)
            meta = replace(meta, annotations={**meta.annotations, **counts})
        meta = replace(
            meta,
            generate_name=f"{job.metadata.name}-{index}-",
            labels={**meta.labels, **notes},
            annotations={**meta.annotations, **notes},
        )
        spec = replace(
            spec,
            hostname=f"{job.metadata.name}-{index}",
            containers=tuple(map(_told_index, spec.containers)),
            init_containers=tuple(map(_told_index, spec.init_containers)),
        )
    return replace(pod, metadata=meta, spec=spec)


def _told_index(container: Container) -> Container:
    if any(entry.name == "JOB_COMPLETION_INDEX" for entry in container.env):
        return container
    source = EnvVarSource(field_ref=ObjectFieldSelector(field_path=f"metadata.labels['{INDEX}']"))
    return replace(container, env=(*container.env, EnvVar(name="JOB_COMPLETION_INDEX", value_from=source)))


class Verdict(msgspec.Struct, frozen=True):
    """What the failure policy says of a failed pod."""

    action: str
    message: str = ""


def failure_verdict(job: Job, pod: Pod) -> Verdict:
    """The first rule that matches; `Count` without one."""
    policy = job.spec.pod_failure_policy
    for number, rule in enumerate(policy.rules if policy else ()):
        suffix = f"matching {rule.action} rule at index {number}"
        name = f"pod {pod.metadata.namespace}/{pod.metadata.name}"
        if rule.on_exit_codes is not None:
            status = _matching_exit(rule.on_exit_codes, pod)
            if status is not None and status.state.terminated is not None:
                code = status.state.terminated.exit_code
                message = f"Container {status.name} for {name} failed with exit code {code} {suffix}"
                return Verdict(rule.action, message)
        for pattern in rule.on_pod_conditions:
            condition = condition_of(pod, pattern.type)
            if condition is not None and condition.status == pattern.status:
                initial = name[0].upper() + name[1:]
                return Verdict(rule.action, f"{initial} has condition {pattern.type} {suffix}")
    return Verdict("Count")


def _matching_exit(rule: PodFailurePolicyOnExitCodesRequirement, pod: Pod) -> ContainerStatus | None:
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        ended = status.state.terminated
        if ended is None or ended.exit_code == 0 or rule.container_name not in (None, status.name):
            continue
        if (ended.exit_code in rule.values) == (rule.operator == "In"):
            return status
    return None


def finished_at(pod: Pod) -> float:
    """When its last container ended, or the best that is known."""
    ends = [
        seconds(status.state.terminated.finished_at)
        for status in pod.status.container_statuses
        if status.state.terminated and status.state.terminated.finished_at
    ]
    if ends:
        return max(ends)
    ready = condition_of(pod, "Ready")
    if ready is not None and ready.last_transition_time:
        return seconds(ready.last_transition_time)
    return seconds(pod.metadata.deletion_timestamp or pod.metadata.creation_timestamp)


def backoff_left_s(job: Job, pods: Sequence[Pod], now: float) -> float:
    """For how long no further pod may be started, by the failures since the last success."""
    success = max((finished_at(pod) for pod in pods if pod.status.phase == "Succeeded"), default=0.0)
    counted = (pod for pod in pods if pod.status.phase == "Failed" or FINALIZER in pod.metadata.finalizers)
    failures = [at for pod in counted if has_failed(job, pod) and (at := finished_at(pod)) > success]
    return _left_s(len(failures), max(failures, default=0.0), now)


def index_backoff_left_s(job: Job, last: Pod | None, now: float) -> float:
    """For how long no pod of an index may be started whose `last` pod failed."""
    if last is None:
        return 0.0
    failures = failures_with(job, last)
    return _left_s(failures.counted + failures.ignored, finished_at(last), now)


def _left_s(failures: int, last: float, now: float) -> float:
    delay_s = min(BACKOFF_S * (1 << min(failures - 1, 16)), MAX_BACKOFF_S) if failures else 0.0
    return max(0.0, last + delay_s - now)
