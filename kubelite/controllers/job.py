"""Jobs: pods until enough of them have succeeded, or too many have failed.

Called by `client/host` per Job. Every pod carries a finalizer until it is counted: its uid first goes into the status, then its
finalizer goes, then the count rises, so that no pod is counted twice or not at all, whatever fails in between.
Source: k8s.io/kubernetes pkg/controller/job; KEP-2307, KEP-2214, KEP-3329, KEP-3850, KEP-3998
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from kubelite.api.batch_v1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from kubelite.api.core_v1 import Pod
from kubelite.api.meta import Object, controller_of
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Patch, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers import job_pods as facts, pods as podlib
from kubelite.controllers.selection import claim, holder_keys

BURST = 500  #: pods created, deleted or counted per decision
_NO_LIMIT = 2**31 - 1


def _holds_changed(old: Pod, new: Pod) -> bool:
    return podlib.readiness_changed(old, new) or old.metadata.finalizers != new.metadata.finalizers


class JobController:
    name = "job-controller"
    watches = (Watch(Job, self_key), Watch(Pod, holder_keys(Job, _holds_changed)))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        job = view.get(Job, name, namespace)
        if left := _left_behind(view, namespace, name, job):
            return Plan(writes=tuple(_untrack(pod) for pod in left))
        if job is None or job.spec.managed_by not in (None, "kubernetes.io/job-controller"):
            return Plan()
        claimed = claim(view, job, job.spec.selector, Pod)
        if claimed.writes:
            return Plan(writes=claimed.writes)
        return _Draft(job, claimed.held, now).plan()

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed."""
        namespace, name = split_key(key)
        owner = view.get(Job, name, namespace)
        return podlib.failed_report(owner, write, message) if owner is not None else Plan()


