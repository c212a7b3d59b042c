"""How long a Deployment takes from `apply` until every replica is Ready on simulated nodes, all components at work.

    python -m benchmarks.rollout [--replicas 1000] [--nodes 10] [--rounds 3]

One embedded cluster in this process: controllers, scheduler, kubelets, API and store. `CPU` is that of the whole process for
one pod. What counts is that twice the replicas take twice the time. Needs nothing.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure, arguments, progress, show
from kubelite import Cluster
from kubelite.api.apps_v1 import Deployment

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: main, image: "app:1"}}]}}
"""


async def roll_out(replicas: int, nodes: int) -> tuple[float, float]:
    """(seconds, CPU seconds)"""
    async with Cluster(nodes=nodes) as cluster:
        begun, cpu = time.perf_counter(), time.process_time()
        await cluster.apply(MANIFEST.format(replicas=replicas))
        await cluster.wait_for(Deployment, "web", lambda web: web.status.ready_replicas == replicas, timeout_s=600)
        return time.perf_counter() - begun, time.process_time() - cpu


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=10, help="each takes 110 pods")
    options = parser.parse_args()
    figures = []
    for replicas in (options.replicas // 2, options.replicas):
        samples = []
        for number in range(options.rounds):
            progress(f"{replicas} replicas, round {number + 1} of {options.rounds}")
            samples.append(asyncio.run(roll_out(replicas, options.nodes)))
        figures.append(Figure(f"{replicas} replicas ready", "s", tuple(seconds for seconds, _ in samples)))
        each = tuple(cpu / replicas * 1e3 for _, cpu in samples)
        figures.append(Figure(f"{replicas} replicas: CPU for each", "ms", each))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
