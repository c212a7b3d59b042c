"""Phases, conditions and container states, as upstream reports them."""

from __future__ import annotations

from typing import Any

from kubelite.api.core_v1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    Pod,
    PodCondition,
    PodReadinessGate,
    PodStatus,
    Probe,
    VolumeMount,
)
from kubelite.kubelet.container_status import Facts, Waiting
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.observed import observed_pod
from kubelite.kubelet.pod_status import compute_status, finished
from kubelite.kubelet.runtime import Container, Sandbox, State
from tests.kubelet.test_pod_actions import container, exited, pod, sandbox, spec

NOW = 1_000_000.0


def status(
    given: Pod,
    *containers: Container,
    boxes: tuple[Sandbox, ...] = (sandbox(),),
    results: Any = None,
    waiting: dict[str, Waiting] | None = None,
    previous: PodStatus | None = None,
    now: float = NOW,
    **more: Any,
) -> PodStatus:
    facts = Facts(
        observed=observed_pod(list(boxes), list(containers)),
        results=results or {},
        waiting=waiting or {},
        runtime="docker",
    )
    before = previous or PodStatus(phase="Pending")
    return compute_status(given, facts, previous=before, host_ip="192.168.0.1", now=now, **more)


def conditions(found: PodStatus) -> dict[str, tuple[str, str, str]]:
    return {each.type: (each.status, each.reason, each.message) for each in found.conditions}


def test_a_pod_that_was_just_seen_is_pending_with_containers_being_created() -> None:
    found = status(pod(spec("b"), spec("a")), boxes=())
    assert found.phase == "Pending"
    assert found.start_time == "1970-01-12T13:46:40Z"
    assert [each.name for each in found.container_statuses] == ["a", "b"]
    state = found.container_statuses[0].state.waiting
    assert state is not None
    assert state.reason == "ContainerCreating"
    assert conditions(found) == {
        "PodReadyToStartContainers": ("False", "", ""),
        "Initialized": ("True", "", ""),
        "Ready": ("False", "ContainersNotReady", "containers with unready status: [b a]"),
        "ContainersReady": ("False", "ContainersNotReady", "containers with unready status: [b a]"),
        "PodScheduled": ("True", "", ""),
    }


def test_a_running_pod_is_ready_and_has_its_addresses() -> None:
    found = status(pod(), container(started_at=NOW))
    assert (found.phase, found.pod_ip, found.host_ip) == ("Running", "10.0.0.1", "192.168.0.1")
    (one,) = found.container_statuses
    assert (one.ready, one.started, one.container_id, one.restart_count) == (True, True, "docker://a-0", 0)
    assert conditions(found)["Ready"][0] == "True"


def test_probes_hold_started_and_ready_back() -> None:
    given = pod(spec("a", startup_probe=Probe(), readiness_probe=Probe()))
    table: tuple[tuple[dict[tuple[str, str], bool], tuple[bool, bool]], ...] = (
        ({}, (False, False)),
        ({("a-0", "readiness"): True}, (False, False)),
        ({("a-0", "startup"): True, ("a-0", "readiness"): False}, (True, False)),
        ({("a-0", "startup"): True, ("a-0", "readiness"): True}, (True, True)),
    )
    for results, expected in table:
        (one,) = status(given, container(), results=results).container_statuses
        assert (one.started, one.ready) == expected, results


def test_a_dead_container_that_will_restart_shows_why_it_waits_and_how_it_ended() -> None:
    held = {"a": Waiting("CrashLoopBackOff", "back-off 10s restarting failed container=a pod=p_d(u)")}
    found = status(pod(), exited(code=2, attempt=3, at=NOW), waiting=held)
    (one,) = found.container_statuses
    assert one.state.waiting is not None
    assert one.state.waiting.reason == "CrashLoopBackOff"
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.exit_code == 2
    assert one.restart_count == 3
    assert found.phase == "Running"


def test_phases_of_ended_pods_follow_the_restart_policy() -> None:
    table = (
        ("Always", (0,), "Running"),
        ("OnFailure", (0,), "Succeeded"),
        ("OnFailure", (1,), "Running"),
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
    )
    for policy, codes, phase in table:
        names = [f"c{at}" for at in range(len(codes))]
        given = pod(*(spec(name) for name in names), restart_policy=policy)
        ended = [exited(name, code) for name, code in zip(names, codes, strict=True)]
        assert status(given, *ended).phase == phase, (policy, codes)
        if phase in {"Succeeded", "Failed"}:
            reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
            assert conditions(status(given, *ended))["Ready"] == ("False", reason, "")


def test_a_terminal_phase_stays_whatever_is_seen() -> None:
    before = PodStatus(phase="Failed", reason="Evicted", message="m")
    found = status(pod(), container(), previous=before)
    assert (found.phase, found.reason, found.message) == ("Failed", "Evicted", "m")


