"""Whole clusters in virtual time: a day in seconds, a lost node in milliseconds, the same seed the same history."""

from __future__ import annotations

import json

import anyio

from kubelite import Cluster
from kubelite.actor.clock import SeededClock
from kubelite.api.apps_v1 import Deployment, StatefulSet
from kubelite.api.batch_v1 import Job
from kubelite.api.core_v1 import Node, Pod
from kubelite.store.local import LocalStore
from kubelite.testing.virtual import run_virtually

MIDNIGHT = 1_700_006_400.0  #: 2023-11-15T00:00:00Z

CRON_JOB = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        metadata: {annotations: {simulated.kubelite.io/run-for: 5s}}
        spec: {restartPolicy: Never, containers: [{name: main, image: "app:1"}]}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "app:1"}]}
"""


def test_a_day_of_a_five_minutes_cron_job_is_exactly_288_jobs() -> None:
    async def day() -> set[str]:
        started: set[str] = set()
        async with Cluster(clock=SeededClock(1, start=MIDNIGHT + 60)) as cluster:
            await cluster.apply(CRON_JOB)
            listing = await cluster.client.list(Job)
            async with anyio.create_task_group() as group:

                async def follow() -> None:
                    async with cluster.client.watch(Job, resource_version=listing.resource_version) as batches:
                        async for batch in batches:
                            started.update(event.object.metadata.name for event in batch if event.type == "ADDED")

                group.start_soon(follow)
                await anyio.sleep(86_400)
                group.cancel_scope.cancel()
            kept = (await cluster.client.list(Job)).items
            assert len(kept) == 3
            assert all(job.status.succeeded == 1 for job in kept)
        return started

    names = run_virtually(day())
    assert len(names) == 288


def test_a_lost_node_s_pods_run_elsewhere_after_the_usual_minutes() -> None:
    async def lose() -> tuple[float, float]:
        clock = SeededClock(2)
        async with Cluster(nodes=2, clock=clock) as cluster:
            await cluster.apply(DEPLOYMENT)
            await cluster.wait_for(Deployment, "web", _available)
            lost = {pod.metadata.name for pod in cluster.view.list(Pod) if pod.spec.node_name == "node-1"}
            assert lost
            await cluster.stop_node("node-1")
            at = clock.now()
            await cluster.wait_for(Node, "node-1", _unreachable, timeout_s=600)
            noticed = clock.now() - at
            await cluster.wait_for(Deployment, "web", lambda web: not _available(web), timeout_s=600)
            await cluster.wait_for(Deployment, "web", _available, timeout_s=600)
            running = [pod for pod in cluster.view.list(Pod) if not pod.metadata.deletion_timestamp]
            assert {pod.spec.node_name for pod in running} == {"node-2"}
            return noticed, clock.now() - at

    noticed, moved = run_virtually(lose())
    assert 30 <= noticed <= 50
    assert 330 <= moved <= 350


def _available(deployment: Deployment) -> bool:
    return deployment.status.available_replicas == deployment.spec.replicas


def _unreachable(node: Node) -> bool:
    return any(
        taint.key == "node.kubernetes.io/unreachable" and taint.effect == "NoExecute" for taint in node.spec.taints
    )


def test_the_same_seed_gives_the_same_history_byte_for_byte() -> None:
    async def history() -> str:
        async with Cluster(nodes=2, clock=SeededClock(7)) as cluster:
            await cluster.apply(DEPLOYMENT)
            await cluster.wait_for(Deployment, "web", _available)
            await anyio.sleep(60)
            store = cluster._api.registry.store
            assert isinstance(store, LocalStore)
            lines = [f"{event.revision} {event.key} {event.cause}" for event in store.contents()[1]]
            values = [event.record.value.decode() if event.record else "" for event in store.contents()[1]]
            return json.dumps([lines, values])

    assert run_virtually(history()) == run_virtually(history())


STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "app:1"}]}
"""


def test_a_deleted_pod_of_a_stateful_set_has_one_successor() -> None:
    async def replace_one() -> list[str]:
        async with Cluster(clock=SeededClock(3)) as cluster:
            await cluster.apply(STATEFUL_SET)
            await cluster.wait_for(StatefulSet, "db", lambda db: db.status.ready_replicas == 2)
            await cluster.client.delete(Pod, "db-1", "default")
            await anyio.sleep(60)
            store = cluster._api.registry.store
            assert isinstance(store, LocalStore)
            events = [event for event in store.contents()[1] if event.key == "/registry/pods/default/db-1"]
            assert not any(event.record and b'"Failed"' in event.record.value for event in events)
            return [
                "created" if event.prev is None else "deleted" for event in events if not (event.prev and event.record)
            ]

    assert run_virtually(replace_one()) == ["created", "deleted", "created"]
