"""What must hold of one container: ports, environment, mounts, resources, security. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from kubelite.api import core_v1 as core
from kubelite.api.meta import Quantity
from kubelite.api.quantity import parse
from kubelite.api.validation_field import (
    PROTOCOLS,
    Errors,
    between,
    config_key,
    dns_label,
    duplicate,
    env_name,
    forbidden,
    formatted,
    invalid,
    not_found,
    not_supported,
    one_of,
    port_name,
    port_number,
    qualified_name,
    required,
)
from kubelite.api.validation_probe import validate_lifecycle

AnyContainer = core.Container | core.EphemeralContainer
_MAX_ID = 2**31 - 1
_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['.+'\]")
_RESOURCES = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def validate_container(container: AnyContainer, path: str, volumes: Collection[str]) -> Errors:
    """Everything but probes and what depends on the container's role. `volumes` are the names that can be mounted."""
    found: Errors = []
    if not container.name:
        found.append(required(f"{path}.name"))
    else:
        found += formatted(f"{path}.name", container.name, dns_label)
    if not container.image:
        found.append(required(f"{path}.image"))
    elif container.image != container.image.strip():
        found.append(invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace"))
    if container.lifecycle is not None:
        found += validate_lifecycle(container.lifecycle, f"{path}.lifecycle")
    if container.termination_message_policy not in ("File", "FallbackToLogsOnError"):
        supported = ("File", "FallbackToLogsOnError")
        found.append(not_supported(f"{path}.terminationMessagePolicy", container.termination_message_policy, supported))
    if container.ports:
        found += _ports(container.ports, f"{path}.ports")
    if container.env:
        found += _env(container.env, f"{path}.env")
    for index, source in enumerate(container.env_from):
        found += _env_from(source, f"{path}.envFrom[{index}]")
    if container.volume_mounts:
        found += _mounts(container, f"{path}.volumeMounts", volumes)
    found += one_of(f"{path}.imagePullPolicy", container.image_pull_policy, ("Always", "IfNotPresent", "Never"))
    resources = container.resources
    if resources.limits or resources.requests:
        found += validate_resources(resources.limits, resources.requests, f"{path}.resources")
    if container.security_context is not None:
        found += _security(container.security_context, f"{path}.securityContext")
    return found


def _ports(ports: tuple[core.ContainerPort, ...], path: str) -> Errors:
    found: Errors = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if port.name:
            if wrong := formatted(f"{at}.name", port.name, port_name):
                found += wrong
            elif port.name in names:
                found.append(duplicate(f"{at}.name", port.name))
            names.add(port.name)
        if not port.container_port:
            found.append(required(f"{at}.containerPort"))
        else:
            found += [invalid(f"{at}.containerPort", port.container_port, m) for m in port_number(port.container_port)]
        if port.host_port:
            found += [invalid(f"{at}.hostPort", port.host_port, m) for m in port_number(port.host_port)]
        if not port.protocol:
            found.append(required(f"{at}.protocol"))
        else:
            found += one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
    return found


def _env(env: tuple[core.EnvVar, ...], path: str) -> Errors:
    found: Errors = []
    for index, item in enumerate(env):
        at = f"{path}[{index}]"
        if not item.name:
            found.append(required(f"{at}.name"))
        else:
            found += formatted(f"{at}.name", item.name, env_name)
        if item.value_from is not None:
            found += _value_from(item.value_from, item.value, f"{at}.valueFrom")
    return found


def _value_from(source: core.EnvVarSource, value: str, path: str) -> Errors:
    found: Errors = []
    if source.field_ref is not None:
        found += validate_field_ref(source.field_ref, f"{path}.fieldRef", _FIELDS)
    if source.resource_field_ref is not None:
        found += validate_resource_ref(source.resource_field_ref, f"{path}.resourceFieldRef", needs_container=False)
    for name, reference in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if reference is not None:
            if not reference.name:
                found.append(required(f"{path}.{name}.name"))
            if not reference.key:
                found.append(required(f"{path}.{name}.key"))
            else:
                found += formatted(f"{path}.{name}.key", reference.key, config_key)
    every = (source.field_ref, source.resource_field_ref, source.config_map_key_ref, source.secret_key_ref)
    count = sum(item is not None for item in every)
    if not count:
        one = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        found.append(invalid(path, "", one))
    if value and count:
        found.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        found.append(invalid(path, "", "may not have more than one field specified at a time"))
    return found


def validate_field_ref(
    selector: core.ObjectFieldSelector, path: str, supported: tuple[str, ...] = _VOLUME_FIELDS
) -> Errors:
    if not selector.api_version:
        return [required(f"{path}.apiVersion")]
    if not selector.field_path:
        return [required(f"{path}.fieldPath")]
    if _SUBSCRIPT.fullmatch(selector.field_path):
        return []
    return one_of(f"{path}.fieldPath", selector.field_path, supported)


def validate_resource_ref(selector: core.ResourceFieldSelector, path: str, *, needs_container: bool) -> Errors:
    if needs_container and not selector.container_name:
        return [required(f"{path}.containerName")]
    if not selector.resource:
        return [required(f"{path}.resource")]
    if _RESOURCES.fullmatch(selector.resource):
        return []
    supported = ("limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu")
    return [
        not_supported(
            f"{path}.resource", selector.resource, (*supported, "requests.ephemeral-storage", "requests.memory")
        )
    ]


def _env_from(source: core.EnvFromSource, path: str) -> Errors:
    found: Errors = []
    if source.prefix:
        found += formatted(f"{path}.prefix", source.prefix, env_name)
    count = 0
    for name, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
        if reference is not None:
            count += 1
            if not reference.name:
                found.append(required(f"{path}.{name}.name"))
    if not count:
        found.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif count > 1:
        found.append(invalid(path, "", "may not have more than one field specified at a time"))
    return found


def _mounts(container: AnyContainer, path: str, volumes: Collection[str]) -> Errors:
    found: Errors = []
    places: set[str] = set()
    security = container.security_context
    for index, mount in enumerate(container.volume_mounts):
        at = f"{path}[{index}]"
        if not mount.name:
            found.append(required(f"{at}.name"))
        if mount.name not in volumes:
            found.append(not_found(f"{at}.name", mount.name))
        if not mount.mount_path:
            found.append(required(f"{at}.mountPath"))
        if mount.mount_path in places:
            found.append(invalid(f"{at}.mountPath", mount.mount_path, "must be unique"))
        places.add(mount.mount_path)
        if mount.sub_path:
            found += validate_relative(f"{at}.subPath", mount.sub_path)
        if mount.sub_path_expr:
            if mount.sub_path:
                why = "subPathExpr and subPath are mutually exclusive"
                found.append(invalid(f"{at}.subPathExpr", mount.sub_path_expr, why))
            found += validate_relative(f"{at}.subPathExpr", mount.sub_path_expr)
        if mount.mount_propagation is not None:
            supported = ("Bidirectional", "HostToContainer", "None")
            found += one_of(f"{at}.mountPropagation", mount.mount_propagation, supported)
            if mount.mount_propagation == "Bidirectional" and not (security and security.privileged):
                why = "Bidirectional mount propagation is available only to privileged containers"
                found.append(forbidden(f"{at}.mountPropagation", why))
    return found


def validate_relative(path: str, value: str) -> Errors:
    """A path below something."""
    if value.startswith("/"):
        return [invalid(path, value, "must be a relative path")]
    return validate_no_backsteps(path, value)


def validate_no_backsteps(path: str, value: str) -> Errors:
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def _resource_name(name: str, path: str) -> Errors:
    if name in _STANDARD_RESOURCES:
        return []
    if wrong := formatted(path, name, qualified_name):
        return wrong
    if "/" in name or name.startswith("hugepages-"):
        return []
    return [
        invalid(path, name, "must be a standard resource type or fully qualified"),
        invalid(path, name, "must be a standard resource for containers"),
    ]


def validate_resources(limits: Mapping[str, Quantity], requests: Mapping[str, Quantity], path: str) -> Errors:
    found: Errors = []
    for name, limit in limits.items():
        found += _resource_name(name, f"{path}.limits[{name}]")
        found += validate_amount(name, limit, f"{path}.limits[{name}]")
    for name, request in requests.items():
        at = f"{path}.requests[{name}]"
        found += _resource_name(name, at)
        found += validate_amount(name, request, at)
        maximum = limits.get(name)
        whole = "/" in name or name.startswith("hugepages-")  # these cannot be overcommitted
        if maximum is None:
            if whole:
                found.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif whole and _amount(request) != _amount(maximum):
            found.append(invalid(f"{path}.requests", str(request), f"must be equal to {name} limit of {maximum}"))
        elif _amount(request) > _amount(maximum):
            why = f"must be less than or equal to {name} limit of {maximum}"
            found.append(invalid(f"{path}.requests", str(request), why))
    return found


def _amount(value: Quantity) -> int:
    """In nanos."""
    return parse(value).nanos


def validate_amount(name: str, value: Quantity, path: str) -> Errors:
    if _amount(value) < 0:
        return [invalid(path, str(value), "must be greater than or equal to 0")]
    if "/" in name and _amount(value) % 10**9:
        return [invalid(path, str(value), "must be an integer")]
    return []


def _security(context: core.SecurityContext, path: str) -> Errors:
    found: Errors = []
    found += validate_id(f"{path}.runAsUser", context.run_as_user)
    found += validate_id(f"{path}.runAsGroup", context.run_as_group)
    if context.allow_privilege_escalation is False:
        if context.privileged:
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            found.append(invalid(path, context, why))
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            found.append(invalid(path, context, why))
    if context.proc_mount is not None:
        found += one_of(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked"))
    return found + validate_seccomp(context.seccomp_profile, f"{path}.seccompProfile")


def validate_seccomp(profile: core.SeccompProfile | None, path: str) -> Errors:
    if profile is None:
        return []
    if profile.type == "Localhost":
        if not profile.localhost_profile:
            return [required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")]
        return validate_relative(f"{path}.localhostProfile", profile.localhost_profile)
    found: Errors = []
    if profile.localhost_profile is not None:
        why = "can only be set when seccomp type is Localhost"
        found.append(invalid(f"{path}.localhostProfile", profile, why))
    if not profile.type:
        return [*found, required(f"{path}.type", "type is required when seccompProfile is set")]
    return found + one_of(f"{path}.type", profile.type, ("Localhost", "RuntimeDefault", "Unconfined"))


def validate_id(path: str, value: int | None) -> Errors:
    """A user or group id."""
    return [] if value is None or 0 <= value <= _MAX_ID else [invalid(path, value, between(0, _MAX_ID))]
