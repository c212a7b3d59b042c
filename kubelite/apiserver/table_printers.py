"""Every kind's printer, by (group, kind)."""

from __future__ import annotations

from kubelite.apiserver import (
    table_admission as admission,
    table_cluster as cluster,
    table_network as network,
    table_workloads as workloads,
)
from kubelite.apiserver.table_columns import Printer
from kubelite.apiserver.table_metrics import NODE_METRICS, POD_METRICS
from kubelite.apiserver.table_pods import POD

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "Pod"): POD,
    ("", "PodTemplate"): workloads.POD_TEMPLATE,
    ("", "ReplicationController"): workloads.REPLICAS,
    ("", "Service"): network.SERVICE,
    ("", "Endpoints"): network.ENDPOINTS,
    ("", "Node"): cluster.NODE,
    ("", "Namespace"): cluster.NAMESPACE,
    ("", "ConfigMap"): cluster.CONFIG_MAP,
    ("", "Secret"): cluster.SECRET,
    ("", "ServiceAccount"): cluster.ACCOUNT,
    ("", "PersistentVolume"): cluster.VOLUME,
    ("", "PersistentVolumeClaim"): cluster.CLAIM,
    ("", "ResourceQuota"): cluster.QUOTA,
    ("", "Event"): cluster.EVENT,
    ("", "ComponentStatus"): cluster.COMPONENT,
    ("apiregistration.k8s.io", "APIService"): cluster.API_SERVICE,
    ("autoscaling", "Scale"): cluster.SCALE,
    ("events.k8s.io", "Event"): cluster.EVENT,
    (_ADMISSION, "MutatingWebhookConfiguration"): admission.WEBHOOKS,
    (_ADMISSION, "ValidatingWebhookConfiguration"): admission.WEBHOOKS,
    (_ADMISSION, "ValidatingAdmissionPolicy"): admission.POLICY,
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): admission.BINDING,
    ("apps", "ControllerRevision"): workloads.REVISION,
    ("apps", "DaemonSet"): workloads.DAEMON_SET,
    ("apps", "Deployment"): workloads.DEPLOYMENT,
    ("apps", "ReplicaSet"): workloads.REPLICAS,
    ("apps", "StatefulSet"): workloads.STATEFUL_SET,
    ("batch", "Job"): workloads.JOB,
    ("batch", "CronJob"): workloads.CRON_JOB,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.AUTOSCALER,
    ("policy", "PodDisruptionBudget"): workloads.BUDGET,
    ("networking.k8s.io", "Ingress"): network.INGRESS,
    ("networking.k8s.io", "IngressClass"): network.INGRESS_CLASS,
    ("networking.k8s.io", "NetworkPolicy"): network.NETWORK_POLICY,
    ("networking.k8s.io", "IPAddress"): network.IP_ADDRESS,
    ("networking.k8s.io", "ServiceCIDR"): network.SERVICE_CIDR,
    ("discovery.k8s.io", "EndpointSlice"): network.SLICE,
    ("storage.k8s.io", "StorageClass"): cluster.STORAGE_CLASS,
    ("scheduling.k8s.io", "PriorityClass"): cluster.PRIORITY,
    ("coordination.k8s.io", "Lease"): cluster.LEASE,
    ("node.k8s.io", "RuntimeClass"): cluster.RUNTIME_CLASS,
    ("certificates.k8s.io", "CertificateSigningRequest"): cluster.SIGNING_REQUEST,
    ("metrics.k8s.io", "NodeMetrics"): NODE_METRICS,
    ("metrics.k8s.io", "PodMetrics"): POD_METRICS,
    (_RBAC, "RoleBinding"): cluster.BINDING,
    (_RBAC, "ClusterRoleBinding"): cluster.BINDING,
}
