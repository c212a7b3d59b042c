"""What must hold of a pod, and what an update of one may change. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import re
from collections.abc import Collection

from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.validation_container import (
    validate_container,
    validate_id,
    validate_resources,
    validate_seccomp,
)
from kubelite.api.validation_field import (
    Errors,
    between,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    formatted,
    invalid,
    not_supported,
    one_of,
    qualified_name,
    required,
    validate_ip,
)
from kubelite.api.validation_meta import validate_annotations, validate_labels
from kubelite.api.validation_placement import validate_affinity, validate_spread, validate_tolerations
from kubelite.api.validation_probe import validate_probes
from kubelite.api.validation_volume import validate_volumes

_MAX_INT32 = 2**31 - 1
_SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod_template(item: core.PodTemplate) -> Errors:
    return validate_template(item.template, "template")


def validate_pod(pod: core.Pod) -> Errors:
    found = validate_pod_spec(pod.spec, "spec")
    if pod.spec.ephemeral_containers:
        found.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    return found


def validate_template(template: core.PodTemplateSpec, path: str) -> Errors:
    """A pod template's labels, annotations and spec."""
    found = validate_labels(template.metadata.labels, f"{path}.labels")
    found += validate_annotations(template.metadata.annotations, f"{path}.annotations")
    found += validate_pod_spec(template.spec, f"{path}.spec")
    if template.spec.ephemeral_containers:
        found.append(forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"))
    return found


def validate_pod_spec(spec: core.PodSpec, path: str) -> Errors:
    found, volumes = validate_volumes(spec.volumes, f"{path}.volumes")
    found += _containers(spec, path, volumes)
    found += one_of(f"{path}.restartPolicy", spec.restart_policy, ("Always", "OnFailure", "Never"))
    policies = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    found += one_of(f"{path}.dnsPolicy", spec.dns_policy, policies)
    if spec.node_selector:
        found += validate_labels(spec.node_selector, f"{path}.nodeSelector")
    found += _security(spec, path)
    if spec.affinity is not None:
        found += validate_affinity(spec.affinity, f"{path}.affinity")
    found += _dns_config(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.readiness_gates):
        found += formatted(f"{path}.readinessGates[{index}].conditionType", gate.condition_type, qualified_name)
    if spec.topology_spread_constraints:
        found += validate_spread(spec.topology_spread_constraints, f"{path}.topologySpreadConstraints")
    found += _gates(spec, f"{path}.schedulingGates")
    for name, value, format_ in (
        ("serviceAccountName", spec.service_account_name, dns_subdomain),
        ("nodeName", spec.node_name, dns_subdomain),
        ("hostname", spec.hostname, dns_label),
        ("subdomain", spec.subdomain, dns_label),
        ("priorityClassName", spec.priority_class_name, dns_subdomain),
        ("runtimeClassName", spec.runtime_class_name, dns_subdomain),
    ):
        if value:
            found += formatted(f"{path}.{name}", value, format_)
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline <= _MAX_INT32:
        found.append(invalid(f"{path}.activeDeadlineSeconds", deadline, between(1, _MAX_INT32)))
    if spec.tolerations:
        found += validate_tolerations(spec.tolerations, f"{path}.tolerations")
    for index, alias in enumerate(spec.host_aliases):
        found += _host_alias(alias, f"{path}.hostAliases[{index}]")
    if spec.preemption_policy is not None:
        supported = ("Never", "PreemptLowerPriority")
        found += one_of(f"{path}.preemptionPolicy", spec.preemption_policy, supported)
    if spec.resources is not None:
        found += validate_resources(spec.resources.limits, spec.resources.requests, f"{path}.resources")
    if spec.os is not None:
        found += one_of(f"{path}.os.name", spec.os.name, ("linux", "windows"))
    return found


def _containers(spec: core.PodSpec, path: str, volumes: Collection[str]) -> Errors:
    found: Errors = []
    if not spec.containers:
        found.append(required(f"{path}.containers"))
    names: set[str] = set()
    for index, container in enumerate(spec.containers):
        at = f"{path}.containers[{index}]"
        found += validate_container(container, at, volumes)
        found += _named_once(container.name, at, names)
        found += validate_probes(container, at)
        if container.restart_policy is not None:
            found.append(forbidden(f"{at}.restartPolicy", "may not be set for non-init containers"))
    found += _host_ports(spec.containers, f"{path}.containers", spec.host_network)
    for index, container in enumerate(spec.init_containers):
        at = f"{path}.initContainers[{index}]"
        found += validate_container(container, at, volumes)
        found += _named_once(container.name, at, names)
        found += _init_role(container, at)
    found += _host_ports(spec.init_containers, f"{path}.initContainers", spec.host_network)
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        at = f"{path}.ephemeralContainers[{index}]"
        found += validate_container(ephemeral, at, volumes)
        found += _named_once(ephemeral.name, at, names)
        for field, value in (
            ("ports", ephemeral.ports),
            ("livenessProbe", ephemeral.liveness_probe),
            ("readinessProbe", ephemeral.readiness_probe),
            ("startupProbe", ephemeral.startup_probe),
            ("lifecycle", ephemeral.lifecycle),
        ):
            if value:
                found.append(forbidden(f"{at}.{field}", "cannot be set for an Ephemeral Container"))
    return found


def _init_role(container: core.Container, path: str) -> Errors:
    """An init container that is restarted always is a sidecar, and may have what others may not."""
    if container.restart_policy == "Always":
        return validate_probes(container, path)
    found: Errors = []
    if container.restart_policy is not None:
        found.append(not_supported(f"{path}.restartPolicy", container.restart_policy, ("Always",)))
    for field, value in (
        ("lifecycle", container.lifecycle),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if value is not None:
            why = "may not be set for init containers without restartPolicy=Always"
            found.append(forbidden(f"{path}.{field}", why))
    return found


def _named_once(name: str, path: str, names: set[str]) -> Errors:
    taken = name in names
    names.add(name)
    return [duplicate(f"{path}.name", name)] if taken and name else []


def _host_ports(containers: tuple[core.Container, ...], path: str, host_network: bool) -> Errors:
    found: Errors = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.ports):
            at = f"{path}[{index}].ports[{number}]"
            if host_network and port.host_port != port.container_port:
                why = "must match `hostPort` when `hostNetwork` is true"
                found.append(invalid(f"{at}.containerPort", port.container_port, why))
            if port.host_port:
                key = f"{port.protocol}/{port.host_ip}/{port.host_port}"
                if key in seen:
                    found.append(duplicate(f"{at}.hostPort", key))
                seen.add(key)
    return found


def _security(spec: core.PodSpec, path: str) -> Errors:
    context = spec.security_context
    at = f"{path}.securityContext"
    if spec.share_process_namespace and spec.host_pid:
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        return [invalid(f"{at}.shareProcessNamespace", True, why)]
    if context is None:
        return []
    found = validate_id(f"{at}.fsGroup", context.fs_group)
    found += validate_id(f"{at}.runAsUser", context.run_as_user)
    found += validate_id(f"{at}.runAsGroup", context.run_as_group)
    for index, group in enumerate(context.supplemental_groups):
        found += validate_id(f"{at}.supplementalGroups[{index}]", group)
    names: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        name = f"{at}.sysctls[{index}].name"
        if not sysctl.name:
            found.append(required(name))
        elif len(sysctl.name) > 253 or not re.fullmatch(_SYSCTL, sysctl.name):
            found.append(invalid(name, sysctl.name, f"must have at most 253 characters and match regex {_SYSCTL}"))
        elif sysctl.name in names:
            found.append(duplicate(name, sysctl.name))
        names.add(sysctl.name)
    if context.fs_group_change_policy is not None:
        supported = ("Always", "OnRootMismatch")
        found += one_of(f"{at}.fsGroupChangePolicy", context.fs_group_change_policy, supported)
    return found + validate_seccomp(context.seccomp_profile, f"{at}.seccompProfile")


def _dns_config(spec: core.PodSpec, path: str) -> Errors:
    config = spec.dns_config
    if config is None:
        if spec.dns_policy == "None":
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        return []
    found: Errors = []
    if spec.dns_policy == "None" and not config.nameservers:
        found.append(
            required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
        )
    if len(config.nameservers) > 3:
        found.append(invalid(f"{path}.nameservers", config.nameservers, "must not have more than 3 nameservers"))
    for index, server in enumerate(config.nameservers):
        found += validate_ip(f"{path}.nameservers[{index}]", server)
    for index, domain in enumerate(config.searches):
        if domain != ".":
            found += formatted(f"{path}.searches[{index}]", domain.removesuffix("."), dns_subdomain)
    for index, option in enumerate(config.options):
        if not option.name:
            found.append(required(f"{path}.options[{index}]", "must not be empty"))
    return found


def _host_alias(alias: core.HostAlias, path: str) -> Errors:
    found = validate_ip(f"{path}.ip", alias.ip)
    for index, name in enumerate(alias.hostnames):
        found += formatted(f"{path}.hostnames[{index}]", name, dns_subdomain)
    return found


def _gates(spec: core.PodSpec, path: str) -> Errors:
    found: Errors = []
    seen: set[str] = set()
    for index, gate in enumerate(spec.scheduling_gates):
        found += formatted(f"{path}[{index}]", gate.name, qualified_name)
        if gate.name in seen:
            found.append(duplicate(f"{path}[{index}]", gate.name))
        seen.add(gate.name)
    return found


def validate_pod_update(new: core.Pod, old: core.Pod) -> Errors:
    """Nearly nothing of a pod's spec may change once it exists."""
    if new.spec == old.spec:
        return []
    found = validate_pod_spec(new.spec, "spec")
    for name in ("containers", "init_containers"):
        wire = "containers" if name == "containers" else "initContainers"
        if len(getattr(new.spec, name)) != len(getattr(old.spec, name)):
            return [*found, forbidden(f"spec.{wire}", "pod updates may not add or remove containers")]
    found += _deadline_change(new.spec.active_deadline_seconds, old.spec.active_deadline_seconds)
    found += _toleration_change(new.spec.tolerations, old.spec.tolerations)
    gates = {gate.name for gate in old.spec.scheduling_gates}
    for index, gate in enumerate(new.spec.scheduling_gates):
        if gate.name not in gates:
            why = f'only deletion is allowed, but found new scheduling gate "{gate.name}"'
            found.append(forbidden(f"spec.schedulingGates[{index}].name", why))
    if found:
        return found
    if _with_mutable(new.spec, old.spec) != old.spec:
        found.append(forbidden("spec", _MUTABLE))
    return found


def _deadline_change(new: int | None, old: int | None) -> Errors:
    at = "spec.activeDeadlineSeconds"
    if new is None:
        return [] if old is None else [invalid(at, None, "must not update from a positive integer to nil value")]
    if old is not None and new > old:
        return [invalid(at, new, "must be less than or equal to previous value")]
    return []


def _toleration_change(new: tuple[core.Toleration, ...], old: tuple[core.Toleration, ...]) -> Errors:
    kept = {replace(item, toleration_seconds=None) for item in new}
    if all(replace(item, toleration_seconds=None) in kept for item in old):
        return []
    return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def _with_mutable(new: core.PodSpec, old: core.PodSpec) -> core.PodSpec:
    """`new` with the old values of what may change."""
    containers = tuple(replace(item, image=was.image) for item, was in zip(new.containers, old.containers, strict=True))
    init = tuple(
        replace(item, image=was.image) for item, was in zip(new.init_containers, old.init_containers, strict=True)
    )
    grace = new.termination_grace_period_seconds
    if (old.termination_grace_period_seconds or 0) < 0 and grace == 1:
        grace = old.termination_grace_period_seconds
    masked = replace(
        new,
        containers=containers,
        init_containers=init,
        active_deadline_seconds=old.active_deadline_seconds,
        tolerations=old.tolerations,
        termination_grace_period_seconds=grace,
        scheduling_gates=old.scheduling_gates,
    )
    if old.scheduling_gates:  # a gated pod has not been seen by the scheduler: where it may run can still be narrowed
        masked = replace(masked, node_selector=old.node_selector, affinity=old.affinity)
    return masked


def validate_pod_status_update(new: core.Pod, old: core.Pod) -> Errors:
    found: Errors = []
    name = new.status.nominated_node_name
    if name:
        found += formatted("status.nominatedNodeName", name, dns_subdomain)
    if old.status.qos_class and new.status.qos_class != old.status.qos_class:
        found.append(invalid("status.qosClass", new.status.qos_class, "field is immutable"))
    for index, condition in enumerate(new.status.conditions):
        at = f"status.conditions[{index}].type"
        found += formatted(at, condition.type, qualified_name)
    return found
