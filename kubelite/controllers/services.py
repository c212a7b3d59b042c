"""Which pods a Service selects, which Services select a pod, and which port of a pod a Service means.

Pure; shared by `endpointslice` and `endpoints`. Source: k8s.io/kubernetes pkg/api/v1/pod/util.go (FindPort),
pkg/controller/util/endpoint, staging/src/k8s.io/endpointslice/util
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import Pod, Service, ServicePort
from kubelite.client.view import Key, View, key_of
from kubelite.controllers.pods import is_terminal, readiness_changed
from kubelite.controllers.selection import pods_with_labels

SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"


def selector_of_namespace(service: Service) -> Iterable[str]:
    """Index "selector": Services by `namespace/key=value` of their selector's first pair."""
    if not service.spec.selector:
        return ()
    key = min(service.spec.selector)
    return (f"{service.metadata.namespace}/{key}={service.spec.selector[key]}",)


def has_endpoints(service: Service) -> bool:
    """Whether its endpoints are computed from pods."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip in ("", "None")


def selected_pods(view: View, service: Service) -> list[Pod]:
    """The pods that may be endpoints: with an address and not finished, oldest name first."""
    found = pods_with_labels(view, service.metadata.namespace, service.spec.selector)
    chosen = [pod for pod in found if pod.status.pod_ip and not is_terminal(pod)]
    return sorted(chosen, key=lambda pod: pod.metadata.name)


def service_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    """The Services whose endpoints a pod's change concerns."""
    if old is not None and new is not None and not _endpoint_changed(old, new):
        return
    for pod in (old, new) if old is None or new is None or old.metadata.labels != new.metadata.labels else (new,):
        if pod is None:
            continue
        labels = pod.metadata.labels.items()
        for key, value in labels:
            for service in view.indexed(Service, "selector", f"{pod.metadata.namespace}/{key}={value}"):
                if service.spec.selector.items() <= labels:
                    yield key_of(service)


def _endpoint_changed(old: Pod, new: Pod) -> bool:
    return (
        old.metadata.labels != new.metadata.labels
        or old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        or old.status.pod_ips != new.status.pod_ips
        or old.status.pod_ip != new.status.pod_ip
        or old.spec.node_name != new.spec.node_name
        or readiness_changed(old, new)
    )


def find_port(pod: Pod, port: ServicePort) -> int | None:
    """The number that `targetPort` means in `pod`; None if the pod has no port of that name."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    sidecars = [container for container in pod.spec.init_containers if container.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for offered in container.ports:
            if offered.name == port.target_port and (offered.protocol or "TCP") == (port.protocol or "TCP"):
                return offered.container_port
    return int(port.target_port) if port.target_port.isdecimal() else None


def hostname_in(service: Service, pod: Pod) -> str:
    """The name that the pod has under a headless Service; empty without one."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""
