"""Every state that the engine can report has one meaning for the kubelet."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubelite.kubelet import docker_state as found
from kubelite.kubelet.runtime import State

ZERO = "0001-01-01T00:00:00Z"
AT = {"StartedAt": "1970-01-01T00:00:20.5Z", "FinishedAt": "1970-01-01T00:00:30.123456789Z"}


def inspected(**state: Any) -> found.Inspected:
    facts = {"Status": "exited", "StartedAt": ZERO, "FinishedAt": ZERO} | state
    raw = {
        "Id": "c1",
        "Created": "1970-01-01T00:00:10Z",
        "Image": "sha256:1",
        "State": facts,
        "Config": {"Labels": None},
    }
    return msgspec.convert(raw, type=found.Inspected)


@pytest.mark.parametrize(
    ("state", "expected", "reason", "exit_code"),
    [
        ({"Status": "created"}, State.CREATED, "", 0),
        ({"Status": "created", "ExitCode": 127, "Error": "no such file"}, State.EXITED, "StartError", 128),
        ({"Status": "running", "Running": True, "Pid": 7}, State.RUNNING, "", 0),
        ({"Status": "paused", "Running": True, "Paused": True}, State.RUNNING, "", 0),
        ({"ExitCode": 0} | AT, State.EXITED, "Completed", 0),
        ({"ExitCode": 0, "OOMKilled": True} | AT, State.EXITED, "Completed", 0),
        ({"ExitCode": 3} | AT, State.EXITED, "Error", 3),
        ({"ExitCode": 137, "OOMKilled": True} | AT, State.EXITED, "OOMKilled", 137),
        ({"Status": "dead", "ExitCode": 137} | AT, State.EXITED, "Error", 137),
        ({"Status": "removing", "ExitCode": 137} | AT, State.EXITED, "Error", 137),
    ],
)
def test_a_containers_state(state: dict[str, Any], expected: State, reason: str, exit_code: int) -> None:
    container = found.parse_container(inspected(**state))
    assert (container.state, container.reason, container.exit_code) == (expected, reason, exit_code)


def test_times_are_kept_and_those_not_reached_are_zero() -> None:
    ended = found.parse_container(inspected(ExitCode=0, **AT))
    assert (ended.created_at, ended.started_at) == (10.0, 20.5)
    assert ended.finished_at == pytest.approx(30.123456, abs=1e-6)
    created = found.parse_container(inspected(Status="created"))
    assert (created.started_at, created.finished_at) == (0.0, 0.0)


def test_a_container_that_could_not_start_says_why_and_when() -> None:
    failed = found.parse_container(inspected(Status="created", ExitCode=127, Error="no such file"))
    assert (failed.message, failed.started_at, failed.finished_at) == ("no such file", 0.0, 10.0)


@pytest.mark.parametrize(
    ("running", "paused", "attached", "ready"),
    [(True, False, True, True), (True, False, False, False), (True, True, True, False), (False, False, True, False)],
)
def test_a_sandbox_is_ready_when_it_runs_with_its_network(
    running: bool, paused: bool, attached: bool, ready: bool
) -> None:
    sandbox = found.parse_sandbox(inspected(Running=running, Paused=paused), attached=attached)
    assert sandbox.ready == ready


def test_an_image_without_a_name_has_no_tags() -> None:
    raw = {"Id": "sha256:1", "RepoTags": ["<none>:<none>"], "RepoDigests": None, "Size": 3, "Config": {"Env": ["A=b"]}}
    image = found.parse_image(msgspec.convert(raw, type=found.InspectedImage))
    assert (image.tags, image.digests, image.size_bytes, image.env) == ((), (), 3, ("A=b",))
