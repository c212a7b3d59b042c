"""CronJobs: a Job whenever the schedule says so.

Called by `client/host` per CronJob; the next time is the plan's requeue. A Job's name holds its scheduled minute, so no time is
served twice. Source: k8s.io/kubernetes pkg/controller/cronjob
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from msgspec.structs import replace

from kubelite.api.batch_v1 import CronJob, Job
from kubelite.api.core_v1 import ObjectReference
from kubelite.api.meta import Object, ObjectMeta, controlled_by
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Create, Delete, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, owner_key, self_key, split_key
from kubelite.controllers.cron import Schedule, missed, parse_schedule, zone_of
from kubelite.controllers.pods import seconds

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
TOO_MANY_MISSED = 100


def outcome_of(job: Job) -> str:
    """Complete, Failed, or empty while it runs."""
    ended = (entry.type for entry in job.status.conditions if entry.status == "True")
    return next((type_ for type_ in ended if type_ in ("Complete", "Failed")), "")


class CronJobController:
    name = "cronjob-controller"
    watches = (Watch(CronJob, self_key), Watch(Job, owner_key("CronJob")))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        cron = view.get(CronJob, name, namespace)
        if cron is None:
            return Plan()
        draft = _Draft(cron, list(view.owned(Job, cron.metadata.uid)), now)
        draft.look_at_jobs()
        if not cron.metadata.deletion_timestamp and not cron.spec.suspend:
            draft.start_what_is_due()
        return draft.plan()

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed."""
        namespace, name = split_key(key)
        cron = view.get(CronJob, name, namespace)
        if cron is None or not isinstance(write, Create | Delete):
            return Plan()
        create = isinstance(write, Create)
        text = f"Error creating job: {message}" if create else f"Deleted job: {message}"
        reason = "FailedCreate" if create else "FailedDelete"
        return Plan(reports=(Report(regarding=cron, type="Warning", reason=reason, message=text),))


class _Draft:
    """One decision in the making."""

    def __init__(self, cron: CronJob, jobs: list[Job], now: float) -> None:
        self._cron = cron
        self._jobs = sorted(jobs, key=lambda job: (job.metadata.creation_timestamp or "", job.metadata.name))
        self._running = [job for job in self._jobs if not outcome_of(job)]
        self._now = now
        self._status = cron.status
        self._due_s: float | None = None
        self._writes: list[Write] = []
        self._reports: list[Report] = []

    def _say(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._reports.append(
            Report(regarding=self._cron, type="Warning" if warning else "Normal", reason=reason, message=message)
        )

    def _delete(self, job: Job) -> None:
        meta = job.metadata
        self._writes.append(Delete(type=Job, name=meta.name, namespace=meta.namespace, uid=meta.uid))
        self._say("SuccessfulDelete", f"Deleted job {meta.name}")

    def look_at_jobs(self) -> None:
        """What runs, what has ended since, and what of that is kept."""
        running = {job.metadata.uid for job in self._running}
        known = {entry.uid for entry in self._cron.status.active}
        present = {job.metadata.uid: job for job in self._jobs}
        for entry in self._cron.status.active:
            job = present.get(entry.uid)
            if job is None:
                self._say("MissingJob", f"Active job went missing: {entry.name}")
            elif entry.uid not in running:
                self._say("SawCompletedJob", f"Saw completed job: {entry.name}, condition: {outcome_of(job)}")
        kept = tuple(entry for entry in self._cron.status.active if entry.uid in running)
        fresh = tuple(_reference(job) for job in self._running if job.metadata.uid not in known)
        ends = [job.status.completion_time or "" for job in self._jobs if outcome_of(job) == "Complete"]
        latest = max([*ends, self._cron.status.last_successful_time or ""])
        self._status = replace(self._status, active=(*kept, *fresh), last_successful_time=latest or None)
        for outcome, limit in (
            ("Complete", self._cron.spec.successful_jobs_history_limit),
            ("Failed", self._cron.spec.failed_jobs_history_limit),
        ):
            ended = [job for job in self._jobs if outcome_of(job) == outcome and not job.metadata.deletion_timestamp]
            for job in ended[: max(0, len(ended) - limit)] if limit is not None else ():
                self._delete(job)

    def start_what_is_due(self) -> None:
        spec = self._cron.spec
        try:
            zone = zone_of(spec.time_zone)
        except ValueError as error:
            self._say("UnknownTimeZone", f'invalid timeZone: "{spec.time_zone}": {error}', warning=True)
            return
        try:
            schedule = parse_schedule(spec.schedule)
        except ValueError as error:
            self._say("UnparseableSchedule", f'unparseable schedule: "{spec.schedule}" : {error}', warning=True)
            return
        following = schedule.after(self._now, zone)
        self._due_s = None if following is None else following - self._now
        at = self._latest(schedule, zone)
        if at is None:
            return
        if spec.starting_deadline_seconds is not None and at + spec.starting_deadline_seconds < self._now:
            self._say("MissSchedule", f"Missed scheduled time to start a job: {_in_mail(at)}", warning=True)
        elif self._may_start(at):
            self._start(at, zone)

    def _latest(self, schedule: Schedule, zone: tzinfo) -> float | None:
        """The scheduled time that was not served yet; only the latest of several."""
        last = self._cron.status.last_schedule_time or self._cron.metadata.creation_timestamp
        since = seconds(last)
        deadline_s = self._cron.spec.starting_deadline_seconds
        if deadline_s is not None:
            since = max(since, self._now - deadline_s)
        at, count = missed(schedule, since, self._now, zone)
        if count > TOO_MANY_MISSED:
            message = f"too many missed start times: {count}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._say("TooManyMissedTimes", message, warning=True)
        return at

    def _may_start(self, at: float) -> bool:
        if any(job.metadata.name == self._job_name(at) for job in self._jobs):
            self._status = replace(self._status, last_schedule_time=rfc3339(at))
            return False
        policy = self._cron.spec.concurrency_policy
        if policy == "Forbid" and self._running:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._say("JobAlreadyActive", message)
            return False
        if policy == "Replace":
            for job in self._running:
                self._delete(job)
        return True

    def _job_name(self, at: float) -> str:
        return f"{self._cron.metadata.name}-{int(at) // 60}"

    def _start(self, at: float, zone: tzinfo) -> None:
        template = self._cron.spec.job_template
        metadata = ObjectMeta(
            name=self._job_name(at),
            namespace=self._cron.metadata.namespace,
            labels=template.metadata.labels,
            annotations={**template.metadata.annotations, SCHEDULED_AT: _stamp(at, zone)},
            owner_references=(controlled_by(self._cron),),
        )
        report = Report(regarding=self._cron, reason="SuccessfulCreate", message="Created job {name}")
        self._writes.append(Create(Job(metadata=metadata, spec=template.spec), report))
        self._status = replace(self._status, last_schedule_time=rfc3339(at))

    def plan(self) -> Plan:
        if self._status != self._cron.status:
            self._writes.append(Update(replace(self._cron, status=self._status), subresource="status"))
        return Plan(writes=tuple(self._writes), reports=tuple(self._reports), requeue_after_s=self._due_s)


def _stamp(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat().replace("+00:00", "Z")


def _in_mail(at: float) -> str:
    """The form of RFC 1123, as messages have it."""
    return datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")


def _reference(job: Job) -> ObjectReference:
    meta = job.metadata
    return ObjectReference(
        kind="Job",
        api_version="batch/v1",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
    )
