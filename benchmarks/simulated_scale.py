"""Claim: an embedded cluster has 5,000 simulated nodes Ready and 10,000 pods Running within 20 s, on two cores.

Every pod is bound by its creator, so this measures the API, the kubelets and the watches, not the scheduler (see
`benchmarks.scheduling`). Each round has a process of its own, which looks for garbage less often, as README advises for big
clusters; `--default-gc` leaves Python's collector alone. Needs nothing: `python -m benchmarks.simulated_scale`.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time

import anyio

from benchmarks.figures import Figure, arguments, progress, show

LIMIT_S = 20.0
CREATORS = 64  #: pods that are being created at the same time


class Sample:
    """Seconds of one round."""

    def __init__(self) -> None:
        self.nodes = self.pods = self.cpu = 0.0


async def measure(nodes: int, pods: int) -> Sample:
    from kubelite import Cluster
    from kubelite.api import core_v1 as core
    from kubelite.api.meta import ObjectMeta

    sample, begun, cpu = Sample(), time.perf_counter(), time.process_time()
    async with Cluster(nodes=nodes) as cluster:
        sample.nodes = time.perf_counter() - begun

        async def create(first: int) -> None:
            for number in range(first, pods, CREATORS):
                container = core.Container(name="main", image="app:1")
                spec = core.PodSpec(containers=(container,), node_name=f"node-{number % nodes + 1}")
                meta = ObjectMeta(name=f"pod-{number}", namespace="default")
                await cluster.client.create(core.Pod(metadata=meta, spec=spec))

        running: set[str] = set()
        listing = await cluster.client.list(core.Pod)
        async with (
            cluster.client.watch(core.Pod, resource_version=listing.resource_version) as batches,
            anyio.create_task_group() as group,
        ):
            for first in range(CREATORS):
                group.start_soon(create, first)
            async for batch in batches:
                running |= {each.object.metadata.name for each in batch if each.object.status.phase == "Running"}
                if len(running) == pods:
                    break
        sample.pods = time.perf_counter() - begun - sample.nodes
        sample.cpu = time.process_time() - cpu
    return sample


def one_round(nodes: int, pods: int, default_gc: bool) -> Sample:
    if not default_gc:
        gc.set_threshold(50_000, 50, 100)
    return asyncio.run(measure(nodes, pods))


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--default-gc", action="store_true")
    options = parser.parse_args()
    samples = []
    for number in range(options.rounds):
        progress(f"round {number + 1} of {options.rounds}")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            samples.append(pool.apply(one_round, (options.nodes, options.pods, options.default_gc)))
    limit = LIMIT_S if (options.nodes, options.pods) == (5_000, 10_000) else None
    figures = [
        Figure(f"{options.nodes} nodes, from nothing to all Ready", "s", tuple(each.nodes for each in samples)),
        Figure(
            f"{options.pods} pods, from the first created to all Running", "s", tuple(each.pods for each in samples)
        ),
        Figure("both", "s", tuple(each.nodes + each.pods for each in samples), limit),
        Figure("  CPU of it", "s", tuple(each.cpu for each in samples)),
    ]
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
