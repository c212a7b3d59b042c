"""Pod Security: what a namespace's labels demand of its pods, and what a pod does not meet of it. Pure.

Each check has versions; a level at a version is the checks that are then in force, baseline's first, each by name. Restricted
checks may stand in for the baseline's of the same matter. The admission plugin of that name asks here.
Source: k8s.io/pod-security-admission v0.33 api/helpers.go, policy/registry.go, policy/checks.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from kubelite.api import core_v1 as core, pod_security_checks as checks
from kubelite.api.errors import FieldError
from kubelite.api.meta import ObjectMeta
from kubelite.api.pod_security_checks import Check, Violation
from kubelite.api.validation_field import invalid

Level = Literal["privileged", "baseline", "restricted"]
LEVELS: tuple[Level, ...] = ("privileged", "baseline", "restricted")  #: by strictness
PREFIX = "pod-security.kubernetes.io/"
LATEST = 10**6  #: newer than every minor version
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


class Standard(msgspec.Struct, frozen=True):
    """A level at a minor version.

    >>> str(Standard("restricted")), str(Standard("baseline", 22))
    ('restricted:latest', 'baseline:v1.22')
    """

    level: Level = "privileged"
    version: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.version == LATEST else f'v1.{self.version}'}"

    @property
    def strictness(self) -> int:
        return LEVELS.index(self.level)


class Policy(msgspec.Struct, frozen=True):
    """What a namespace enforces, notes in the audit log, and warns of."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


def parse_policy(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """What a namespace's labels say, and which of them cannot be read: those enforce the strictest, and warn of nothing."""
    wrong: list[FieldError] = []
    found: dict[str, Standard] = {}
    valid = set()
    for mode in ("enforce", "audit", "warn"):
        level, version = Standard().level, LATEST
        if (text := labels.get(PREFIX + mode)) is not None:
            if text in LEVELS:
                level = LEVELS[LEVELS.index(text)]
                valid.add(mode)
            else:
                level = "restricted" if mode == "enforce" else "privileged"
                wrong.append(invalid(_path(mode), text, f"must be one of {', '.join(LEVELS)}"))
        if (text := labels.get(f"{PREFIX}{mode}-version", "latest")) != "latest":
            if match := _VERSION.fullmatch(text):
                version = int(match[1])
            else:
                wrong.append(invalid(_path(f"{mode}-version"), text, 'must be "latest" or "v1.x"'))
        found[mode] = Standard(level, version)
    enforce, warn = found["enforce"], found["warn"]
    if "enforce" in valid and f"{PREFIX}warn" not in labels:  # who enforces is warned of the same
        version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
        warn = Standard(enforce.level, version) if enforce.strictness else warn
    return Policy(enforce, found["audit"], warn), wrong


def _path(label: str) -> str:
    return f"metadata.labels[{PREFIX}{label}]"


class _Rule(msgspec.Struct, frozen=True):
    """One check: since which minor version it is what; a restricted one may replace one of the baseline."""

    name: str
    level: Level
    versions: tuple[tuple[int, Check], ...]
    replaces: str = ""


_SYSCTLS_0 = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
)
_SYSCTLS_27 = (*_SYSCTLS_0, "net.ipv4.ip_local_reserved_ports")
_SYSCTLS_29 = (
    *_SYSCTLS_27,
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
)
_SYSCTLS_32 = (*_SYSCTLS_29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")

_escalation, _capabilities = checks.allow_privilege_escalation, checks.capabilities_restricted
_seccomp = checks.seccomp_restricted
#: In the order in which violations are listed.
_RULES = (
    _Rule("appArmorProfile", "baseline", ((0, checks.app_armor),)),
    _Rule("capabilities_baseline", "baseline", ((0, checks.capabilities_baseline),)),
    _Rule("hostNamespaces", "baseline", ((0, checks.host_namespaces),)),
    _Rule("hostPathVolumes", "baseline", ((0, checks.host_path_volumes),)),
    _Rule("hostPorts", "baseline", ((0, checks.host_ports),)),
    _Rule("privileged", "baseline", ((0, checks.privileged),)),
    _Rule("procMount", "baseline", ((0, checks.proc_mount),)),
    _Rule(
        "seLinuxOptions",
        "baseline",
        ((0, checks.se_linux_options()), (31, checks.se_linux_options("container_engine_t"))),
    ),
    _Rule("seccompProfile_baseline", "baseline", ((0, checks.seccomp_annotations), (19, checks.seccomp_baseline))),
    _Rule(
        "sysctls",
        "baseline",
        (
            (0, checks.sysctls(*_SYSCTLS_0)),
            (27, checks.sysctls(*_SYSCTLS_27)),
            (29, checks.sysctls(*_SYSCTLS_29)),
            (32, checks.sysctls(*_SYSCTLS_32)),
        ),
    ),
    _Rule("windowsHostProcess", "baseline", ((0, checks.host_process),)),
    _Rule("allowPrivilegeEscalation", "restricted", ((8, _escalation), (25, checks.unless_windows(_escalation)))),
    _Rule(
        "capabilities_restricted",
        "restricted",
        ((22, _capabilities), (25, checks.unless_windows(_capabilities))),
        "capabilities_baseline",
    ),
    _Rule("restrictedVolumes", "restricted", ((0, checks.restricted_volumes),), "hostPathVolumes"),
    _Rule("runAsNonRoot", "restricted", ((0, checks.run_as_non_root),)),
    _Rule("runAsUser", "restricted", ((23, checks.run_as_user),)),
    _Rule(
        "seccompProfile_restricted",
        "restricted",
        ((19, _seccomp), (25, checks.unless_windows(_seccomp))),
        "seccompProfile_baseline",
    ),
)


@lru_cache(64)
def _in_force(standard: Standard) -> tuple[Check, ...]:
    latest: dict[str, Check] = {}
    for rule in _RULES:
        versions = [check for since, check in rule.versions if since <= standard.version]
        if versions and LEVELS.index(rule.level) <= standard.strictness:
            latest[rule.name] = versions[-1]
    replaced = {rule.replaces for rule in _RULES if rule.name in latest}
    return tuple(check for name, check in latest.items() if name not in replaced)


def violations(standard: Standard, meta: ObjectMeta, spec: core.PodSpec) -> list[Violation]:
    """What a pod, or a template of one, does not meet."""
    if standard.level == "privileged":
        return []
    return [found for check in _in_force(standard) if (found := check(meta, spec)) is not None]


def describe(found: Iterable[Violation]) -> str:
    """
    >>> describe([Violation("host namespaces", "hostPID=true"), Violation("privileged", "")])
    'host namespaces (hostPID=true), privileged'
    """
    return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in found)
