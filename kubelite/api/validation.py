"""Whether an object may be stored: every rule that is broken, each with its field, in one answer.

The door of the `validation_*` files: the format of each kind's name, and the rules of each kind beside those of its metadata.
Pure; called by the API server after defaults and admission. Source: k8s.io/kubernetes pkg/apis/*/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from kubelite.api import (
    admissionregistration_v1 as registration,
    apiextensions_v1 as apiextensions,
    apiregistration_v1 as apiregistration,
    apps_v1 as apps,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    certificates_v1 as certificates,
    coordination_v1 as coordination,
    core_v1 as core,
    discovery_v1 as discovery,
    events_v1 as events,
    networking_v1 as networking,
    policy_v1 as policy,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object
from kubelite.api.validation_addresses import strict_ip
from kubelite.api.validation_field import Errors, Format, dns1035_label, dns_label, dns_subdomain, path_segment
from kubelite.api.validation_meta import validate_metadata, validate_metadata_update

#: Kinds whose name is not a DNS subdomain.
_NAMES: dict[type[Object], Format] = {
    apiregistration.APIService: path_segment,
    certificates.CertificateSigningRequest: path_segment,
    core.Namespace: dns_label,
    core.Service: dns1035_label,
    networking.IPAddress: strict_ip,
    rbac.Role: path_segment,
    rbac.RoleBinding: path_segment,
    rbac.ClusterRole: path_segment,
    rbac.ClusterRoleBinding: path_segment,
}

#: The rules of each kind, `file:function` in this room: a file is loaded with the first object that it is about.
_CREATE: dict[type[Object], str] = {
    apiregistration.APIService: "apiservices:validate_api_service",
    core.Pod: "validation_pod:validate_pod",
    core.Service: "validation_service:validate_service",
    core.ConfigMap: "validation_core:validate_config_map",
    core.Secret: "validation_core:validate_secret",
    core.Node: "validation_core:validate_node",
    core.Namespace: "validation_core:validate_namespace",
    core.Event: "validation_events:validate_event",
    events.Event: "validation_events:validate_new_event",
    core.Endpoints: "validation_core:validate_endpoints",
    core.PodTemplate: "validation_pod:validate_pod_template",
    core.ReplicationController: "validation_workloads:validate_replication_controller",
    core.ResourceQuota: "validation_quota:validate_quota",
    core.LimitRange: "validation_quota:validate_limit_range",
    core.PersistentVolume: "validation_storage:validate_volume",
    core.PersistentVolumeClaim: "validation_storage:validate_claim",
    storage.StorageClass: "validation_storage:validate_storage_class",
    autoscaling_v1.HorizontalPodAutoscaler: "validation_quota:validate_autoscaler",
    autoscaling_v2.HorizontalPodAutoscaler: "validation_quota:validate_autoscaler",
    certificates.CertificateSigningRequest: "validation_quota:validate_request",
    registration.MutatingWebhookConfiguration: "validation_registration:validate_webhooks",
    registration.ValidatingWebhookConfiguration: "validation_registration:validate_webhooks",
    registration.ValidatingAdmissionPolicy: "validation_policies:validate_policy",
    registration.ValidatingAdmissionPolicyBinding: "validation_policies:validate_binding",
    apps.Deployment: "validation_workloads:validate_deployment",
    apps.ReplicaSet: "validation_workloads:validate_replica_set",
    apps.DaemonSet: "validation_workloads:validate_daemon_set",
    apps.StatefulSet: "validation_workloads:validate_stateful_set",
    batch.Job: "validation_workloads:validate_job",
    batch.CronJob: "validation_workloads:validate_cron_job",
    coordination.Lease: "validation_core:validate_lease",
    discovery.EndpointSlice: "validation_core:validate_endpoint_slice",
    networking.Ingress: "validation_policy:validate_ingress",
    networking.NetworkPolicy: "validation_policy:validate_network_policy",
    networking.IPAddress: "validation_addresses:validate_ip_address",
    networking.ServiceCIDR: "validation_addresses:validate_service_cidr",
    policy.PodDisruptionBudget: "validation_policy:validate_budget",
    rbac.Role: "validation_policy:validate_role",
    rbac.ClusterRole: "validation_policy:validate_cluster_role",
    rbac.RoleBinding: "validation_policy:validate_role_binding",
    rbac.ClusterRoleBinding: "validation_policy:validate_role_binding",
    scheduling.PriorityClass: "validation_core:validate_priority_class",
    apiextensions.CustomResourceDefinition: "custom_definition:validate_definition",
}

#: Kinds whose update follows other rules than their creation.
_UPDATE: dict[type[Object], str] = {
    core.Pod: "validation_pod:validate_pod_update",
    core.Service: "validation_service:validate_service_update",
    core.ConfigMap: "validation_core:validate_config_map_update",
    core.Secret: "validation_core:validate_secret_update",
    core.Node: "validation_core:validate_node_update",
    core.ResourceQuota: "validation_quota:validate_quota_update",
    events.Event: "validation_events:validate_new_event_update",
    core.PersistentVolume: "validation_storage:validate_volume_update",
    core.PersistentVolumeClaim: "validation_storage:validate_claim_update",
    storage.StorageClass: "validation_storage:validate_storage_class_update",
    apps.Deployment: "validation_workloads:validate_deployment_update",
    apps.ReplicaSet: "validation_workloads:validate_replica_set_update",
    apps.DaemonSet: "validation_workloads:validate_daemon_set_update",
    apps.StatefulSet: "validation_workloads:validate_stateful_set_update",
    batch.Job: "validation_workloads:validate_job_update",
    certificates.CertificateSigningRequest: "validation_certificates:validate_request_update",
    discovery.EndpointSlice: "validation_core:validate_endpoint_slice_update",
    networking.IPAddress: "validation_addresses:validate_ip_address_update",
    networking.ServiceCIDR: "validation_addresses:validate_service_cidr_update",
    rbac.RoleBinding: "validation_policy:validate_role_binding_update",
    rbac.ClusterRoleBinding: "validation_policy:validate_role_binding_update",
    scheduling.PriorityClass: "validation_core:validate_priority_class_update",
    apiextensions.CustomResourceDefinition: "custom_definition:validate_definition_update",
}
#: What may change in a subresource.
_SUBRESOURCE: dict[tuple[type[Object], str], str] = {
    (core.Pod, "status"): "validation_pod:validate_pod_status_update",
    (certificates.CertificateSigningRequest, "status"): "validation_certificates:validate_request_status",
    (certificates.CertificateSigningRequest, "approval"): "validation_certificates:validate_request_approval",
    (apiextensions.CustomResourceDefinition, "status"): "custom_definition:validate_definition_status",
}
_CUSTOM = "custom_validation:validate_custom"


@lru_cache(maxsize=256)
def _rule(where: str) -> Callable[..., Errors]:
    file, _, function = where.partition(":")
    found: Callable[..., Errors] = getattr(import_module(f"kubelite.api.{file}"), function)
    return found


def validate(obj: Any, *, namespaced: bool) -> Errors:
    """An object about to be created."""
    type_ = type(obj)
    found = validate_metadata(obj.metadata, namespaced=namespaced, name_format=_NAMES.get(type_, dns_subdomain))
    if isinstance(obj, CustomObject):
        found += _rule(_CUSTOM)(obj)
    elif (where := _CREATE.get(type_)) is not None:
        found += _rule(where)(obj)
    return found


def validate_update(new: Any, old: Any, *, namespaced: bool, subresource: str = "") -> Errors:
    """An object about to be replaced; with subresource "status" only metadata and status may differ."""
    # upstream checks metadata for all kinds and again for the kind, so that each cause is there twice
    again = validate_metadata_update(new.metadata, old.metadata)
    found = validate_metadata(new.metadata, namespaced=namespaced, name_format=path_segment) + again + again
    if isinstance(new, CustomObject):
        return found + _rule(_CUSTOM)(new, old, subresource=subresource)
    if subresource:
        where = _SUBRESOURCE.get((type(new), subresource))
    else:
        where = _UPDATE.get(type(new))
        if where is None and (check := _CREATE.get(type(new))) is not None:
            found += _rule(check)(new)
    if where is not None:
        found += _rule(where)(new, old)
    return found
