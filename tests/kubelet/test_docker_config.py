"""What the engine is asked for, where a running container would not show it."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.kubelet.docker_config import container_name, container_request, resources_request, sandbox_request
from kubelite.kubelet.runtime import ContainerConfig, PodSandboxConfig, Resources, Sandbox, SecurityContext

SANDBOX = Sandbox(id="sid", uid="u", namespace="ns", name="p", attempt=0, ready=True, ip="10.0.0.2", created_at=1.0)


def requested(*, restricted: bool = False, **settings: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": "c", "attempt": 1, "image": "i"} | settings
    config = ContainerConfig(**facts)
    return container_request(
        SANDBOX, config, instance="1a", cgroup_parent="/g", pid_mode="", runtime="runc", restricted=restricted
    )


def sandbox_requested(*, restricted: bool = False, **settings: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"uid": "u", "namespace": "ns", "name": "p", "hostname": "h"} | settings
    config = PodSandboxConfig(**facts)
    return sandbox_request(config, instance="1a", image="pause", cgroup_parent="/g", restricted=restricted)


def test_names_follow_upstreams_pattern() -> None:
    name = container_name("web", pod="p", namespace="ns", uid="u", attempt=2, instance="1a")
    assert name == "k8s_web_p_ns_u_2_1a"


def test_labels_identify_the_container_and_cannot_be_overridden() -> None:
    labels = requested(labels={"a": "b", "io.kubernetes.pod.uid": "forged"}, annotations={"x/y": "z"})["Labels"]
    assert labels["io.kubernetes.pod.uid"] == "u"
    assert (labels["a"], labels["annotation.x/y"], labels["kubelite.io/instance"]) == ("b", "z", "1a")
    assert (labels["io.kubernetes.container.name"], labels["kubelite.io/attempt"]) == ("c", "1")


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [(None, None, (None, None)), (("a",), None, (["a"], None)), (None, ("b",), (None, ["b"])), ((), (), (None, None))],
)
def test_the_images_command_fills_what_is_not_given(
    command: tuple[str, ...] | None, args: tuple[str, ...] | None, expected: tuple[object, object]
) -> None:
    request = requested(command=command, args=args)
    assert (request["Entrypoint"], request["Cmd"]) == expected


@pytest.mark.parametrize(
    ("user", "group", "expected"), [(None, None, ""), (1, None, "1"), (1, 2, "1:2"), (0, 0, "0:0"), (None, 2, ":2")]
)
def test_the_user_is_given_as_the_engine_reads_it(user: int | None, group: int | None, expected: str) -> None:
    assert requested(security=SecurityContext(run_as_user=user, run_as_group=group))["User"] == expected


def test_limits_below_the_engines_least_are_raised_to_it() -> None:
    limits = resources_request(Resources(memory_limit_bytes=1, cpu_shares=1, cpu_quota_us=1))
    assert limits["Memory"] == limits["MemorySwap"] == 6 << 20
    assert (limits["CpuShares"], limits["CpuQuota"]) == (2, 1000)
    assert not {"Memory", "CpuQuota", "PidsLimit"} & set(resources_request(Resources()))


def test_an_engine_without_rights_is_asked_for_the_nearest_it_grants() -> None:
    settings: dict[str, Any] = {
        "resources": Resources(oom_score_adj=-997),
        "security": SecurityContext(privileged=True, drop_capabilities=("ALL",)),
    }
    whole, narrowed = requested(**settings)["HostConfig"], requested(restricted=True, **settings)["HostConfig"]
    assert (whole["OomScoreAdj"], whole["Privileged"]) == (-997, True)
    assert (narrowed["OomScoreAdj"], narrowed["CapAdd"], narrowed["CapDrop"]) == (0, ["ALL"], ["SYS_RESOURCE"])
    assert "Privileged" not in narrowed
    assert [mount["Target"] for mount in narrowed["Mounts"]] == ["/dev", "/sys"]
    scores = [sandbox_requested(restricted=restricted)["HostConfig"]["OomScoreAdj"] for restricted in (False, True)]
    assert scores == [-998, 0]


def test_a_pod_has_a_network_of_its_own_or_the_hosts() -> None:
    own, host = sandbox_requested(ip="10.0.0.2"), sandbox_requested(host_network=True)
    assert (own["NetworkDisabled"], own["Hostname"], "NetworkMode" in own["HostConfig"]) == (True, "h", False)
    assert host["HostConfig"]["NetworkMode"] == "host"
    assert not {"NetworkDisabled", "Hostname"} & set(host)


def test_the_images_health_check_never_runs() -> None:
    assert requested()["Healthcheck"] == {"Test": ["NONE"]}
