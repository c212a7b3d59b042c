"""The rows that kubectl prints."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubelite.api import (
    apps_v1 as apps,
    batch_v1 as batch,
    core_v1 as core,
    discovery_v1 as discovery,
    networking_v1 as networking,
)
from kubelite.api.meta import Object
from kubelite.api.scheme import Scheme
from kubelite.apiserver.table_columns import printer_of

NOW = 1_700_000_000.0
CREATED = "2023-11-14T22:11:20Z"  # two minutes before


def row(type_: type[Object], **fields: Any) -> dict[str, Any]:
    obj = msgspec.convert({"metadata": {"name": "x", "creationTimestamp": CREATED}, **fields}, type_)
    printer = printer_of(Scheme().of(type_))
    cells = printer.cells(obj, NOW)
    assert len(cells) == len(printer.columns)
    return dict(zip((column.name for column in printer.columns), cells, strict=True))


@pytest.mark.parametrize(
    "resource", [r for r in Scheme() if "list" in r.verbs], ids=lambda r: f"{r.plural}.{r.group_version}"
)
def test_row_of_an_empty_object_fits_its_columns(resource: Any) -> None:
    printer = printer_of(resource)
    assert len(printer.cells(resource.type(), NOW)) == len(printer.columns)


def terminated(code: int, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, **more}}


def status(state: dict[str, Any], *, ready: bool = False, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": state, "ready": ready, "restartCount": restarts, "image": "", "imageID": "", **more}


RUNNING = {"running": {"startedAt": CREATED}}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("pod_status", "ready", "shown"),
    [
        ({"phase": "Pending"}, "0/1", "Pending"),
        ({"phase": "Running", "containerStatuses": [status(RUNNING, ready=True)]}, "1/1", "Running"),
        ({"containerStatuses": [status({"waiting": {"reason": "CrashLoopBackOff"}})]}, "0/1", "CrashLoopBackOff"),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted"),
        ({"phase": "Failed", "containerStatuses": [status(terminated(3))]}, "0/1", "ExitCode:3"),
        ({"phase": "Failed", "containerStatuses": [status(terminated(0, signal=9))]}, "0/1", "Signal:9"),
        ({"phase": "Succeeded", "containerStatuses": [status(terminated(0, "Completed"))]}, "0/1", "Completed"),
        ({"initContainerStatuses": [status(RUNNING)]}, "0/1", "Init:0/0"),
        ({"initContainerStatuses": [status(terminated(1, "Error"))]}, "0/1", "Init:Error"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            "0/1",
            "SchedulingGated",
        ),
    ],
)
def test_pod_status_is_told_in_a_word(pod_status: dict[str, Any], ready: str, shown: str) -> None:
    found = row(core.Pod, spec={"containers": [{"name": "c"}]}, status=pod_status)
    assert (found["Ready"], found["Status"]) == (ready, shown)


def test_pod_restarts_say_when_the_last_one_was() -> None:
    last = {"lastState": {"terminated": {"exitCode": 1, "finishedAt": "2023-11-14T22:12:20Z"}}}
    found = row(core.Pod, status={"containerStatuses": [status(RUNNING, ready=True, restarts=4, **last)]})
    assert (found["Restarts"], found["Age"]) == ("4 (60s ago)", "2m")


def test_deleted_pod_terminates_and_sidecars_count_as_containers() -> None:
    gone = {"name": "x", "deletionTimestamp": CREATED}
    spec = {"containers": [{"name": "c"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}
    sidecar = {**status(RUNNING, ready=True), "name": "s", "started": True}
    pod_status = {
        "phase": "Running",
        "conditions": [{"type": "Initialized", "status": "True"}],
        "initContainerStatuses": [sidecar],
        "containerStatuses": [status(RUNNING, ready=True)],
    }
    found = row(core.Pod, metadata=gone, spec=spec, status=pod_status)
    assert (found["Ready"], found["Status"]) == ("2/2", "Terminating")


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        (
            core.Service,
            {
                "spec": {
                    "type": "NodePort",
                    "clusterIP": "10.0.0.1",
                    "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}],
                }
            },
            {"Type": "NodePort", "Cluster-IP": "10.0.0.1", "External-IP": "<none>", "Port(s)": "80:30000/TCP"},
        ),
        (core.Service, {"spec": {"type": "LoadBalancer"}}, {"External-IP": "<pending>"}),
        (
            apps.Deployment,
            {"spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}, "status": {"readyReplicas": 1}},
            {"Ready": "1/3", "Selector": "a=b"},
        ),
        (
            core.Endpoints,
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 80}]}]},
            {"Endpoints": "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."},
        ),
        (
            discovery.EndpointSlice,
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
            {"Ports": "80", "Endpoints": "10.0.0.1"},
        ),
        (
            core.Node,
            {"spec": {"unschedulable": True}, "status": {"conditions": READY}},
            {"Status": "Ready,SchedulingDisabled", "Roles": "<none>", "Internal-IP": "<none>"},
        ),
        (
            batch.Job,
            {"spec": {"completions": 2}, "status": {"succeeded": 1, "startTime": CREATED}},
            {"Status": "Running", "Completions": "1/2", "Duration": "2m"},
        ),
        (
            core.Event,
            {"involvedObject": {"kind": "Pod", "name": "p"}, "count": 3, "lastTimestamp": CREATED, "message": " m\n"},
            {"Last Seen": "2m", "Object": "pod/p", "Message": "m", "Count": 3},
        ),
        (
            core.PersistentVolume,
            {
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "claimRef": {"namespace": "a", "name": "c"},
                }
            },
            {"Capacity": "1Gi", "Access Modes": "RWO", "Claim": "a/c"},
        ),
    ],
)
def test_rows(type_: type[Object], fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = row(type_, **fields)
    assert {name: found[name] for name in expected} == expected


def test_an_address_shows_whose_it_is_and_a_network_its_ranges() -> None:
    ref = {"group": "gateway.networking.k8s.io", "resource": "Gateways", "namespace": "default", "name": "front"}
    expected = "gateways.gateway.networking.k8s.io/default/front"
    assert row(networking.IPAddress, spec={"parentRef": ref}) == {"Name": "x", "ParentRef": expected}
    ref = {"resource": "services", "namespace": "default", "name": "web"}
    assert row(networking.IPAddress, spec={"parentRef": ref})["ParentRef"] == "services/default/web"
    cells = row(networking.ServiceCIDR, spec={"cidrs": ["10.96.0.0/16", "fd00::/112"]})
    assert cells == {"Name": "x", "CIDRs": "10.96.0.0/16,fd00::/112", "Age": "2m"}
