"""How long the garbage collector takes to delete an owner's dependents.

    python -m benchmarks.garbage [--dependents 10000] [--rounds 3]

One embedded cluster in this process, without nodes. The owner is deleted in the background, so that its dependents are left
without one; and in the foreground, so that it goes last. `CPU` is that of the whole process for each dependent. What counts is
that twice the dependents take twice the time. Needs nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import anyio

from benchmarks.figures import Figure, arguments, progress, show
from kubelite import Cluster
from kubelite.api.core_v1 import ConfigMap
from kubelite.api.errors import NotFound
from kubelite.api.meta import DeleteOptions, ObjectMeta, OwnerReference

WRITERS = 16
Policy = Literal["Background", "Foreground"]


async def collect(dependents: int, policy: Policy) -> tuple[float, float]:
    """(seconds, CPU seconds) until the owner and all its dependents are gone."""
    async with Cluster(nodes=0) as cluster:
        client = cluster.client
        owner = await client.create(ConfigMap(metadata=ObjectMeta(name="owner", namespace="default")))
        reference = OwnerReference(
            api_version="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid, block_owner_deletion=True
        )

        async def create(first: int) -> None:
            for number in range(first, dependents, WRITERS):
                meta = ObjectMeta(name=f"dependent-{number}", namespace="default", owner_references=(reference,))
                await client.create(ConfigMap(metadata=meta))

        async with anyio.create_task_group() as tasks:
            for first in range(WRITERS):
                tasks.start_soon(create, first)
        begun, cpu = time.perf_counter(), time.process_time()
        listing = await client.list(ConfigMap, "default")
        left = {item.metadata.name for item in listing.items if item.metadata.owner_references} | {"owner"}
        async with client.watch(ConfigMap, "default", resource_version=listing.resource_version) as batches:
            await client.delete(ConfigMap, "owner", "default", options=DeleteOptions(propagation_policy=policy))
            async for batch in batches:
                left -= {event.object.metadata.name for event in batch if event.type == "DELETED"}
                if not left:
                    break
        spent = time.perf_counter() - begun, time.process_time() - cpu
        try:
            await client.get(ConfigMap, "owner", "default")
        except NotFound:
            return spent
        raise RuntimeError("the owner is still there")


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--dependents", type=int, default=10_000)
    options = parser.parse_args()
    figures = []
    policies: tuple[Policy, ...] = ("Background", "Foreground")
    for policy in policies:
        for dependents in (options.dependents // 2, options.dependents):
            samples = []
            for number in range(options.rounds):
                progress(f"{policy}, {dependents} dependents, round {number + 1} of {options.rounds}")
                samples.append(asyncio.run(collect(dependents, policy)))
            name = f"{policy}, {dependents} dependents"
            figures.append(Figure(f"{name} gone", "s", tuple(seconds for seconds, _ in samples)))
            each = tuple(cpu / dependents * 1e3 for _, cpu in samples)
            figures.append(Figure(f"{name}: CPU for each", "ms", each))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
