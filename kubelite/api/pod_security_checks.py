"""The checks of the Pod Security Standards: a pod's metadata and spec in, what is wrong in upstream's words out. Pure.

Which checks a level has at which version is the table in `pod_security`.
Source: k8s.io/pod-security-admission v0.33 policy/check_*.go, https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from kubelite.api import core_v1 as core
from kubelite.api.meta import ObjectMeta
from kubelite.api.validation_field import show


class Violation(NamedTuple):
    """What is not allowed, and where exactly."""

    reason: str
    detail: str


#: None when there is nothing to object to.
Check = Callable[[ObjectMeta, core.PodSpec], Violation | None]

_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
_SAFE_VOLUMES = (
    "config_map",
    "csi",
    "downward_api",
    "empty_dir",
    "ephemeral",
    "image",
    "persistent_volume_claim",
    "projected",
    "secret",
)
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_PROFILES = ("RuntimeDefault", "Localhost")


def _containers(spec: core.PodSpec) -> Iterator[core.Container | core.EphemeralContainer]:
    yield from spec.init_containers
    yield from spec.containers
    yield from spec.ephemeral_containers


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _named(names: list[str], what: str = "container") -> str:
    return f"{what}{'s' if len(names) != 1 else ''} {_quoted(names)}"


def _setters(pod_is_bad: bool, bad: list[str]) -> str:
    return " and ".join([*(["pod"] if pod_is_bad else []), *([_named(bad)] if bad else [])])


def _where(spec: core.PodSpec, is_bad: Callable[[Any], bool]) -> tuple[bool, list[str]]:
    """Whether the pod's security context is bad, and the containers whose is. `is_bad` is asked of those that are there."""
    bad = [item.name for item in _containers(spec) if item.security_context and is_bad(item.security_context)]
    return bool(spec.security_context and is_bad(spec.security_context)), bad


