"""What an object's fields are when the client leaves them out; quantities in canonical form. Pure.

The door of the `defaults_*` files. Source: k8s.io/kubernetes pkg/apis/*/v1/defaults.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.api import (
    admissionregistration_v1 as registration,
    apiextensions_v1 as apiextensions,
    apiregistration_v1 as apiregistration,
    apps_v1 as apps,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    core_v1 as core,
    defaults_core as basic,
    defaults_workloads as workloads,
    discovery_v1 as discovery,
    networking_v1 as networking,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.defaults_pod import default_pod
from kubelite.api.defaults_registration import default_binding, default_policy, default_webhooks
from kubelite.api.meta import Object


def _default_definition(crd: apiextensions.CustomResourceDefinition) -> apiextensions.CustomResourceDefinition:
    from kubelite.api.custom_definition import default_definition  # loaded when there is one

    return default_definition(crd)


def _default_api_service(service: Any) -> Any:
    from kubelite.api.apiservices import default_api_service

    return default_api_service(service)


_DEFAULTS: dict[type[Object], Callable[[Any], Any]] = {
    core.Pod: default_pod,
    core.Service: basic.default_service,
    core.Secret: basic.default_secret,
    core.Namespace: basic.default_namespace,
    core.Node: basic.default_node,
    core.Endpoints: basic.default_endpoints,
    core.PersistentVolume: basic.default_volume,
    core.PersistentVolumeClaim: basic.default_claim,
    core.PodTemplate: basic.default_pod_template,
    core.ReplicationController: basic.default_replication_controller,
    core.LimitRange: basic.default_limit_range,
    core.ResourceQuota: basic.default_quota,
    discovery.EndpointSlice: basic.default_endpoint_slice,
    apps.Deployment: workloads.default_deployment,
    apps.ReplicaSet: workloads.default_replica_set,
    apps.DaemonSet: workloads.default_daemon_set,
    apps.StatefulSet: workloads.default_stateful_set,
    batch.Job: workloads.default_job,
    batch.CronJob: workloads.default_cron_job,
    autoscaling_v1.HorizontalPodAutoscaler: workloads.default_autoscaler_v1,
    autoscaling_v2.HorizontalPodAutoscaler: workloads.default_autoscaler_v2,
    networking.NetworkPolicy: workloads.default_network_policy,
    networking.IngressClass: workloads.default_ingress_class,
    rbac.RoleBinding: workloads.default_role_binding,
    rbac.ClusterRoleBinding: workloads.default_cluster_role_binding,
    scheduling.PriorityClass: workloads.default_priority_class,
    storage.StorageClass: workloads.default_storage_class,
    storage.CSIDriver: workloads.default_csi_driver,
    apiextensions.CustomResourceDefinition: _default_definition,
    apiregistration.APIService: _default_api_service,
    registration.MutatingWebhookConfiguration: default_webhooks,
    registration.ValidatingWebhookConfiguration: default_webhooks,
    registration.ValidatingAdmissionPolicy: default_policy,
    registration.ValidatingAdmissionPolicyBinding: default_binding,
}


def apply_defaults(obj: Any) -> Any:
    """`obj` with every default filled in. Idempotent."""
    fill = _DEFAULTS.get(type(obj))
    return obj if fill is None else fill(obj)
