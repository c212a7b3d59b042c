"""Schedules, and the Jobs that they start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from kubelite.api.batch_v1 import CronJob, CronJobSpec, Job, JobCondition, JobSpec, JobTemplateSpec
from kubelite.api.meta import ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.controllers.cron import missed, parse_schedule
from kubelite.controllers.cronjob import CronJobController
from tests.controllers.cluster import START, Cluster


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(("schedule", "now", "following"), [
    ("* * * * *", "2024-01-01 10:00:30", "2024-01-01 10:01"),
    ("*/5 * * * *", "2024-01-01 10:00", "2024-01-01 10:05"),
    ("0 9 * * 1-5", "2024-01-05 09:00", "2024-01-08 09:00"),
    ("0 0 29 2 *", "2024-03-01 00:00", "2028-02-29 00:00"),
    ("0 0 13 * 5", "2024-01-06 00:00", "2024-01-12 00:00"),
    ("0 12 1 jan,jul *", "2024-01-02 00:00", "2024-07-01 12:00"),
    ("@weekly", "2024-01-01 00:00", "2024-01-07 00:00"),
    ("0 0 * * sun", "2024-01-01 00:00", "2024-01-07 00:00"),
    ("0 0 * * 7", "2024-01-01 00:00", "2024-01-07 00:00"),
    ("5/20 * * * ?", "2024-01-01 10:26", "2024-01-01 10:45"),
])  # fmt: skip
def test_the_next_time(schedule: str, now: str, following: str) -> None:
    assert parse_schedule(schedule).after(at(now)) == at(following)


def test_an_hour_that_a_clock_skips_is_not_served() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    schedule = parse_schedule("30 2 * * *")
    assert schedule.after(at("2024-03-30 12:00", "Europe/Berlin"), berlin) == at("2024-04-01 02:30", "Europe/Berlin")


@pytest.mark.parametrize("text", ["", "* * * *", "61 * * * *", "a * * * *", "*/0 * * * *", "5-1 * * * *"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError):
        parse_schedule(text)


def test_missed_times_are_counted_and_the_latest_is_found() -> None:
    schedule = parse_schedule("0 * * * *")
    assert missed(schedule, at("2024-01-01 00:30"), at("2024-01-01 05:30"), UTC) == (at("2024-01-01 05:00"), 5)
    assert missed(schedule, at("2024-01-01 00:30"), at("2024-01-01 00:40"), UTC) == (None, 0)
    weekdays = parse_schedule("0 9 * * 1-5")
    assert missed(weekdays, at("2024-01-05 08:00"), at("2024-01-10 10:00"), UTC)[0] == at("2024-01-10 09:00")


def cluster(schedule: str = "*/5 * * * *", **spec: Any) -> Cluster:
    made = Cluster(CronJobController())
    settings: dict[str, Any] = {
        "concurrency_policy": "Allow",
        "successful_jobs_history_limit": 3,
        "failed_jobs_history_limit": 1,
        "job_template": JobTemplateSpec(spec=JobSpec(completions=1)),
        **spec,
    }
    cron = CronJob(
        metadata=ObjectMeta(name="tick", namespace="default"), spec=CronJobSpec(schedule=schedule, **settings)
    )
    made.put(cron)
    made.settle()
    return made


def cron(made: Cluster) -> CronJob:
    found = made.view.get(CronJob, "tick", "default")
    assert found is not None
    return found


def finish(made: Cluster, job: Job, type_: str = "Complete") -> None:
    condition = JobCondition(type=type_, status="True", last_transition_time=rfc3339(made.now))
    done = rfc3339(made.now) if type_ == "Complete" else None
    made.put(replace(job, status=replace(job.status, conditions=(condition,), completion_time=done)))
    made.settle()


def test_a_day_of_every_five_minutes_is_288_jobs() -> None:
    made = cluster(successful_jobs_history_limit=1000)
    for _ in range(24 * 12):
        made.advance(300)
        for job in made.view.list(Job):
            if not job.status.conditions:
                finish(made, job)
    assert len(made.view.list(Job)) == 288


def test_a_job_is_named_by_its_minute_and_listed_while_it_runs() -> None:
    made = cluster()
    made.advance(300)
    (job,) = made.view.list(Job)
    due = (int(START) // 300 + 1) * 300
    assert job.metadata.name == f"tick-{due // 60}"
    assert cron(made).status.last_schedule_time == rfc3339(due)
    assert [entry.name for entry in cron(made).status.active] == [job.metadata.name]
    assert ("SuccessfulCreate", f"Created job {job.metadata.name}") in made.events
    finish(made, job)
    assert cron(made).status.active == ()
    assert cron(made).status.last_successful_time is not None
    assert ("SawCompletedJob", f"Saw completed job: {job.metadata.name}, condition: Complete") in made.events


def test_history_keeps_the_latest_of_each_outcome() -> None:
    made = cluster(successful_jobs_history_limit=2)
    for _ in range(5):
        made.advance(300)
        for job in made.view.list(Job):
            if not job.status.conditions:
                finish(made, job)
    assert len(made.view.list(Job)) == 2


def test_forbid_skips_and_replace_ends_what_still_runs() -> None:
    made = cluster(concurrency_policy="Forbid")
    made.advance(300)
    made.advance(300)
    assert len(made.view.list(Job)) == 1
    assert made.events[-1][0] == "JobAlreadyActive"
    made = cluster(concurrency_policy="Replace")
    made.advance(300)
    (first,) = made.view.list(Job)
    made.advance(300)
    (second,) = made.view.list(Job)
    assert first.metadata.name != second.metadata.name


def test_after_a_pause_only_the_latest_missed_time_is_served() -> None:
    made = cluster(suspend=True)
    made.advance(3600)
    assert not made.view.list(Job)
    made.put(replace(cron(made), spec=replace(cron(made).spec, suspend=False)))
    made.settle()
    assert len(made.view.list(Job)) == 1


def test_a_start_that_is_too_late_is_missed() -> None:
    made = cluster(starting_deadline_seconds=10)
    made.now += 300 - int(START) % 300 + 30
    made.put(replace(cron(made), metadata=replace(cron(made).metadata, annotations={"wake": "up"})))
    made.settle()
    assert not made.view.list(Job)


def test_an_unknown_zone_is_told() -> None:
    made = cluster(time_zone="Mars/Olympus")
    assert made.events[-1][0] == "UnknownTimeZone"
