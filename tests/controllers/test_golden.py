"""Whole plans for whole situations: tests/golden/<controller>/<case>.input.yaml and the .plan.yaml that it must give.

The first object of a case is what is decided. A controller that remembers is asked `# first seen: N` seconds earlier, too.
KUBELITE_GOLDEN=write writes the plans anew: read the difference before you believe it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kubelite.api.codec import to_builtins
from kubelite.api.core_v1 import Pod
from kubelite.api.manifest import parse_manifest
from kubelite.api.meta import Object
from kubelite.api.scheme import Scheme
from kubelite.client.cache import Cache
from kubelite.client.plan import Bind, Create, Delete, Patch, Plan, Report, Update, Write
from kubelite.client.view import Controller, key_of
from kubelite.controllers import COLLECTED, INDEXES, STORED, standard
from kubelite.controllers.admission_policies import AdmissionPolicyStatus
from kubelite.controllers.attach_detach import AttachDetachController
from kubelite.controllers.autoscaler import HorizontalPodAutoscalerController
from kubelite.controllers.autoscaler_metrics import NoMetrics
from kubelite.controllers.cluster_roles import ClusterRoleAggregator
from kubelite.controllers.cronjob import CronJobController
from kubelite.controllers.daemonset import DaemonSetController
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.disruption import DisruptionController, StaleDisruptionController
from kubelite.controllers.endpoints import EndpointsController
from kubelite.controllers.endpointslice import EndpointSliceController
from kubelite.controllers.endpointslice_mirroring import EndpointSliceMirroring
from kubelite.controllers.ephemeral_volume import EphemeralVolumeController
from kubelite.controllers.garbage_collector import GarbageCollector
from kubelite.controllers.host_path_provisioner import HostPathProvisioner
from kubelite.controllers.job import JobController
from kubelite.controllers.namespace import NamespaceController
from kubelite.controllers.namespace_defaults import RootCAPublisher, ServiceAccountController
from kubelite.controllers.node_lifecycle import NodeLifecycleController
from kubelite.controllers.persistent_volume import PersistentVolumeBinder
from kubelite.controllers.pod_gc import PodGarbageCollector
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.replication_controller import ReplicationControllerController
from kubelite.controllers.resource_quota import ResourceQuotaController
from kubelite.controllers.service_account_tokens import TokenCleaner
from kubelite.controllers.service_cidrs import ServiceCIDRController
from kubelite.controllers.service_ip_repair import ServiceIPRepair
from kubelite.controllers.signing_requests import CSRCleaner
from kubelite.controllers.statefulset import StatefulSetController
from kubelite.controllers.taint_eviction import TaintEvictionController
from kubelite.controllers.ttl import TTLController
from kubelite.controllers.ttl_after_finished import TTLAfterFinishedController
from kubelite.controllers.volume_protection import PVCProtectionController, PVProtectionController
from kubelite.scheduler import Scheduler
from tests.controllers.cluster import START

GOLDEN = Path(__file__).parent.parent / "golden"
WRITES = os.environ.get("KUBELITE_GOLDEN") == "write"

#: Made anew for every case, since some remember.
CONTROLLERS: dict[str, Callable[[], Controller]] = {
    "admission_policies": AdmissionPolicyStatus,
    "attach_detach": AttachDetachController,
    "autoscaler": partial(HorizontalPodAutoscalerController, NoMetrics()),
    "claim_protection": PVCProtectionController,
    "cluster_roles": ClusterRoleAggregator,
    "cronjob": CronJobController,
    "csr_cleaner": CSRCleaner,
    "daemonset": DaemonSetController,
    "deployment": DeploymentController,
    "disruption": DisruptionController,
    "endpoints": EndpointsController,
    "endpointslice": EndpointSliceController,
    "endpointslice_mirroring": EndpointSliceMirroring,
    "ephemeral_volume": EphemeralVolumeController,
    "garbage_collector": partial(GarbageCollector, COLLECTED),
    "host_path_provisioner": partial(HostPathProvisioner, "/volumes"),
    "job": JobController,
    "namespace": partial(NamespaceController, STORED),
    "node_lifecycle": NodeLifecycleController,
    "persistent_volume": PersistentVolumeBinder,
    "pod_gc": PodGarbageCollector,
    "replicaset": ReplicaSetController,
    "replication_controller": ReplicationControllerController,
    "resource_quota": partial(ResourceQuotaController, STORED),
    "root_ca": partial(RootCAPublisher, "the certificate"),
    "scheduler": Scheduler,
    "service_account": ServiceAccountController,
    "service_account_tokens": TokenCleaner,
    "service_cidrs": partial(ServiceCIDRController, "10.96.0.0/16"),
    "service_ip_repair": ServiceIPRepair,
    "stale_disruption": StaleDisruptionController,
    "statefulset": StatefulSetController,
    "taint_eviction": TaintEvictionController,
    "ttl": TTLController,
    "ttl_after_finished": TTLAfterFinishedController,
    "volume_protection": PVProtectionController,
}


def key_for(name: str, obj: Object) -> str:
    if name == "garbage_collector":
        return f"{obj.api_version} {obj.kind} {obj.metadata.namespace}/{obj.metadata.name}"
    if name == "pod_gc" and isinstance(obj, Pod):
        return obj.spec.node_name
    return key_of(obj)


def decided(name: str, text: str) -> Plan:
    """The plan for the first object of the text, once the controller was told of all of them."""
    view, controller = Cache(INDEXES), CONTROLLERS[name]()
    objects = parse_manifest(text, Scheme())
    for obj in objects:
        view.put(obj)
    for obj in objects:
        for watch in controller.watches:
            if watch.type is type(obj):
                list(watch.keys(view, None, obj))
    key = key_for(name, objects[0])
    if seen := re.search(r"^# first seen: (\d+)$", text, re.MULTILINE):
        controller.decide(view, key, START - int(seen[1]))
    return controller.decide(view, key, START)


def told(report: Report) -> dict[str, str]:
    name = f"{report.regarding.kind}/{report.regarding.metadata.name}"
    return {"regarding": name, "type": report.type, "reason": report.reason, "message": report.message}


def written(write: Write) -> dict[str, Any]:
    match write:
        case Create():
            return {"create": to_builtins(write.obj), **({"report": told(write.report)} if write.report else {})}
        case Update():
            plain = to_builtins(write.obj)
            if write.subresource == "status":
                plain.pop("spec", None)
            return {f"update {write.subresource}".strip(): plain}
        case Bind():
            return {"bind": to_builtins(write.binding)}
        case Patch() | Delete():
            fields = {name: value for name, value in msgspec.structs.asdict(write).items() if value and name != "type"}
            return {type(write).__name__.lower(): {"kind": write.type.kind, **fields}}


def readable(plan: Plan) -> dict[str, Any]:
    result: dict[str, Any] = {"writes": [written(write) for write in plan.writes]}
    if plan.reports:
        result["reports"] = [told(report) for report in plan.reports]
    if plan.requeue_after_s is not None:
        result["requeueAfterSeconds"] = plan.requeue_after_s
    if plan.why:
        result["why"] = plan.why
    return result


CASES = sorted(GOLDEN.glob("*/*.input.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_the_plan_is_the_golden_one(case: Path) -> None:
    plan = msgspec.json.decode(msgspec.json.encode(readable(decided(case.parent.name, case.read_text()))))
    expected = case.with_name(case.name.replace(".input.", ".plan."))
    if WRITES:
        expected.write_text(yaml.safe_dump(plan, sort_keys=False, width=120, allow_unicode=True))
    assert plan == yaml.safe_load(expected.read_text())


def test_every_controller_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(CONTROLLERS)
    shown = {type(make()) for make in CONTROLLERS.values()}
    assert {type(controller) for controller in standard(root_ca="the certificate")} == shown - {Scheduler}
