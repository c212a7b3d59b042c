"""Whole plans for whole situations: tests/golden/<controller>/<case>.input.yaml and the .plan.yaml that it must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kubelite.api.codec import to_builtins
from kubelite.api.manifest import parse_manifest
from kubelite.api.scheme import Scheme
from kubelite.client.cache import Cache
from kubelite.client.plan import Bind, Create, Delete, Patch, Plan, Report, Update, Write
from kubelite.client.view import Controller, key_of
from kubelite.controllers import INDEXES, STORED
from kubelite.controllers.autoscaler import HorizontalPodAutoscalerController
from kubelite.controllers.autoscaler_metrics import NoMetrics
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.endpointslice import EndpointSliceController
from kubelite.controllers.job import JobController
from kubelite.controllers.node_lifecycle import NodeLifecycleController
from kubelite.controllers.persistent_volume import PersistentVolumeBinder
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.resource_quota import ResourceQuotaController
from tests.controllers.cluster import START

GOLDEN = Path(__file__).parent.parent / "golden"
CONTROLLERS: dict[str, Controller] = {
    "autoscaler": HorizontalPodAutoscalerController(NoMetrics()),
    "deployment": DeploymentController(),
    "endpointslice": EndpointSliceController(),
    "job": JobController(),
    "node_lifecycle": NodeLifecycleController(),
    "persistent_volume": PersistentVolumeBinder(),
    "replicaset": ReplicaSetController(),
    "resource_quota": ResourceQuotaController(STORED),
}


def decided(controller: Controller, text: str) -> Plan:
    """The plan for the first object of the text."""
    view = Cache(INDEXES)
    objects = parse_manifest(text, Scheme())
    for obj in objects:
        view.put(obj)
    return controller.decide(view, key_of(objects[0]), START)


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
    return result


CASES = sorted(GOLDEN.glob("*/*.input.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_the_plan_is_the_golden_one(case: Path) -> None:
    plan = decided(CONTROLLERS[case.parent.name], case.read_text())
    expected = case.with_name(case.name.replace(".input.", ".plan."))
    assert readable(plan) == yaml.safe_load(expected.read_text())
