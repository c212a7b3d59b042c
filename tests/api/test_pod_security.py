"""What each level demands of pods at which version, in the words of the standards; what a namespace's labels say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubelite.api import core_v1 as core
from kubelite.api.pod_security import LATEST, Policy, Standard, describe, parse_policy, violations

#: A pod that meets everything.
GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "image": "app:1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


def judge(standard: Standard, changes: dict[str, Any], annotations: dict[str, str] | None = None) -> str:
    spec = {**GOOD, **changes}
    pod = msgspec.convert({"metadata": {"name": "p", "annotations": annotations or {}}, "spec": spec}, core.Pod)
    return describe(violations(standard, pod.metadata, pod.spec))


def container(name: str = "a", **context: Any) -> dict[str, Any]:
    first = GOOD["containers"][0]
    return {**first, "name": name, "securityContext": {**first["securityContext"], **context}}


def context(**fields: Any) -> dict[str, Any]:
    return {"securityContext": {**GOOD["securityContext"], **fields}}


BASELINE: list[tuple[dict[str, Any], str]] = [
    (
        {"containers": [container(privileged=True), container("b", privileged=True), container("c", privileged=False)]},
        'privileged (containers "a", "b" must not set securityContext.privileged=true)',
    ),
    (
        {"hostNetwork": True, "hostPID": True, "hostIPC": True},
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    ),
    (
        {"containers": [{**container(), "ports": [{"containerPort": 1, "hostPort": 20}]}]},
        'hostPort (container "a" uses hostPort 20)',
    ),
    (
        {"containers": [{**container(name), "ports": [{"containerPort": 1, "hostPort": 20}]} for name in "ab"]},
        'hostPort (containers "a", "b" use hostPort 20)',
    ),
    (
        {"initContainers": [container(procMount="Unmasked")]},
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        context(appArmorProfile={"type": "Unconfined"}),
        'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ),
    (
        {
            "containers": [container(seLinuxOptions={"type": "bar"})],
            **context(seLinuxOptions={"type": "foo", "user": "u", "role": "r"}),
        },
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions:'
        ' types "bar", "foo"; user may not be set; role may not be set)',
    ),
    (
        {"ephemeralContainers": [container(seccompProfile={"type": "Unconfined"})]},
        'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (
        context(sysctls=[{"name": "b", "value": "1"}, {"name": "net.ipv4.tcp_rmem", "value": "1"}]),
        "forbidden sysctls (b)",
    ),
    (
        {
            "containers": [container(windowsOptions={"hostProcess": True})],
            **context(windowsOptions={"hostProcess": True}),
        },
        'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
]
RESTRICTED: list[tuple[dict[str, Any], str]] = [
    (
        {"containers": [container(allowPrivilegeEscalation=None)]},
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    (
        {"containers": [container(capabilities={"add": ["CHOWN", "NET_BIND_SERVICE"]})]},
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"];'
        ' container "a" must not include "CHOWN" in securityContext.capabilities.add)',
    ),
    (
        {"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "n", "nfs": {"server": "s", "path": "/"}}]},
        'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
    ),
    (context(runAsNonRoot=False), "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"),
    (
        context(runAsNonRoot=None),
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    ),
    (
        {"containers": [container(runAsUser=0)], **context(runAsUser=0)},
        'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
    ),
    (
        context(seccompProfile=None),
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to'
        ' "RuntimeDefault" or "Localhost")',
    ),
]


@pytest.mark.parametrize("level", ["baseline", "restricted"])
@pytest.mark.parametrize(("changes", "said"), BASELINE)
def test_baseline_forbids_what_reaches_the_host(level: Any, changes: dict[str, Any], said: str) -> None:
    assert judge(Standard(level), changes) == said
    assert judge(Standard("privileged"), changes) == ""


@pytest.mark.parametrize(("changes", "said"), RESTRICTED)
def test_restricted_demands_to_give_up_rights(changes: dict[str, Any], said: str) -> None:
    assert judge(Standard("restricted"), changes) == said


def test_a_good_pod_meets_every_level_at_every_version() -> None:
    for version in (*range(34), LATEST):
        assert judge(Standard("restricted", version), {}) == ""


@pytest.mark.parametrize(
    ("level", "changes", "since", "until"),
    [
        ("restricted", {"containers": [container(allowPrivilegeEscalation=True)]}, 8, LATEST),
        ("restricted", {"os": {"name": "windows"}, "containers": [container(capabilities={})]}, 22, 24),
        ("restricted", context(runAsUser=0), 23, LATEST),
        ("restricted", context(seccompProfile=None), 19, LATEST),
        ("baseline", context(sysctls=[{"name": "net.ipv4.tcp_fin_timeout", "value": "1"}]), 0, 28),
        ("baseline", context(sysctls=[{"name": "net.ipv4.tcp_wmem", "value": "1"}]), 0, 31),
        ("baseline", context(seLinuxOptions={"type": "container_engine_t"}), 0, 30),
    ],
)
def test_checks_change_with_versions(level: Any, changes: dict[str, Any], since: int, until: int) -> None:
    for version in (*range(34), LATEST):
        assert bool(judge(Standard(level, version), changes)) is (since <= version <= until), version


def test_old_versions_judge_annotations() -> None:
    bad = {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}
    key = "seccomp.security.alpha.kubernetes.io/pod"
    assert judge(Standard("baseline", 18), {}, bad) == f'seccompProfile (forbidden annotation {key}="unconfined")'
    assert judge(Standard("baseline", 19), {}, bad) == ""
    armor = {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}
    assert judge(Standard("baseline"), {}, armor).startswith("forbidden AppArmor profile (annotation must not set")


@pytest.mark.parametrize(
    ("labels", "policy"),
    [
        ({}, Policy()),
        ({"enforce": "baseline"}, Policy(Standard("baseline"), warn=Standard("baseline"))),
        (
            {"enforce": "baseline", "enforce-version": "v1.22"},
            Policy(Standard("baseline", 22), warn=Standard("baseline", 22)),
        ),
        ({"enforce": "baseline", "warn": "privileged"}, Policy(Standard("baseline"))),
        (
            {"audit": "restricted", "audit-version": "v1.7", "warn": "baseline"},
            Policy(Standard(), Standard("restricted", 7), Standard("baseline")),
        ),
        ({"enforce": "none", "warn": "none", "audit": "none"}, Policy(Standard("restricted"))),
    ],
)
def test_labels_say_what_is_demanded(labels: dict[str, str], policy: Policy) -> None:
    assert parse_policy({f"pod-security.kubernetes.io/{key}": text for key, text in labels.items()})[0] == policy


def test_labels_that_cannot_be_read_are_named() -> None:
    prefix = "pod-security.kubernetes.io/"
    _, wrong = parse_policy({f"{prefix}enforce": "strict", f"{prefix}warn-version": "1.22"})
    assert [str(problem) for problem in wrong] == [
        f'metadata.labels[{prefix}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
        f'metadata.labels[{prefix}warn-version]: Invalid value: "1.22": must be "latest" or "v1.x"',
    ]
