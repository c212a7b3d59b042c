"""A container's environment, and the values of a pod's and container's fields. Pure.

What cannot be resolved raises `ConfigFailed` with the text that a user sees as CreateContainerConfigError.
Source: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/kubelet/envvars/envvars.go, pkg/fieldpath/fieldpath.go,
third_party/forked/golang/expansion, https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from kubelite.api.core_v1 import (
    ConfigMap,
    ObjectFieldSelector,
    Pod,
    ResourceFieldSelector,
    Secret,
    Service,
)
from kubelite.api.meta import Quantity
from kubelite.api.quantity import milli_value, value
from kubelite.client.view import View
from kubelite.kubelet.node_status import NodeFacts
from kubelite.kubelet.observed import Spec

_FIELD_KEY = re.compile(r"^metadata\.(labels|annotations)\['(.*)'\]$")
_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


class ConfigFailed(Exception):
    """A container's configuration cannot be resolved now."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """The pod's address, once it has a sandbox, and its node."""

    pod_ip: str
    node: NodeFacts


def config_map(view: View, name: str, namespace: str) -> ConfigMap:
    if (found := view.get(ConfigMap, name, namespace)) is None:
        raise ConfigFailed(f'configmap "{name}" not found')
    return found


def secret(view: View, name: str, namespace: str) -> Secret:
    if (found := view.get(Secret, name, namespace)) is None:
        raise ConfigFailed(f'secret "{name}" not found')
    return found


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces $(NAME) by its value; unknown names stay, $$ is a dollar.

    >>> expand("$(A)-$(B)-$$(A)-$A", {"A": "1"})
    '1-$(B)-$(A)-$A'
    """

    def one(match: re.Match[str]) -> str:
        if match.group(1) == "$":
            return "$"
        return values.get(match.group(2), match.group(0))

    return _REFERENCE.sub(one, text)


def container_env(pod: Pod, container: Spec, view: View, addresses: Addresses) -> dict[str, str]:
    """All variables; later sources win over earlier ones. Raises: ConfigFailed."""
    services = service_env(pod, view)
    env = _from_sources(pod, container, view)
    for variable in container.env:
        source = variable.value_from
        if source is None:
            env[variable.name] = expand(variable.value, {**services, **env})
            continue
        found: str | None = None
        if source.field_ref is not None:
            found = field_value(pod, source.field_ref, addresses)
        elif source.resource_field_ref is not None:
            found = resource_value(pod, source.resource_field_ref, container, addresses.node.allocatable)
        elif (by_key := source.config_map_key_ref) is not None:
            found = _config_map_key(view, pod, by_key.name, by_key.key, optional=bool(by_key.optional))
        elif (key_ref := source.secret_key_ref) is not None:
            found = _secret_key(view, pod, key_ref.name, key_ref.key, optional=bool(key_ref.optional))
        if found is not None:
            env[variable.name] = found
    return {**services, **env}


def _from_sources(pod: Pod, container: Spec, view: View) -> dict[str, str]:
    env: dict[str, str] = {}
    namespace = pod.metadata.namespace
    for source in container.env_from:
        data: Mapping[str, str] = {}
        try:
            if source.config_map_ref is not None:
                data = config_map(view, source.config_map_ref.name, namespace).data
            elif source.secret_ref is not None:
                found = secret(view, source.secret_ref.name, namespace).data
                data = {key: _text(raw) for key, raw in found.items()}
        except ConfigFailed:
            given = source.config_map_ref or source.secret_ref
            if given is None or not given.optional:
                raise
        env |= {source.prefix + key: text for key, text in data.items() if "=" not in key}
    return env


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _config_map_key(view: View, pod: Pod, name: str, key: str, *, optional: bool) -> str | None:
    namespace = pod.metadata.namespace
    try:
        data = config_map(view, name, namespace).data
    except ConfigFailed:
        if optional:
            return None
        raise
    if key not in data and not optional:
        raise ConfigFailed(f"couldn't find key {key} in ConfigMap {namespace}/{name}")
    return data.get(key)


def _secret_key(view: View, pod: Pod, name: str, key: str, *, optional: bool) -> str | None:
    namespace = pod.metadata.namespace
    try:
        data = secret(view, name, namespace).data
    except ConfigFailed:
        if optional:
            return None
        raise
    if key not in data:
        if optional:
            return None
        raise ConfigFailed(f"couldn't find key {key} in Secret {namespace}/{name}")
    return _text(data[key])