def privileged(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    bad = [item.name for item in _containers(spec) if item.security_context and item.security_context.privileged]
    return Violation("privileged", f"{_named(bad)} must not set securityContext.privileged=true") if bad else None


def host_namespaces(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    shared = {"hostNetwork": spec.host_network, "hostPID": spec.host_pid, "hostIPC": spec.host_ipc}
    used = [f"{name}=true" for name, value in shared.items() if value]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    bad = [volume.name for volume in spec.volumes if volume.host_path]
    return Violation("hostPath volumes", _named(bad, "volume")) if bad else None


def restricted_volumes(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    bad, types = [], set()
    for volume in spec.volumes:
        given = [field for field in msgspec.structs.fields(volume) if field.name != "name"]
        named = [field for field in given if getattr(volume, field.name) is not None]
        if not any(field.name in _SAFE_VOLUMES for field in named):
            bad.append(volume.name)
            types.add(named[0].encode_name if named else "unknown")
    if not bad:
        return None
    uses = f"{'use' if len(bad) != 1 else 'uses'} restricted volume type{'s' if len(types) != 1 else ''}"
    return Violation("restricted volume types", f"{_named(bad, 'volume')} {uses} {_quoted(sorted(types))}")


def host_ports(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    used = {item.name: {str(port.host_port) for port in item.ports if port.host_port} for item in _containers(spec)}
    bad, ports = [name for name, found in used.items() if found], sorted(set().union(*used.values()))
    if not bad:
        return None
    uses = f"{'use' if len(bad) != 1 else 'uses'} hostPort{'s' if len(ports) != 1 else ''}"
    return Violation("hostPort", f"{_named(bad)} {uses} {', '.join(ports)}")


def host_process(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    pod, bad = _where(spec, lambda context: bool(context.windows_options and context.windows_options.host_process))
    if not pod and not bad:
        return None
    return Violation(
        "hostProcess", f"{_setters(pod, bad)} must not set securityContext.windowsOptions.hostProcess=true"
    )


def proc_mount(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    wanted = {
        item.name: item.security_context.proc_mount
        for item in _containers(spec)
        if item.security_context and item.security_context.proc_mount not in (None, "Default")
    }
    if not wanted:
        return None
    types = _quoted(sorted({str(value) for value in wanted.values()}))
    return Violation("procMount", f"{_named(list(wanted))} must not set securityContext.procMount to {types}")


def app_armor(meta: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    values: set[str] = set()

    def is_bad(context: Any) -> bool:
        profile = context.app_armor_profile
        if profile is None or profile.type in _PROFILES:
            return False
        values.add(profile.type)
        return True

    pod, bad = _where(spec, is_bad)
    annotations = sorted(
        f"{key}={show(value)}"
        for key, value in meta.annotations.items()
        if key.startswith(_APP_ARMOR) and value and value != "runtime/default" and not value.startswith("localhost/")
    )
    who = [_setters(pod, bad)] if pod or bad else []
    who += [f"annotation{'s' if len(annotations) != 1 else ''}"] if annotations else []
    if not who:
        return None
    listed = [*sorted(values), *annotations]
    what = f"must not set AppArmor profile type to {_quoted(listed)}"
    return Violation(f"forbidden AppArmor profile{'s' if len(listed) != 1 else ''}", f"{' and '.join(who)} {what}")


def capabilities_baseline(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    bad, added = _adding(spec, _CAPABILITIES)
    if not bad:
        return None
    what = f"must not include {_quoted(added)} in securityContext.capabilities.add"
    return Violation("non-default capabilities", f"{_named(bad)} {what}")


def _adding(spec: core.PodSpec, allowed: Iterable[str]) -> tuple[list[str], list[str]]:
    """The containers that add capabilities beyond the allowed ones, and which."""
    extra: dict[str, set[str]] = {}
    for item in _containers(spec):
        if item.security_context and item.security_context.capabilities:
            extra[item.name] = set(item.security_context.capabilities.add).difference(allowed)
    return [name for name, added in extra.items() if added], sorted(set().union(*extra.values()))


def capabilities_restricted(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    keeping = [
        item.name
        for item in _containers(spec)
        if not (item.security_context and item.security_context.capabilities)
        or "ALL" not in item.security_context.capabilities.drop
    ]
    bad, added = _adding(spec, ("NET_BIND_SERVICE",))
    said = [f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if bad:
        said.append(f"{_named(bad)} must not include {_quoted(added)} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(said)) if said else None


def allow_privilege_escalation(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    bad = [
        item.name
        for item in _containers(spec)
        if not item.security_context or item.security_context.allow_privilege_escalation is not False
    ]
    if not bad:
        return None
    what = "must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", f"{_named(bad)} {what}")


def run_as_non_root(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    pod, bad = _where(spec, lambda context: context.run_as_non_root is False)
    reason = "runAsNonRoot != true"
    if pod or bad:
        return Violation(reason, f"{_setters(pod, bad)} must not set securityContext.runAsNonRoot=false")
    if spec.security_context and spec.security_context.run_as_non_root:
        return None
    silent = [
        item.name
        for item in _containers(spec)
        if not item.security_context or item.security_context.run_as_non_root is None
    ]
    what = "must set securityContext.runAsNonRoot=true"
    return Violation(reason, f"pod or {_named(silent)} {what}") if silent else None


def run_as_user(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    pod, bad = _where(spec, lambda context: context.run_as_user == 0)
    return Violation("runAsUser=0", f"{_setters(pod, bad)} must not set runAsUser=0") if pod or bad else None


def se_linux_options(*types: str) -> Check:
    """Only these types, and no users and roles, may be asked for."""
    allowed = ("", "container_t", "container_init_t", "container_kvm_t", *types)

    def check(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
        asked: list[core.SELinuxOptions] = []

        def is_bad(context: Any) -> bool:
            options = context.se_linux_options
            if options is None or (options.type in allowed and not options.user and not options.role):
                return False
            asked.append(options)
            return True

        pod, bad = _where(spec, is_bad)
        if not asked:
            return None
        wrong = sorted({options.type for options in asked if options.type not in allowed})
        said = [_named(wrong, "type")] if wrong else []
        said += ["user may not be set"] if any(options.user for options in asked) else []
        said += ["role may not be set"] if any(options.role for options in asked) else []
        what = f"set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
        return Violation("seLinuxOptions", f"{_setters(pod, bad)} {what}")

    return check


def sysctls(*names: str) -> Check:
    """Only these sysctls may be set."""

    def check(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
        wanted = spec.security_context.sysctls if spec.security_context else ()
        bad = [sysctl.name for sysctl in wanted if sysctl.name not in names]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def seccomp_annotations(meta: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    """Before there was a field."""
    keys = [_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{item.name}" for item in _containers(spec))]
    bad = sorted({f"{key}={show(meta.annotations[key])}" for key in keys if not _is_good(meta.annotations, key)})
    many = "s" if len(bad) != 1 else ""
    return Violation("seccompProfile", f"forbidden annotation{many} {', '.join(bad)}") if bad else None


def _is_good(annotations: Mapping[str, str], key: str) -> bool:
    value = annotations.get(key, "runtime/default")
    return value in ("runtime/default", "docker/default") or value.startswith("localhost/")


def seccomp_baseline(_: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    values: set[str] = set()

    def is_bad(context: Any) -> bool:
        profile = context.seccomp_profile
        if profile is None or profile.type in _PROFILES:
            return False
        values.add(profile.type)
        return True

    pod, bad = _where(spec, is_bad)
    if not pod and not bad:
        return None
    what = f"must not set securityContext.seccompProfile.type to {_quoted(sorted(values))}"
    return Violation("seccompProfile", f"{_setters(pod, bad)} {what}")


def seccomp_restricted(meta: ObjectMeta, spec: core.PodSpec) -> Violation | None:
    if (found := seccomp_baseline(meta, spec)) is not None:
        return found
    if spec.security_context and spec.security_context.seccomp_profile:
        return None
    silent = [
        item.name
        for item in _containers(spec)
        if not item.security_context or item.security_context.seccomp_profile is None
    ]
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_named(silent)} {what}") if silent else None


def unless_windows(check: Check) -> Check:
    """Pods that say that they are for Windows have no such setting."""

    def checked(meta: ObjectMeta, spec: core.PodSpec) -> Violation | None:
        return None if spec.os and spec.os.name == "windows" else check(meta, spec)

    return checked