def test_a_failed_init_container_fails_the_pod_only_with_policy_never() -> None:
    for policy, phase in (("Never", "Failed"), ("OnFailure", "Pending"), ("Always", "Pending")):
        given = pod(init_containers=(spec("x"),), restart_policy=policy)
        assert status(given, exited("x", 1)).phase == phase, policy


def test_initialized_names_what_is_incomplete() -> None:
    given = pod(init_containers=(spec("x"), spec("y")))
    found = status(given, container("x"))
    text = "containers with incomplete status: [x y]"
    assert conditions(found)["Initialized"] == ("False", "ContainersNotInitialized", text)
    main = found.container_statuses[0].state.waiting
    assert main is not None
    assert main.reason == "PodInitializing"
    done = status(given, exited("x", 0), exited("y", 0))
    assert conditions(done)["Initialized"][0] == "True"


def test_a_sidecar_keeps_the_pod_unready_until_it_is_ready() -> None:
    side = spec("side", restart_policy="Always", readiness_probe=Probe())
    given = pod(init_containers=(side,))
    text = "containers with unready status: [side]"
    found = status(given, container("side"), container("a"), results={("side-0", "readiness"): False})
    assert conditions(found)["Ready"] == ("False", "ContainersNotReady", text)
    ready = status(given, container("side"), container("a"), results={("side-0", "readiness"): True})
    assert conditions(ready)["Ready"][0] == "True"


def test_a_restarting_sidecar_does_not_make_the_pod_pending_again() -> None:
    given = pod(init_containers=(spec("side", restart_policy="Always"),))
    assert status(given, exited("side", 1), container("a")).phase == "Running"


def test_readiness_gates_are_quoted() -> None:
    gate = PodReadinessGate(condition_type="x/y")
    given = pod(readiness_gates=(gate,))
    missing = 'corresponding condition of pod readiness gate "x/y" does not exist.'
    assert conditions(status(given, container()))["Ready"] == ("False", "ReadinessGatesNotReady", missing)
    for value, text in (("True", ""), ("False", 'the status of pod readiness gate "x/y" is not "True", but False')):
        theirs = PodStatus(conditions=(PodCondition(type="x/y", status=value),))
        gated = Pod(metadata=given.metadata, spec=given.spec, status=theirs)
        found = conditions(status(gated, container()))
        assert found["Ready"][2] == text
        assert found["x/y"][0] == value


def test_the_time_of_a_condition_changes_only_with_its_status() -> None:
    first = status(pod(), boxes=())
    second = status(pod(), container(), previous=first, now=NOW + 10)
    times = {each.type: each.last_transition_time for each in second.conditions}
    assert times["PodScheduled"] == "1970-01-12T13:46:40Z"
    assert times["Ready"] == "1970-01-12T13:46:50Z"


def test_a_failure_of_the_kubelets_own_decision_is_named() -> None:
    found = status(pod(), container(), failure=Failure("DeadlineExceeded", "too long"))
    assert (found.phase, found.reason, found.message) == ("Failed", "DeadlineExceeded", "too long")


def test_a_running_container_that_vanished_is_said_to_be_lost_and_counted() -> None:
    before = PodStatus(
        phase="Running",
        container_statuses=(
            ContainerStatus(
                name="a",
                restart_count=1,
                container_id="docker://x",
                state=ContainerState(running=ContainerStateRunning()),
            ),
        ),
    )
    (one,) = status(pod(), previous=before).container_statuses
    assert one.last_state.terminated is not None
    assert (one.last_state.terminated.reason, one.last_state.terminated.exit_code) == ("ContainerStatusUnknown", 137)
    assert one.restart_count == 2


def test_the_last_end_survives_the_removal_of_the_dead_container() -> None:
    first = status(pod(), exited(code=4), waiting={})
    second = status(pod(), container(attempt=1), previous=first)
    (one,) = second.container_statuses
    assert one.last_state.terminated is not None
    assert one.last_state.terminated.exit_code == 4


def test_volume_mounts_are_listed() -> None:
    mount = VolumeMount(name="v", mount_path="/v", read_only=True)
    (one,) = status(pod(spec("a", volume_mounts=(mount,)))).container_statuses
    assert [(each.name, each.mount_path, each.recursive_read_only) for each in one.volume_mounts] == [
        ("v", "/v", "Disabled")
    ]


def test_the_last_status_of_a_pod_has_no_container_left_running() -> None:
    given = pod(spec("a"), spec("b"))
    last = finished(given, status(given, container("a"), exited("b", 0)))
    ends = {each.name: each.state.terminated for each in last.container_statuses}
    assert last.phase == "Failed"
    assert ends["a"] is not None
    assert ends["a"].reason == "ContainerStatusUnknown"
    assert ends["b"] is not None
    assert ends["b"].exit_code == 0


def test_host_network_pods_have_the_hosts_address() -> None:
    found = status(pod(host_network=True), container(), boxes=(sandbox(ip=""),))
    assert found.pod_ip == "192.168.0.1"


def test_created_containers_wait() -> None:
    (one,) = status(pod(), container(state=State.CREATED)).container_statuses
    assert one.state.waiting is not None
