"""How soon each controller answers an event with its first write, in a cluster of 10,000 pods.

    python -m benchmarks.reaction [--pods 10000] [--changes 200] [--rounds 3]

One embedded cluster in this process, with simulated nodes: Deployments of 100 pods, each with a Service and a
PodDisruptionBudget. Then, one change at a time: a pod is deleted, a Deployment is scaled up, a Job and a namespace are made.
Every write carries its cause, which names the controller and the revision of the event that made it decide; the time
between the two becoming visible in the store is the reaction time. Needs nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

import anyio
import msgspec

from benchmarks.figures import Figure, arguments, progress, show
from benchmarks.store_rig import quantile
from kubelite import Cluster
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import Pod
from kubelite.store.store import Event, Store, StoreError

PER_DEPLOYMENT = 100
PODS_PER_NODE = 100
#: Controllers that answered less often are left out: their quantiles would say nothing.
LEAST = 10
APPS = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: main, image: "app:1"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: {name}}}}}}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {{name: job-{number}}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: "app:1"}}]}}}}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: space-{number}}}
"""
_CAUSE = re.compile(r"(?P<controller>[a-z-]+) \S+ @(?P<revision>\d+)")


class Times:
    """A watch of everything: when each revision became visible, and what each write answered."""

    def __init__(self) -> None:
        self.reactions: dict[str, list[float]] = {}
        self._seen: dict[int, float] = {}
        self._answered: set[tuple[str, int]] = set()

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        now = time.perf_counter()
        for event in events:
            self._seen[event.revision] = now
            said = msgspec.json.decode(event.cause) if event.cause.startswith("{") else {}
            if found := _CAUSE.match(said.get("cause", "")):
                answer = found["controller"], int(found["revision"])
                if answer not in self._answered and answer[1] in self._seen:
                    self._answered.add(answer)
                    self.reactions.setdefault(answer[0], []).append(now - self._seen[answer[1]])

    def lost(self, error: StoreError) -> None:
        """The measurement is over."""


async def settle(cluster: Cluster, deployments: int, each: int) -> None:
    for number in range(deployments):
        ready = await cluster.wait_for(
            Deployment, f"app-{number}", lambda app: app.status.ready_replicas == app.spec.replicas, timeout_s=900
        )
        assert ready.spec.replicas == each


async def react(pods: int, changes: int) -> dict[str, list[float]]:
    """Reaction times by controller, in seconds."""
    each = min(PER_DEPLOYMENT, pods)
    deployments = pods // each
    async with Cluster(nodes=pods // PODS_PER_NODE + 2) as cluster:
        for number in range(deployments):
            await cluster.apply(APPS.format(name=f"app-{number}", replicas=each))
        await settle(cluster, deployments, each)
        times = Times()
        store = cluster._api.registry.store  # the benchmark looks where no client can
        store.watch("/registry/", "/registry0", times)
        for number in range(changes):
            name = f"app-{number % deployments}"
            match number % 3:
                case 0:
                    victim = next(pod for pod in cluster.view.list(Pod) if pod.metadata.labels.get("app") == name)
                    await cluster.client.delete(Pod, victim.metadata.name, "default")
                case 1:
                    scaled = cluster.view.get(Deployment, name, "default")
                    assert scaled is not None
                    assert scaled.spec.replicas is not None
                    patch = {"spec": {"replicas": scaled.spec.replicas + 1}}
                    await cluster.client.patch(Deployment, name, "default", patch=patch)
                case _:
                    await cluster.apply(JOB.format(number=number))
            await quiet(store)
        return times.reactions


async def quiet(store: Store) -> None:
    """Returns when nothing has been written for a while."""
    revision = 0
    while revision != store.revision:
        revision = store.revision
        await anyio.sleep(0.05)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=200)
    options = parser.parse_args()
    quantiles: dict[tuple[str, str], list[float]] = {}
    for number in range(options.rounds):
        progress(f"round {number + 1} of {options.rounds}")
        for controller, seconds in sorted(asyncio.run(react(options.pods, options.changes)).items()):
            if len(seconds) >= min(LEAST, options.changes // 3):
                for name, share in (("p50", 0.5), ("p99", 0.99)):
                    quantiles.setdefault((controller, name), []).append(quantile(seconds, share) * 1e3)
    show([Figure(" ".join(key), "ms", tuple(found)) for key, found in quantiles.items()], as_json=options.json)


if __name__ == "__main__":
    main()
