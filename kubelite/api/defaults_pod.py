"""Defaults of pods and of everything that holds a pod template. Pure.

Each function returns the very object it was given when nothing was left out.
Source: k8s.io/kubernetes pkg/apis/core/v1/defaults.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.meta import Quantity
from kubelite.api.quantity import canonical

C = TypeVar("C", core.Container, core.EphemeralContainer)
_MODE = 0o644


def default_quantities(values: Mapping[str, Quantity]) -> Mapping[str, Quantity]:
    """Canonical quantities; fractions below a thousandth are rounded up by `canonical`."""
    if not values:
        return values
    wanted = {name: canonical(value) for name, value in values.items()}
    return values if wanted == values else wanted


def default_resources(resources: core.ResourceRequirements, *, requests_from_limits: bool) -> core.ResourceRequirements:
    limits = default_quantities(resources.limits)
    requests = default_quantities(resources.requests)
    if requests_from_limits and limits and any(name not in requests for name in limits):
        requests = {**limits, **requests}
    if limits is resources.limits and requests is resources.requests:
        return resources
    return replace(resources, limits=limits, requests=requests)


def image_tag(image: str) -> str:
    """The tag of an image reference; "latest" when it has neither tag nor digest.

    >>> image_tag("nginx"), image_tag("host:5000/nginx:1.2"), image_tag("nginx@sha256:00")
    ('latest', '1.2', '')
    """
    name, at, _ = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return "" if at else "latest"


def _action(action: core.HTTPGetAction | None) -> core.HTTPGetAction | None:
    if action is None or (action.path and action.scheme):
        return action
    return replace(action, path=action.path or "/", scheme=action.scheme or "HTTP")


def default_probe(probe: core.Probe | None) -> core.Probe | None:
    if probe is None:
        return None
    grpc = probe.grpc
    if grpc is not None and grpc.service is None:
        grpc = replace(grpc, service="")
    return replace(
        probe,
        http_get=_action(probe.http_get),
        grpc=grpc,
        timeout_seconds=probe.timeout_seconds or 1,
        period_seconds=probe.period_seconds or 10,
        success_threshold=probe.success_threshold or 1,
        failure_threshold=probe.failure_threshold or 3,
    )


def _handler(handler: core.LifecycleHandler | None) -> core.LifecycleHandler | None:
    return None if handler is None else replace(handler, http_get=_action(handler.http_get))


def _env(env: core.EnvVar) -> core.EnvVar:
    source = env.value_from
    if source is None:
        return env
    if source.field_ref is not None and not source.field_ref.api_version:
        source = replace(source, field_ref=replace(source.field_ref, api_version="v1"))
    if source.resource_field_ref is not None:
        source = replace(source, resource_field_ref=_divisor(source.resource_field_ref))
    return env if source is env.value_from else replace(env, value_from=source)


def _divisor(selector: core.ResourceFieldSelector) -> core.ResourceFieldSelector:
    return replace(selector, divisor=canonical(selector.divisor or "0"))


def _port(port: core.ContainerPort, *, host_network: bool) -> core.ContainerPort:
    host_port = port.container_port if host_network and not port.host_port else port.host_port
    if port.protocol and host_port == port.host_port:
        return port
    return replace(port, protocol=port.protocol or "TCP", host_port=host_port)


def default_container(container: C, *, is_pod: bool, host_network: bool) -> C:
    """`is_pod`: not a template, which gets fewer defaults."""
    changes: dict[str, Any] = {}
    if not container.image_pull_policy:
        changes["image_pull_policy"] = "Always" if image_tag(container.image) == "latest" else "IfNotPresent"
    if not container.termination_message_path:
        changes["termination_message_path"] = "/dev/termination-log"
    if not container.termination_message_policy:
        changes["termination_message_policy"] = "File"
    if container.resources.limits or container.resources.requests:
        changes["resources"] = default_resources(container.resources, requests_from_limits=is_pod)
    if container.ports:
        changes["ports"] = tuple(_port(port, host_network=host_network and is_pod) for port in container.ports)
    if container.env:
        changes["env"] = tuple(_env(item) for item in container.env)
    for name in ("liveness_probe", "readiness_probe", "startup_probe"):
        if (probe := getattr(container, name)) is not None:
            changes[name] = default_probe(probe)
    hooks = container.lifecycle
    if hooks is not None:
        changes["lifecycle"] = replace(hooks, post_start=_handler(hooks.post_start), pre_stop=_handler(hooks.pre_stop))
    return replace(container, **changes) if changes else container


def _with_mode(source: Any) -> Any:
    return source if source.default_mode is not None else replace(source, default_mode=_MODE)


def _downward(items: tuple[core.DownwardAPIVolumeFile, ...]) -> tuple[core.DownwardAPIVolumeFile, ...]:
    def fill(item: core.DownwardAPIVolumeFile) -> core.DownwardAPIVolumeFile:
        if item.field_ref is not None and not item.field_ref.api_version:
            item = replace(item, field_ref=replace(item.field_ref, api_version="v1"))
        if item.resource_field_ref is not None:
            item = replace(item, resource_field_ref=_divisor(item.resource_field_ref))
        return item

    return tuple(fill(item) for item in items)


def _projection(source: core.VolumeProjection) -> core.VolumeProjection:
    token = source.service_account_token
    if token is not None and token.expiration_seconds is None:
        return replace(source, service_account_token=replace(token, expiration_seconds=3600))
    if source.downward_api is not None:
        return replace(source, downward_api=replace(source.downward_api, items=_downward(source.downward_api.items)))
    return source


_SOURCES = core.VolumeSource.__struct_fields__


def default_volume(volume: core.Volume) -> core.Volume:
    changes: dict[str, Any] = {}
    for name in ("secret", "config_map"):
        if (source := getattr(volume, name)) is not None:
            changes[name] = _with_mode(source)
    if volume.downward_api is not None:
        source = _with_mode(volume.downward_api)
        changes["downward_api"] = replace(source, items=_downward(source.items))
    if volume.projected is not None:
        source = _with_mode(volume.projected)
        changes["projected"] = replace(source, sources=tuple(_projection(item) for item in source.sources))
    if volume.host_path is not None and volume.host_path.type is None:
        changes["host_path"] = replace(volume.host_path, type="")
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        changes["empty_dir"] = replace(volume.empty_dir, size_limit=canonical(volume.empty_dir.size_limit))
    if volume.iscsi is not None and not volume.iscsi.iscsi_interface:
        changes["iscsi"] = replace(volume.iscsi, iscsi_interface="default")
    if volume.image is not None and not volume.image.pull_policy:
        policy = "Always" if image_tag(volume.image.reference) == "latest" else "IfNotPresent"
        changes["image"] = replace(volume.image, pull_policy=policy)
    claim = volume.ephemeral.volume_claim_template if volume.ephemeral else None
    if volume.ephemeral is not None and claim is not None:
        template = replace(claim, spec=default_claim_spec(claim.spec))
        changes["ephemeral"] = replace(volume.ephemeral, volume_claim_template=template)
    if not changes and all(getattr(volume, name) is None for name in _SOURCES):
        changes["empty_dir"] = core.EmptyDirVolumeSource()
    return replace(volume, **changes) if changes else volume


def default_claim_spec(spec: core.PersistentVolumeClaimSpec) -> core.PersistentVolumeClaimSpec:
    resources = spec.resources
    limits, requests = default_quantities(resources.limits), default_quantities(resources.requests)
    source, reference = spec.data_source, spec.data_source_ref
    if source is not None and reference is None:
        reference = core.TypedObjectReference(api_group=source.api_group, kind=source.kind, name=source.name)
    elif reference is not None and source is None and not reference.namespace:
        source = core.TypedLocalObjectReference(api_group=reference.api_group, kind=reference.kind, name=reference.name)
    return replace(
        spec,
        volume_mode=spec.volume_mode or "Filesystem",
        resources=replace(resources, limits=limits, requests=requests),
        data_source=source,
        data_source_ref=reference,
    )


def default_pod_spec(spec: core.PodSpec, *, is_pod: bool = False) -> core.PodSpec:
    """A pod's spec, or a template's, which gets fewer defaults."""
    host = spec.host_network

    def fill(items: tuple[core.Container, ...]) -> tuple[core.Container, ...]:
        return tuple(default_container(item, is_pod=is_pod, host_network=host) for item in items)

    changes: dict[str, Any] = {"containers": fill(spec.containers)}
    if spec.init_containers:
        changes["init_containers"] = fill(spec.init_containers)
    if spec.ephemeral_containers:
        changes["ephemeral_containers"] = tuple(
            default_container(item, is_pod=is_pod, host_network=False) for item in spec.ephemeral_containers
        )
    if spec.volumes:
        changes["volumes"] = tuple(default_volume(volume) for volume in spec.volumes)
    if not spec.dns_policy:
        changes["dns_policy"] = "ClusterFirst"
    if not spec.restart_policy:
        changes["restart_policy"] = "Always"
    if spec.security_context is None:
        changes["security_context"] = core.PodSecurityContext()
    if spec.termination_grace_period_seconds is None:
        changes["termination_grace_period_seconds"] = 30
    if not spec.scheduler_name:
        changes["scheduler_name"] = "default-scheduler"
    if is_pod and spec.enable_service_links is None:
        changes["enable_service_links"] = True
    if spec.overhead:
        changes["overhead"] = default_quantities(spec.overhead)
    if spec.resources is not None:
        changes["resources"] = default_resources(spec.resources, requests_from_limits=is_pod)
    if spec.service_account_name or spec.service_account:  # one field under its old and its new name
        account = spec.service_account_name or spec.service_account
        changes |= {"service_account_name": account, "service_account": account}
    return replace(spec, **changes)


def default_pod(pod: core.Pod) -> core.Pod:
    return replace(pod, spec=default_pod_spec(pod.spec, is_pod=True))


def default_template(template: core.PodTemplateSpec) -> core.PodTemplateSpec:
    return replace(template, spec=default_pod_spec(template.spec))
