"""Whether an object may be stored: every rule that is broken, each with its field, in one answer.

The door of the `validation_*` files: the format of each kind's name, and the rules of each kind beside those of its metadata.
Pure; called by the API server after defaults and admission. Source: k8s.io/kubernetes pkg/apis/*/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.api import (
    admissionregistration_v1 as registration,
    apiextensions_v1 as apiextensions,
    apps_v1 as apps,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    certificates_v1 as certificates,
    coordination_v1 as coordination,
    core_v1 as core,
    custom_definition as definitions,
    discovery_v1 as discovery,
    networking_v1 as networking,
    policy_v1 as policy,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
    validation_core as basic,
    validation_pod as pods,
    validation_policy as policies,
    validation_quota as quotas,
    validation_registration as registrations,
    validation_service as services,
    validation_storage as volumes,
    validation_workloads as workloads,
)
from kubelite.api.custom import CustomObject
from kubelite.api.custom_validation import validate_custom
from kubelite.api.meta import Object
from kubelite.api.validation_field import Errors, Format, dns1035_label, dns_label, dns_subdomain, path_segment
from kubelite.api.validation_meta import validate_metadata, validate_metadata_update

#: (object) and (new, old) to what is wrong.
Check = Callable[[Any], Errors]
UpdateCheck = Callable[[Any, Any], Errors]

#: Kinds whose name is not a DNS subdomain.
_NAMES: dict[type[Object], Format] = {
    core.Namespace: dns_label,
    core.Service: dns1035_label,
    rbac.Role: path_segment,
    rbac.RoleBinding: path_segment,
    rbac.ClusterRole: path_segment,
    rbac.ClusterRoleBinding: path_segment,
}

_CREATE: dict[type[Object], Check] = {
    core.Pod: pods.validate_pod,
    core.Service: services.validate_service,
    core.ConfigMap: basic.validate_config_map,
    core.Secret: basic.validate_secret,
    core.Node: basic.validate_node,
    core.Namespace: basic.validate_namespace,
    core.Event: basic.validate_event,
    core.Endpoints: basic.validate_endpoints,
    core.PodTemplate: lambda item: pods.validate_template(item.template, "template"),
    core.ReplicationController: workloads.validate_replication_controller,
    core.ResourceQuota: quotas.validate_quota,
    core.LimitRange: quotas.validate_limit_range,
    core.PersistentVolume: volumes.validate_volume,
    core.PersistentVolumeClaim: volumes.validate_claim,
    storage.StorageClass: volumes.validate_storage_class,
    autoscaling_v1.HorizontalPodAutoscaler: quotas.validate_autoscaler,
    autoscaling_v2.HorizontalPodAutoscaler: quotas.validate_autoscaler,
    certificates.CertificateSigningRequest: quotas.validate_request,
    registration.MutatingWebhookConfiguration: registrations.validate_webhooks,
    registration.ValidatingWebhookConfiguration: registrations.validate_webhooks,
    apps.Deployment: workloads.validate_deployment,
    apps.ReplicaSet: workloads.validate_replica_set,
    apps.DaemonSet: workloads.validate_daemon_set,
    apps.StatefulSet: workloads.validate_stateful_set,
    batch.Job: workloads.validate_job,
    batch.CronJob: workloads.validate_cron_job,
    coordination.Lease: basic.validate_lease,
    discovery.EndpointSlice: basic.validate_endpoint_slice,
    networking.Ingress: policies.validate_ingress,
    networking.NetworkPolicy: policies.validate_network_policy,
    policy.PodDisruptionBudget: policies.validate_budget,
    rbac.Role: policies.validate_role,
    rbac.ClusterRole: policies.validate_cluster_role,
    rbac.RoleBinding: policies.validate_role_binding,
    rbac.ClusterRoleBinding: policies.validate_role_binding,
    scheduling.PriorityClass: basic.validate_priority_class,
    apiextensions.CustomResourceDefinition: definitions.validate_definition,
}

#: Kinds whose update follows other rules than their creation.
_UPDATE: dict[type[Object], UpdateCheck] = {
    core.Pod: pods.validate_pod_update,
    core.Service: services.validate_service_update,
    core.ConfigMap: basic.validate_config_map_update,
    core.Secret: basic.validate_secret_update,
    core.Node: basic.validate_node_update,
    core.ResourceQuota: quotas.validate_quota_update,
    core.PersistentVolume: volumes.validate_volume_update,
    core.PersistentVolumeClaim: volumes.validate_claim_update,
    storage.StorageClass: volumes.validate_storage_class_update,
    apps.Deployment: workloads.validate_deployment_update,
    apps.ReplicaSet: workloads.validate_replica_set_update,
    apps.DaemonSet: workloads.validate_daemon_set_update,
    apps.StatefulSet: workloads.validate_stateful_set_update,
    batch.Job: workloads.validate_job_update,
    discovery.EndpointSlice: basic.validate_endpoint_slice_update,
    rbac.RoleBinding: policies.validate_role_binding_update,
    rbac.ClusterRoleBinding: policies.validate_role_binding_update,
    scheduling.PriorityClass: basic.validate_priority_class_update,
    apiextensions.CustomResourceDefinition: definitions.validate_definition_update,
}
_STATUS: dict[type[Object], UpdateCheck] = {
    core.Pod: pods.validate_pod_status_update,
    apiextensions.CustomResourceDefinition: definitions.validate_definition_status,
}


def validate(obj: Any, *, namespaced: bool) -> Errors:
    """An object about to be created."""
    type_ = type(obj)
    found = validate_metadata(obj.metadata, namespaced=namespaced, name_format=_NAMES.get(type_, dns_subdomain))
    if isinstance(obj, CustomObject):
        found += validate_custom(obj)
    elif (check := _CREATE.get(type_)) is not None:
        found += check(obj)
    return found


def validate_update(new: Any, old: Any, *, namespaced: bool, subresource: str = "") -> Errors:
    """An object about to be replaced; with subresource "status" only metadata and status may differ."""
    # upstream checks metadata for all kinds and again for the kind, so that each cause is there twice
    again = validate_metadata_update(new.metadata, old.metadata)
    found = validate_metadata(new.metadata, namespaced=namespaced, name_format=path_segment) + again + again
    if isinstance(new, CustomObject):
        return found + validate_custom(new, old, subresource=subresource)
    if subresource:
        check_update = _STATUS.get(type(new)) if subresource == "status" else None
    else:
        check_update = _UPDATE.get(type(new))
        if check_update is None and (check := _CREATE.get(type(new))) is not None:
            found += check(new)
    if check_update is not None:
        found += check_update(new, old)
    return found