class _Draft:
    """One decision in the making."""

    def __init__(self, job: Job, pods: list[Pod], now: float) -> None:
        self._job = job
        self._now = now
        self._pods = sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
        self._active = [pod for pod in self._pods if podlib.is_active(pod)]
        self._writes: list[Write] = []
        self._reports: list[Report] = []
        self._due: list[float] = []
        self._conditions = list(job.status.conditions)
        self._start_time = job.status.start_time
        self._completed = facts.parse_indexes(job.status.completed_indexes)
        self._failed_indexes = facts.parse_indexes(job.status.failed_indexes)
        self._verdict = ""
        self._count()

    # Counting

    def _count(self) -> None:
        status = self._job.status
        uncounted = status.uncounted_terminated_pods or UncountedTerminatedPods()
        tracked = {pod.metadata.uid for pod in self._pods if facts.FINALIZER in pod.metadata.finalizers}
        self._uncounted_succeeded = [uid for uid in uncounted.succeeded if uid in tracked]
        self._uncounted_failed = [uid for uid in uncounted.failed if uid in tracked]
        indexed = facts.is_indexed(self._job)
        self._counted_succeeded = status.succeeded
        if not indexed:
            self._counted_succeeded += len(uncounted.succeeded) - len(self._uncounted_succeeded)
        self._counted_failed = status.failed + len(uncounted.failed) - len(self._uncounted_failed)
        known = {*uncounted.succeeded, *uncounted.failed}
        self._untracked = [pod for pod in self._pods if pod.metadata.uid in known & tracked]
        for pod in self._pods:
            if pod.metadata.uid in tracked and pod.metadata.uid not in known and len(self._untracked) < BURST:
                self._count_pod(pod, indexed)
        self._keep_last_failures(known)
        if indexed:
            self._counted_succeeded = len(self._completed)
            self._uncounted_succeeded = []
        self.succeeded = self._counted_succeeded + len(self._uncounted_succeeded)
        self.failed = self._counted_failed + len(self._uncounted_failed)

    def _count_pod(self, pod: Pod, indexed: bool) -> None:
        index = facts.index_of(pod)
        if pod.status.phase == "Succeeded":
            if indexed:
                if index is not None and index < (self._job.spec.completions or 0):
                    self._completed.add(index)
            else:
                self._uncounted_succeeded.append(pod.metadata.uid)
        elif facts.has_failed(self._job, pod):
            verdict = facts.failure_verdict(self._job, pod)
            if verdict.action == "FailJob" and not self._verdict:
                self._verdict = verdict.message
            if verdict.action != "Ignore":
                self._uncounted_failed.append(pod.metadata.uid)
                self._count_index_failure(pod, index, verdict)
        else:
            return
        self._untracked.append(pod)

    def _keep_last_failures(self, known: set[str]) -> None:
        """With a limit per index, the last failed pod of an index is counted once its successor is there."""
        if self._job.spec.backoff_limit_per_index is None or self._ended() or self._job.metadata.deletion_timestamp:
            return
        settled = self._completed | self._failed_indexes | {facts.index_of(pod) for pod in self._active}
        for index, pod in facts.last_failures(self._job, self._pods).items():
            if index not in settled and pod.metadata.uid not in known and pod in self._untracked:
                self._untracked.remove(pod)
                if pod.metadata.uid in self._uncounted_failed:
                    self._uncounted_failed.remove(pod.metadata.uid)

    def _count_index_failure(self, pod: Pod, index: int | None, verdict: facts.Verdict) -> None:
        limit = self._job.spec.backoff_limit_per_index
        if index is None or limit is None or index in self._completed:
            return
        if facts.failures_with(self._job, pod).counted > limit or verdict.action == "FailIndex":
            self._failed_indexes.add(index)

    # Conditions

    def _has(self, type_: str, status: str = "True") -> JobCondition | None:
        found = (entry for entry in self._conditions if entry.type == type_ and entry.status == status)
        return next(found, None)

    def _set(self, type_: str, status: str, reason: str, message: str) -> None:
        at = rfc3339(self._now)
        condition = JobCondition(
            type=type_, status=status, reason=reason, message=message, last_probe_time=at, last_transition_time=at
        )
        self._conditions = [*(entry for entry in self._conditions if entry.type != type_), condition]

    def _ended(self) -> bool:
        return any(self._has(type_) for type_ in ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"))

    def _judge(self) -> None:
        """Whether the outcome is decided now."""
        spec = self._job.spec
        limit = _NO_LIMIT if spec.backoff_limit is None else spec.backoff_limit
        restarts = sum(
            status.restart_count
            for pod in self._active
            for status in (*pod.status.container_statuses, *pod.status.init_container_statuses)
        )
        on_failure = spec.template.spec.restart_policy == "OnFailure"
        deadline = self._deadline()
        if self._verdict:
            self._set("FailureTarget", "True", "PodFailurePolicy", self._verdict)
        elif self.failed > limit or (on_failure and restarts and restarts >= limit):
            message = "Job has reached the specified backoff limit"
            self._set("FailureTarget", "True", "BackoffLimitExceeded", message)
        elif deadline is not None and deadline <= self._now:
            message = "Job was active longer than specified deadline"
            self._set("FailureTarget", "True", "DeadlineExceeded", message)
        elif spec.max_failed_indexes is not None and len(self._failed_indexes) > spec.max_failed_indexes:
            message = "Job has exceeded the specified maximal number of failed indexes"
            self._set("FailureTarget", "True", "MaxFailedIndexesExceeded", message)
        elif (policy := self._success_policy()) is not None:
            self._set("SuccessCriteriaMet", "True", "SuccessPolicy", policy)
        elif self._has_enough():
            message = "Reached expected number of succeeded pods"
            self._set("SuccessCriteriaMet", "True", "CompletionsReached", message)
        elif self._failed_indexes and len(self._failed_indexes | self._completed) >= (spec.completions or 0):
            self._set("FailureTarget", "True", "FailedIndexes", "Job has failed indexes")
        if deadline is not None:
            self._due.append(deadline)

    def _has_enough(self) -> bool:
        completions = self._job.spec.completions
        if completions is None:
            return bool(self.succeeded and not self._active)
        return self.succeeded >= completions

    def _success_policy(self) -> str | None:
        policy = self._job.spec.success_policy
        for number, rule in enumerate(policy.rules if policy else ()):
            wanted = facts.parse_indexes(rule.succeeded_indexes) if rule.succeeded_indexes else None
            done = self._completed if wanted is None else self._completed & wanted
            needed = rule.succeeded_count if rule.succeeded_count is not None else len(wanted or ())
            if len(done) >= needed:
                return f"Matched rules at index {number}"
        return None

    def _deadline(self) -> float | None:
        limit_s = self._job.spec.active_deadline_seconds
        if limit_s is None or self._start_time is None or self._job.spec.suspend:
            return None
        return podlib.seconds(self._start_time) + limit_s

    # Pods

    def _suspend_or_resume(self) -> None:
        if self._job.spec.suspend:
            if not self._has("Suspended"):
                self._set("Suspended", "True", "JobSuspended", "Job suspended")
                self._say("Suspended", "Job suspended")
            return
        if self._has("Suspended"):
            self._set("Suspended", "False", "JobResumed", "Job resumed")
            self._say("Resumed", "Job resumed")
            self._start_time = rfc3339(self._now)
        self._start_time = self._start_time or rfc3339(self._now)

    def _manage(self) -> None:
        spec = self._job.spec
        if spec.suspend:
            self._give_up(self._active, counted=False)
            return
        parallelism = 1 if spec.parallelism is None else spec.parallelism
        if spec.completions is None:
            wanted = len(self._active) if self.succeeded else parallelism
        else:
            wanted = min(spec.completions - self.succeeded - len(self._failed_indexes), parallelism)
        surplus = self._duplicates()
        if len(self._active) - len(surplus) > wanted:
            rest = [pod for pod in self._active if pod not in surplus]
            surplus += podlib.deletion_order(rest, {}, self._now)[: len(rest) - max(0, wanted)]
        if surplus:
            self._give_up(surplus, counted=False)
            return
        ending = sum(pod.metadata.deletion_timestamp is not None for pod in self._pods if not podlib.is_terminal(pod))
        room = wanted - len(self._active) - (ending if facts.only_failed_are_replaced(self._job) else 0)
        by_index = spec.backoff_limit_per_index is not None
        left_s = 0.0 if by_index else facts.backoff_left_s(self._job, self._pods, self._now)
        if room > 0 and left_s > 0:
            self._due.append(self._now + left_s)
        elif room > 0:
            self._start(min(room, BURST))

    def _duplicates(self) -> list[Pod]:
        """Active pods of an index that has another, or that needs none."""
        if not facts.is_indexed(self._job):
            return []
        seen = self._completed | self._failed_indexes
        extra = []
        for pod in self._active:
            index = facts.index_of(pod)
            if index is None or index in seen or index >= (self._job.spec.completions or 0):
                extra.append(pod)
            else:
                seen = seen | {index}
        return extra

    def _start(self, count: int) -> None:
        if not facts.is_indexed(self._job):
            self._writes += [podlib.create_pod(self._job, facts.new_pod(self._job, None, facts.Failures()))] * count
            return
        taken = self._completed | self._failed_indexes
        waits = facts.only_failed_are_replaced(self._job)
        for pod in self._pods:
            if not podlib.is_terminal(pod) and (waits or not pod.metadata.deletion_timestamp):
                taken = taken | {index for index in (facts.index_of(pod),) if index is not None}
        last = facts.last_failures(self._job, self._pods)
        by_index = self._job.spec.backoff_limit_per_index is not None
        free = [index for index in range(self._job.spec.completions or 0) if index not in taken]
        for index in free[:count]:
            before = last.get(index)
            left_s = facts.index_backoff_left_s(self._job, before, self._now) if by_index else 0.0
            if left_s > 0:
                self._due.append(self._now + left_s)
                continue
            failures = facts.failures_with(self._job, before) if before else facts.Failures()
            self._writes.append(podlib.create_pod(self._job, facts.new_pod(self._job, index, failures)))

    def _give_up(self, pods: Iterable[Pod], *, counted: bool) -> None:
        """Deletes pods; those that are only surplus do not count as failures."""
        for pod in list(pods)[:BURST]:
            if not counted and pod not in self._untracked:
                self._writes.append(_untrack(pod))
            self._writes.append(podlib.delete_pod(pod))
            self._reports.append(podlib.deleted_report(self._job, pod))

    # The outcome

    def _finish(self) -> None:
        """The outcome becomes final when all pods have ended and are counted."""
        self._give_up(self._active, counted=True)
        if any(not podlib.is_terminal(pod) or facts.FINALIZER in pod.metadata.finalizers for pod in self._pods):
            return
        if failure := self._has("FailureTarget"):
            self._set("Failed", "True", failure.reason, failure.message)
            self._say(failure.reason, failure.message, type_="Warning")
        elif success := self._has("SuccessCriteriaMet"):
            self._set("Complete", "True", success.reason, success.message)
            self._say("Completed", "Job completed")

    def _say(self, reason: str, message: str, type_: Any = "Normal") -> None:
        self._reports.append(Report(regarding=self._job, type=type_, reason=reason, message=message))

    def plan(self) -> Plan:
        done = self._has("Complete") or self._has("Failed")
        if not done and not self._job.metadata.deletion_timestamp:
            if not self._ended():
                self._suspend_or_resume()
                self._judge()
            if self._ended():
                self._finish()
            else:
                self._manage()
        status = self._status()
        first: list[Write] = []
        if status != self._job.status:
            first.append(Update(replace(self._job, status=status), subresource="status"))
        first += [_untrack(pod) for pod in self._untracked]
        if done or self._job.metadata.deletion_timestamp:
            known = {pod.metadata.uid for pod in self._untracked}
            first += [
                _untrack(pod)
                for pod in self._pods
                if facts.FINALIZER in pod.metadata.finalizers and pod.metadata.uid not in known
            ]
        due = podlib.earliest(self._due, self._now)
        return Plan(writes=(*first, *self._writes), reports=tuple(self._reports), requeue_after_s=due)

    def _status(self) -> JobStatus:
        old = self._job.status
        uncounted = UncountedTerminatedPods(
            succeeded=tuple(self._uncounted_succeeded), failed=tuple(self._uncounted_failed)
        )
        complete = self._has("Complete")
        ended = bool(complete or self._has("Failed"))
        return replace(
            old,
            conditions=tuple(self._conditions),
            start_time=self._start_time,
            completion_time=complete.last_transition_time if complete else old.completion_time,
            active=0 if ended else len(self._active),
            ready=0 if ended else sum(podlib.is_ready(pod) for pod in self._active),
            terminating=0 if ended else self._terminating(),
            succeeded=self._counted_succeeded,
            failed=self._counted_failed,
            completed_indexes=facts.format_indexes(self._completed),
            failed_indexes=(
                facts.format_indexes(self._failed_indexes)
                if self._job.spec.backoff_limit_per_index is not None
                else old.failed_indexes
            ),
            uncounted_terminated_pods=uncounted,
        )

    def _terminating(self) -> int:
        return sum(bool(pod.metadata.deletion_timestamp) and not podlib.is_terminal(pod) for pod in self._pods)


def _left_behind(view: View, namespace: str, name: str, job: Job | None) -> list[Pod]:
    """Tracked pods of a Job of that name which is gone: nobody will count them."""
    found = []
    for pod in view.indexed(Pod, "label", f"{namespace}/{facts.JOB_NAME}={name}"):
        owner = controller_of(pod.metadata)
        is_gone = (
            job is None if owner is None else owner.name == name and (job is None or job.metadata.uid != owner.uid)
        )
        if is_gone and facts.FINALIZER in pod.metadata.finalizers:
            found.append(pod)
    return found


def _untrack(pod: Pod) -> Patch:
    meta = pod.metadata
    left = [entry for entry in meta.finalizers if entry != facts.FINALIZER]
    guard = {"uid": meta.uid, "resourceVersion": meta.resource_version}
    patch = {"metadata": {"finalizers": left, **guard}}
    return Patch(type=Pod, name=meta.name, namespace=meta.namespace, patch=patch)
