"""Jobs: how many pods run, how their ends are counted, and when it is over."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.batch_v1 import (
    Job,
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from kubelite.api.core_v1 import ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodSpec
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Create
from kubelite.controllers.job import JobController
from kubelite.controllers.job_pods import FINALIZER, INDEX, INDEX_FAILURES, INDEX_IGNORED
from kubelite.controllers.pods import is_active
from kubelite.controllers.ttl_after_finished import TTLAfterFinishedController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import template


def cluster(**spec: Any) -> Cluster:
    made = Cluster(JobController(), TTLAfterFinishedController())
    pods = template(app="job")
    settings: dict[str, Any] = {"parallelism": 1, "completions": 1, "backoff_limit": 6, "suspend": False, **spec}
    job = Job(
        metadata=ObjectMeta(name="job", namespace="default"),
        spec=JobSpec(
            selector=LabelSelector(match_labels={"app": "job"}),
            template=replace(pods, spec=PodSpec(containers=pods.spec.containers, restart_policy="Never")),
            **settings,
        ),
    )
    made.put(job)
    made.settle()
    return made


def the_job(made: Cluster) -> Job:
    found = made.view.get(Job, "job", "default")
    assert found is not None
    return found


def active(made: Cluster) -> list[Pod]:
    return [pod for pod in made.view.list(Pod) if is_active(pod)]


def end(made: Cluster, pod: Pod, *, code: int = 0) -> None:
    terminated = ContainerStateTerminated(exit_code=code, finished_at=rfc3339(made.now))
    statuses = (ContainerStatus(name="app", state=ContainerState(terminated=terminated)),)
    phase = "Failed" if code else "Succeeded"
    made.put(replace(pod, status=replace(pod.status, phase=phase, container_statuses=statuses)))
    made.settle()


def outcome(made: Cluster) -> dict[str, str]:
    return {entry.type: entry.reason for entry in the_job(made).status.conditions if entry.status == "True"}


def test_a_job_completes_when_enough_pods_succeeded() -> None:
    made = cluster(parallelism=2, completions=3)
    assert len(active(made)) == 2
    assert all(FINALIZER in pod.metadata.finalizers for pod in active(made))
    assert the_job(made).status.active == 2
    for _ in range(3):
        end(made, active(made)[0])
    status = the_job(made).status
    assert (status.succeeded, status.failed, status.active) == (3, 0, 0)
    assert outcome(made) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
    assert status.completion_time is not None
    assert ("Completed", "Job completed") in made.events
    assert not any(pod.metadata.finalizers for pod in made.view.list(Pod))
    assert len(made.view.list(Pod)) == 3


def test_failures_are_replaced_with_growing_delay_until_the_limit() -> None:
    made = cluster(backoff_limit=2)
    for delay_s in (10, 20):
        end(made, active(made)[0], code=1)
        assert not active(made)
        made.advance(delay_s - 1)
        assert not active(made)
        made.advance(1)
    end(made, active(made)[0], code=1)
    assert outcome(made)["Failed"] == "BackoffLimitExceeded"
    assert the_job(made).status.failed == 3
    assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in made.events


def test_every_end_is_counted_once_even_if_the_pod_goes_at_once() -> None:
    made = cluster(parallelism=3, completions=3)
    for pod in active(made):
        end(made, pod)
    for pod in made.view.list(Pod):
        made.remove(pod)
    made.settle()
    assert the_job(made).status.succeeded == 3


def test_an_indexed_job_has_one_pod_per_index() -> None:
    made = cluster(parallelism=3, completions=3, completion_mode="Indexed")
    pods = {pod.metadata.annotations[INDEX]: pod for pod in active(made)}
    assert sorted(pods) == ["0", "1", "2"]
    assert pods["1"].spec.hostname == "job-1"
    assert pods["1"].metadata.generate_name == "job-1-"
    assert pods["1"].spec.containers[0].env[0].name == "JOB_COMPLETION_INDEX"
    end(made, pods["0"])
    end(made, pods["2"])
    assert the_job(made).status.completed_indexes == "0,2"
    end(made, pods["1"], code=1)
    made.advance(10)
    assert [pod.metadata.annotations[INDEX] for pod in active(made)] == ["1"]
    end(made, active(made)[0])
    assert the_job(made).status.completed_indexes == "0-2"
    assert "Complete" in outcome(made)


def test_indexes_fail_one_by_one() -> None:
    made = cluster(
        parallelism=2, completions=2, completion_mode="Indexed", backoff_limit_per_index=0, backoff_limit=None
    )
    first, second = active(made)
    end(made, first, code=1)
    end(made, second)
    assert the_job(made).status.failed_indexes == "0"
    assert outcome(made)["Failed"] == "FailedIndexes"


def test_a_failure_policy_ends_the_job_or_ignores_the_failure() -> None:
    rules = (
        PodFailurePolicyRule(
            action="FailJob", on_exit_codes=PodFailurePolicyOnExitCodesRequirement(operator="In", values=(42,))
        ),
        PodFailurePolicyRule(
            action="Ignore", on_exit_codes=PodFailurePolicyOnExitCodesRequirement(operator="In", values=(7,))
        ),
    )
    made = cluster(pod_failure_policy=PodFailurePolicy(rules=rules), backoff_limit=0)
    end(made, active(made)[0], code=7)
    assert the_job(made).status.failed == 0
    made.advance(60)
    name = active(made)[0].metadata.name
    end(made, active(made)[0], code=42)
    failed = next(entry for entry in the_job(made).status.conditions if entry.type == "Failed")
    assert failed.reason == "PodFailurePolicy"
    assert failed.message == (
        f"Container app for pod default/{name} failed with exit code 42 matching FailJob rule at index 0"
    )


def test_a_success_policy_ends_the_job_early() -> None:
    policy = SuccessPolicy(rules=(SuccessPolicyRule(succeeded_indexes="1"),))
    made = cluster(parallelism=3, completions=3, completion_mode="Indexed", success_policy=policy)
    end(made, next(pod for pod in active(made) if pod.metadata.annotations[INDEX] == "1"))
    made.run_pods()
    made.converge()
    assert outcome(made) == {"SuccessCriteriaMet": "SuccessPolicy", "Complete": "SuccessPolicy"}
    assert not active(made)


def test_the_deadline_ends_a_job_and_its_pods() -> None:
    made = cluster(active_deadline_seconds=30, parallelism=2, completions=2)
    made.run_pods()
    made.advance(30)
    made.converge()
    assert outcome(made)["Failed"] == "DeadlineExceeded"
    assert not active(made)


def test_suspending_removes_pods_without_failures_and_resuming_starts_anew() -> None:
    made = cluster(parallelism=2, completions=2)
    made.run_pods()
    made.put(replace(the_job(made), spec=replace(the_job(made).spec, suspend=True)))
    made.converge()
    assert not made.view.list(Pod)
    assert outcome(made) == {"Suspended": "JobSuspended"}
    assert the_job(made).status.failed == 0
    begun = the_job(made).status.start_time
    made.now += 60
    made.put(replace(the_job(made), spec=replace(the_job(made).spec, suspend=False)))
    made.settle()
    assert len(active(made)) == 2
    assert the_job(made).status.start_time != begun


def test_fewer_parallel_pods_end_the_surplus() -> None:
    made = cluster(parallelism=4, completions=10)
    made.put(replace(the_job(made), spec=replace(the_job(made).spec, parallelism=1)))
    made.settle()
    assert len(active(made)) == 1
    assert the_job(made).status.failed == 0


def test_a_finished_job_goes_after_its_time_to_live() -> None:
    made = cluster(ttl_seconds_after_finished=60)
    end(made, active(made)[0])
    made.advance(59)
    assert not the_job(made).metadata.deletion_timestamp
    made.advance(1)
    assert the_job(made).metadata.deletion_timestamp


def test_with_a_limit_per_index_the_last_failure_is_kept_until_its_successor_knows_of_it() -> None:
    made = cluster(completions=2, parallelism=2, completion_mode="Indexed", backoff_limit_per_index=1)
    first = next(pod for pod in active(made) if pod.metadata.annotations[INDEX] == "1")
    end(made, made.run_pod(first), code=1)
    kept = made.view.get(Pod, first.metadata.name, "default")
    assert kept is not None
    assert FINALIZER in kept.metadata.finalizers
    assert the_job(made).status.failed == 0
    made.advance(10)
    successor = next(pod for pod in active(made) if pod.metadata.annotations[INDEX] == "1")
    assert successor.metadata.annotations[INDEX_FAILURES] == "1"
    kept = made.view.get(Pod, first.metadata.name, "default")
    assert kept is not None
    assert FINALIZER not in kept.metadata.finalizers
    assert the_job(made).status.failed == 1


def test_failures_that_do_not_count_are_counted_apart() -> None:
    exits = PodFailurePolicyOnExitCodesRequirement(operator="In", values=(7,))
    policy = PodFailurePolicy(rules=(PodFailurePolicyRule(action="Ignore", on_exit_codes=exits),))
    made = cluster(completion_mode="Indexed", backoff_limit_per_index=0, pod_failure_policy=policy)
    for times, wait_s in ((1, 10), (2, 20)):
        (pod,) = active(made)
        end(made, made.run_pod(pod), code=7)
        made.advance(wait_s - 1)
        assert not active(made)
        made.advance(1)
        (pod,) = active(made)
        notes = pod.metadata.annotations
        assert (notes[INDEX_FAILURES], notes[INDEX_IGNORED]) == ("0", str(times))
    assert the_job(made).status.failed == 0


def test_a_pod_that_cannot_be_created_is_told() -> None:
    made = cluster()
    write = Create(active(made)[0])
    plan = JobController().failed(made.view, "default/job", made.now, write, "exceeded quota")
    (report,) = plan.reports
    assert (report.type, report.reason, report.message) == ("Warning", "FailedCreate", "Error creating: exceeded quota")