def field_value(pod: Pod, ref: ObjectFieldSelector, addresses: Addresses) -> str:
    """The value of a field as the downward API gives it. Raises: ConfigFailed."""
    meta, path = pod.metadata, ref.field_path
    if (match := _FIELD_KEY.match(path)) is not None:
        which, key = match.groups()
        return (meta.labels if which == "labels" else meta.annotations).get(key, "")
    host_ip = addresses.node.host_ip
    pod_ip = host_ip if pod.spec.host_network else addresses.pod_ip
    match path:
        case "metadata.name":
            return meta.name
        case "metadata.namespace":
            return meta.namespace
        case "metadata.uid":
            return meta.uid
        case "metadata.labels":
            return _format_map(meta.labels)
        case "metadata.annotations":
            return _format_map(meta.annotations)
        case "spec.nodeName":
            return pod.spec.node_name
        case "spec.serviceAccountName":
            return pod.spec.service_account_name
        case "status.hostIP" | "status.hostIPs":
            return host_ip
        case "status.podIP" | "status.podIPs":
            return pod_ip
    raise ConfigFailed(f"unsupported fieldPath: {path}")


def _format_map(values: Mapping[str, str]) -> str:
    """Lines of key="value", sorted, quoted as Go quotes."""
    return "\n".join(f"{key}={_quote(values[key])}" for key in sorted(values))


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


def resource_value(pod: Pod, ref: ResourceFieldSelector, container: Spec, allocatable: Mapping[str, Quantity]) -> str:
    """A request or limit in units of the divisor, rounded up; without a limit what the node has. Raises: ConfigFailed."""
    if ref.container_name:
        named = (*pod.spec.containers, *pod.spec.init_containers)
        found = next((each for each in named if each.name == ref.container_name), None)
        if found is None:
            raise ConfigFailed(f"container {ref.container_name} not found")
        container = found
    which, _, resource = ref.resource.partition(".")
    if which not in {"limits", "requests"} or not resource:
        raise ConfigFailed(f"unsupported container resource : {ref.resource}")
    resources = container.resources
    amount: Quantity = resources.limits.get(resource, allocatable.get(resource, 0))
    if which == "requests":
        amount = {**resources.limits, **resources.requests}.get(resource, 0)
    if resource == "cpu":
        divisor = milli_value(ref.divisor or "1") or 1000
        return str(-(-milli_value(amount) // divisor))
    divisor = value(ref.divisor or "1") or 1
    return str(-(-value(amount) // divisor))


def service_env(pod: Pod, view: View) -> dict[str, str]:
    """The variables of the namespace's Services (with enableServiceLinks), and always those of the API server."""
    env: dict[str, str] = {}
    if pod.spec.enable_service_links is not False:
        env |= _links(view.list(Service, pod.metadata.namespace))
    api = view.get(Service, "kubernetes", "default")
    if api is not None and not (pod.spec.enable_service_links is not False and _shadowed(view, pod)):
        env |= _links([api])
    return env


def _shadowed(view: View, pod: Pod) -> bool:
    """A Service named kubernetes in the pod's own namespace wins over the API server's."""
    return view.get(Service, "kubernetes", pod.metadata.namespace) is not None


def _links(services: Iterable[Service]) -> dict[str, str]:
    env: dict[str, str] = {}
    for service in services:
        ip, ports = service.spec.cluster_ip, service.spec.ports
        if ip in {"", "None"} or not ports:
            continue
        name = service.metadata.name.upper().replace("-", "_")
        env[f"{name}_SERVICE_HOST"] = ip
        env[f"{name}_SERVICE_PORT"] = str(ports[0].port)
        for port in ports:
            if port.name:
                env[f"{name}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
        for index, port in enumerate(ports):
            protocol = port.protocol or "TCP"
            url = f"{protocol.lower()}://{ip}:{port.port}"
            if index == 0:
                env[f"{name}_PORT"] = url
            prefix = f"{name}_PORT_{port.port}_{protocol}"
            env |= {
                prefix: url,
                f"{prefix}_PROTO": protocol.lower(),
                f"{prefix}_PORT": str(port.port),
                f"{prefix}_ADDR": ip,
            }
    return env
