"""APIServices: their defaults and rules, those of the groups that are served here, and when one is available. Pure.

Whether a server behind a Service answers is asked by `apiserver.aggregation`; everything that can be told without asking is
decided here. Source: k8s.io/kube-aggregator v0.33 pkg/apis/apiregistration/{validation,v1/helper}, pkg/controllers/status
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.apiregistration_v1 import APIService, APIServiceCondition, APIServiceSpec
from kubelite.api.meta import ObjectMeta
from kubelite.api.validation_field import (
    Errors,
    dns1035_label,
    dns_subdomain,
    formatted,
    invalid,
    port_number,
    required,
)

#: Where a group stands among the others, and a version in its group.
#: Source: kubernetes pkg/controlplane/apiserver/aggregator.go, cmd/kube-apiserver/app/server.go
_PRIORITIES: dict[str, int] = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}
#: The group of the APIServices themselves; it has none and stands first.
OWN_GROUP = "apiregistration.k8s.io"
_CUSTOM = 1000
_MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_DEFAULT_PORT = 443
AVAILABLE = "Available"


def group_priority(group: str) -> int:
    """
    >>> group_priority("apps") > group_priority("example.com")
    True
    """
    return 20_001 if group == OWN_GROUP else _PRIORITIES.get(group, _CUSTOM)


def local_service(group: str, version: str) -> APIService:
    """What stands for a group version that is served here."""
    is_own = group in _PRIORITIES
    return APIService(
        metadata=ObjectMeta(name=f"{version}.{group}", labels={_MANAGED: "onstart" if is_own else "true"}),
        spec=APIServiceSpec(
            group=group,
            version=version,
            group_priority_minimum=group_priority(group),
            version_priority=_VERSIONS.get((group, version), 15) if is_own else 100,
        ),
    )


def is_managed(service: APIService) -> bool:
    """Whether it comes and goes with a custom kind."""
    return service.metadata.labels.get(_MANAGED) == "true"


def default_api_service(service: APIService) -> APIService:
    reference = service.spec.service
    if reference is None or reference.port is not None:
        return service
    return replace(service, spec=replace(service.spec, service=replace(reference, port=_DEFAULT_PORT)))


def create_api_service(service: APIService) -> APIService:
    """As it is first stored: what is served here is available at once."""
    local = (condition("True", "Local", "Local APIServices are always available"),) if not service.spec.service else ()
    stamped = tuple(replace(each, last_transition_time=service.metadata.creation_timestamp) for each in local)
    return replace(service, status=replace(service.status, conditions=stamped))


def validate_api_service(service: APIService) -> Errors:
    spec, found = service.spec, []
    if service.metadata.name != (name := f"{spec.version}.{spec.group}"):
        why = f'must be `spec.version+"."+spec.group`: "{name}"'
        found.append(invalid("metadata.name", service.metadata.name, why))
    if not spec.group and spec.version != "v1":
        why = "only v1 may have an empty group and it better be legacy kube"
        found.append(required("spec.group", why))
    if spec.group:
        found += formatted("spec.group", spec.group, dns_subdomain)
    found += formatted("spec.version", spec.version, dns1035_label)
    if not 0 < spec.group_priority_minimum <= 20_000:
        found.append(
            invalid("spec.groupPriorityMinimum", spec.group_priority_minimum, "must be positive and less than 20000")
        )
    if not 0 < spec.version_priority <= 1000:
        found.append(invalid("spec.versionPriority", spec.version_priority, "must be positive and less than 1000"))
    return found + (_validate_local(spec) if spec.service is None else _validate_remote(spec))


def _validate_local(spec: APIServiceSpec) -> Errors:
    found = []
    if spec.ca_bundle:
        why = "local APIServices may not have a caBundle"
        found.append(invalid("spec.caBundle", f"{len(spec.ca_bundle)} bytes", why))
    if spec.insecure_skip_tls_verify:
        found.append(
            invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify")
        )
    return found


def _validate_remote(spec: APIServiceSpec) -> Errors:
    assert spec.service is not None
    found = [required(f"spec.service.{name}") for name in ("namespace", "name") if not getattr(spec.service, name)]
    port = spec.service.port or 0
    found += [invalid("spec.service.port", port, f"port is not valid: {why}") for why in port_number(port)]
    if spec.insecure_skip_tls_verify and spec.ca_bundle:
        found.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return found


# -- availability ------------------------------------------------------------------------------------------------------


def condition(status: str, reason: str, message: str) -> APIServiceCondition:
    return APIServiceCondition(type=AVAILABLE, status=status, reason=reason, message=message)


def find_condition(service: APIService) -> APIServiceCondition | None:
    return next((each for each in service.status.conditions if each.type == AVAILABLE), None)


def is_available(service: APIService) -> bool:
    found = find_condition(service)
    return found is not None and found.status == "True"


def set_condition(service: APIService, new: APIServiceCondition, now: str) -> APIService:
    """`service` with the condition; the time changes with the status only."""
    old = find_condition(service)
    time = old.last_transition_time if old is not None and old.status == new.status else now
    others = tuple(each for each in service.status.conditions if each.type != AVAILABLE)
    conditions = (*others, replace(new, last_transition_time=time))
    return replace(service, status=replace(service.status, conditions=conditions))


def what_is_missing(
    service: APIService, behind: core.Service | None, endpoints: core.Endpoints | None
) -> APIServiceCondition | None:
    """Why the server behind cannot be there; None when it has to be asked."""
    ref = service.spec.service
    assert ref is not None
    where = f'service/{ref.name} in "{ref.namespace}"'
    if behind is None:
        return condition("False", "ServiceNotFound", f"{where} is not present")
    if behind.spec.type != "ClusterIP":
        return None
    names = [each.name for each in behind.spec.ports if each.port == ref.port]
    if not names:
        return condition("False", "ServicePortError", f"{where} is not listening on port {ref.port}")
    if endpoints is None:
        return condition("False", "EndpointsNotFound", f"cannot find endpoints for {where}")
    if not addresses_of(endpoints, names[0]):
        why = f'endpoints for {where} have no addresses with port name "{names[0]}"'
        return condition("False", "MissingEndpoints", why)
    return None


def addresses_of(endpoints: core.Endpoints, port_name: str) -> list[tuple[str, int]]:
    """Every (address, port) that is ready."""
    return [
        (address.ip, port.port)
        for subset in endpoints.subsets
        for port in subset.ports
        if port.name == port_name
        for address in subset.addresses
    ]


def service_cells(service: Any) -> tuple[str, str]:
    """What a table shows: the Service, and whether it is available."""
    ref, found = service.spec.service, find_condition(service)
    where = f"{ref.namespace}/{ref.name}" if ref is not None else "Local"
    if found is None:
        return where, "Unknown"
    return where, found.status if found.status == "True" or not found.reason else f"{found.status} ({found.reason})"
