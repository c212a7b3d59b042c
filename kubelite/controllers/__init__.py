"""The built-in controllers: pure decisions `(view, key, now) -> Plan`, one file each, run by `client/host`.

Read `replicaset` first, the smallest complete one; then `deployment` with `rollout` (numbers) and `deployment_status` (words).
`pods`, `selection`, `services`, `history` and `template_hash` hold what several need. Then the other workloads (`job` with
`job_pods`, `daemonset`, `statefulset` with `stateful_pods`, `cronjob` with `cron`), the `autoscaler` with its metrics and
behavior, Services (`endpointslice`, `endpoints`, `endpointslice_mirroring`, `service_cidrs`, `service_ip_repair`), volumes
(`persistent_volume`, `host_path_provisioner`, `volume_protection`, `ephemeral_volume`, `attach_detach`), nodes
(`node_lifecycle`, `taint_eviction`, `pod_gc`), rights and limits (`cluster_roles`, `signing_requests`, `admission_policies`,
`resource_quota`) and the end of things (`garbage_collector`, `namespace`). `standard` names every controller and what it needs;
`INDEXES` is what a view must be able to look up for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.apps_v1 import ControllerRevision, ReplicaSet
from kubelite.api.core_v1 import Node, PersistentVolume, Pod, Secret, Service
from kubelite.api.custom import CustomObject
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.scheme import BUILT_IN, Resource
from kubelite.client.view import Controller, Indexes
from kubelite.controllers import garbage_collector
from kubelite.controllers.admission_policies import AdmissionPolicyStatus
from kubelite.controllers.attach_detach import AttachDetachController
from kubelite.controllers.autoscaler import HorizontalPodAutoscalerController
from kubelite.controllers.autoscaler_metrics import Metrics, NoMetrics
from kubelite.controllers.cluster_roles import ClusterRoleAggregator
from kubelite.controllers.cronjob import CronJobController
from kubelite.controllers.daemonset import DaemonSetController
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.disruption import DisruptionController, StaleDisruptionController
from kubelite.controllers.endpoints import EndpointsController
from kubelite.controllers.endpointslice import EndpointSliceController, slice_service
from kubelite.controllers.endpointslice_mirroring import EndpointSliceMirroring
from kubelite.controllers.ephemeral_volume import EphemeralVolumeController
from kubelite.controllers.host_path_provisioner import HostPathProvisioner
from kubelite.controllers.job import JobController
from kubelite.controllers.namespace import NamespaceController
from kubelite.controllers.namespace_defaults import RootCAPublisher, ServiceAccountController
from kubelite.controllers.node_lifecycle import LOST, NodeLifecycleController, lost_nodes
from kubelite.controllers.persistent_volume import PersistentVolumeBinder, claim_of_volume
from kubelite.controllers.pod_gc import PodGarbageCollector, finished_pods, pods_of_node
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.replication_controller import ReplicationControllerController
from kubelite.controllers.resource_quota import ResourceQuotaController
from kubelite.controllers.selection import labels_of_namespace, orphans_of_namespace
from kubelite.controllers.service_account_tokens import TokenCleaner, tokens_of_account
from kubelite.controllers.service_cidrs import ServiceCIDRController
from kubelite.controllers.service_ip_repair import ServiceIPRepair, services_of_address
from kubelite.controllers.services import selector_of_namespace
from kubelite.controllers.signing_requests import Authority, CSRApprover, CSRCleaner, CSRSigner
from kubelite.controllers.statefulset import StatefulSetController
from kubelite.controllers.taint_eviction import TaintEvictionController
from kubelite.controllers.ttl import TTLController
from kubelite.controllers.ttl_after_finished import TTLAfterFinishedController
from kubelite.controllers.volume_protection import PVCProtectionController, PVProtectionController, claims_of_pod


def stored(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Each kind that is stored, once, whatever versions it has; Events of either group are the same objects."""
    once: dict[str, Resource] = {}
    for resource in resources:
        if {"list", "watch", "delete"} <= set(resource.verbs):
            name = resource.plural if resource.kind == "Event" else resource.group_resource
            once.setdefault(name, resource)
    return tuple(once.values())


STORED = stored(BUILT_IN)
VOLUME_ROOT = "/var/lib/kubelite/volumes"  #: where nobody says otherwise
COLLECTED = tuple(resource for resource in STORED if resource.kind != "Event")  #: kinds that can have or be owners

INDEXES: Indexes = {
    (Pod, "orphan"): orphans_of_namespace,
    (Pod, "label"): labels_of_namespace,
    (Pod, "node"): pods_of_node,
    (Pod, "finished"): finished_pods,
    (Pod, "claim"): claims_of_pod,
    (Node, LOST): lost_nodes,
    (PersistentVolume, "claim"): claim_of_volume,
    (ReplicaSet, "orphan"): orphans_of_namespace,
    (ControllerRevision, "orphan"): orphans_of_namespace,
    (Secret, "account"): tokens_of_account,
    (Service, "selector"): selector_of_namespace,
    (Service, "address"): services_of_address,
    (EndpointSlice, "service"): slice_service,
    **garbage_collector.indexes((*(resource.type for resource in COLLECTED), CustomObject)),
}


def standard(
    *,
    root_ca: str = "",
    volume_root: str = VOLUME_ROOT,
    metrics: Metrics | None = None,
    authority: Authority | None = None,
    service_cidr: str = "",
) -> tuple[Controller, ...]:
    """Every controller, in the order in which their work flows.

    `root_ca`: the PEM text that verifies the API server. `volume_root`: the nodes' directory of provisioned volumes.
    `metrics`: what autoscalers read. `authority`: makes certificates of requests. `service_cidr`: the network of Services.
    """
    return (
        ServiceAccountController(),
        *((RootCAPublisher(root_ca),) if root_ca else ()),
        DeploymentController(),
        ReplicaSetController(),
        ReplicationControllerController(),
        StatefulSetController(),
        DaemonSetController(),
        CronJobController(),
        JobController(),
        TTLAfterFinishedController(),
        EndpointSliceController(),
        EndpointsController(),
        EndpointSliceMirroring(),
        ServiceCIDRController(service_cidr),
        ServiceIPRepair(),
        HorizontalPodAutoscalerController(metrics or NoMetrics()),
        ResourceQuotaController(STORED),
        TokenCleaner(),
        ClusterRoleAggregator(),
        AdmissionPolicyStatus(),
        *((CSRApprover(authority), CSRSigner(authority)) if authority else ()),
        CSRCleaner(),
        TTLController(),
        DisruptionController(),
        StaleDisruptionController(),
        EphemeralVolumeController(),
        PersistentVolumeBinder(),
        AttachDetachController(),
        HostPathProvisioner(volume_root),
        PVCProtectionController(),
        PVProtectionController(),
        NodeLifecycleController(),
        TaintEvictionController(),
        PodGarbageCollector(),
        garbage_collector.GarbageCollector(COLLECTED),
        NamespaceController(STORED),
    )
