"""Whole clusters in virtual time under whatever users may do, by seed: in the end all is as it was asked for, and rests."""

from __future__ import annotations

import random
from contextlib import suppress

import anyio
import pytest

from kubelite import Cluster
from kubelite.actor.clock import SeededClock
from kubelite.api.apps_v1 import DaemonSet, Deployment, StatefulSet
from kubelite.api.batch_v1 import Job
from kubelite.api.core_v1 import Node, PersistentVolumeClaim, Pod
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.errors import NotFound
from kubelite.api.meta import DeleteOptions
from kubelite.store.local import LocalStore
from kubelite.testing.virtual import run_virtually

STEPS = 25
REST_S = 900.0
BUSY = 100  #: so many revisions in 100 s are more than heartbeats

WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "app:1"}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 5, containers: [{name: main, image: "app:1"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "app:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  completions: 3
  parallelism: 2
  completionMode: {mode}
  template:
    metadata: {{annotations: {{simulated.kubelite.io/run-for: 5s}}}}
    spec: {{restartPolicy: Never, containers: [{{name: main, image: "app:1"}}]}}
"""


async def act(cluster: Cluster, dice: random.Random) -> None:
    """One thing that a user does."""
    client = cluster.client
    pods = sorted(pod.metadata.name for pod in cluster.view.list(Pod, "default"))
    claims = sorted(claim.metadata.name for claim in cluster.view.list(PersistentVolumeClaim, "default"))
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"app:{dice.randrange(4)}"}]}}}}
    match dice.choice(
        ["pod", "pod", "claim", "job", "cordon", "web", "db", "web image", "db image", "agent image", ""]
    ):
        case "pod" if pods:
            options = DeleteOptions(grace_period_seconds=dice.choice([None, 0]))
            await client.delete(Pod, dice.choice(pods), "default", options=options)
        case "claim" if claims:
            await client.delete(PersistentVolumeClaim, dice.choice(claims), "default")
        case "job":
            mode = dice.choice(["Indexed", "NonIndexed"])
            await cluster.apply(JOB.format(name=f"job-{len(cluster.view.list(Job))}", mode=mode))
        case "cordon":
            patch = {"spec": {"unschedulable": dice.choice([True, None])}}
            await client.patch(Node, f"node-{dice.randrange(1, 4)}", patch=patch)
        case "web":
            await client.patch(Deployment, "web", "default", patch={"spec": {"replicas": dice.randrange(6)}})
        case "db":
            await client.patch(StatefulSet, "db", "default", patch={"spec": {"replicas": dice.randrange(5)}})
        case "web image":
            await client.patch(Deployment, "web", "default", patch=image)
        case "db image":
            await client.patch(StatefulSet, "db", "default", patch=image)
        case "agent image":
            await client.patch(DaemonSet, "agent", "default", patch=image)


def check(cluster: Cluster) -> None:
    """Everything is as it was asked for."""
    view = cluster.view
    web, db = view.get(Deployment, "web", "default"), view.get(StatefulSet, "db", "default")
    agent = view.get(DaemonSet, "agent", "default")
    assert web is not None
    assert db is not None
    assert agent is not None
    for workload in (web, db):
        wanted = workload.spec.replicas
        assert workload.status.available_replicas == workload.status.replicas == wanted
        assert workload.status.updated_replicas == wanted
    assert (agent.status.number_available, agent.status.updated_number_scheduled) == (3, 3)
    for job in view.list(Job):
        assert job.status.succeeded == 3
        assert [entry.type for entry in job.status.conditions if entry.status == "True"][-1] == "Complete"
    pods = view.list(Pod)
    assert not any(pod.metadata.deletion_timestamp for pod in pods)
    serving = {pod.metadata.uid for pod in pods if pod.metadata.labels.get("app") == "web"}
    slices = [each for each in view.list(EndpointSlice) if each.metadata.labels["kubernetes.io/service-name"] == "web"]
    assert {end.target_ref.uid for each in slices for end in each.endpoints if end.target_ref} == serving


@pytest.mark.parametrize("seed", [1, 128, 204])
def test_whatever_is_done_the_cluster_gets_there_and_rests(seed: int) -> None:
    async def live() -> None:
        dice = random.Random(seed)
        async with Cluster(nodes=3, clock=SeededClock(seed)) as cluster:
            await cluster.apply(WORKLOADS)
            for _ in range(STEPS):
                with suppress(NotFound):  # it went meanwhile
                    await act(cluster, dice)
                await anyio.sleep(dice.choice([0, 0.01, 0.1, 1, 5, 30]))
            for name in ("node-1", "node-2", "node-3"):
                await cluster.client.patch(Node, name, patch={"spec": {"unschedulable": None}})
            await anyio.sleep(REST_S)
            check(cluster)
            store = cluster._api.registry.store
            assert isinstance(store, LocalStore)
            before = store.revision
            await anyio.sleep(100)
            assert store.revision - before < BUSY, "something never rests"

    run_virtually(live())
