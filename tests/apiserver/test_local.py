"""The in-process client."""

from __future__ import annotations

import pytest

from kubelite.api import core_v1 as core, errors
from kubelite.apiserver.local import _BUFFER
from tests.apiserver.registries import cluster, config


async def test_watch_follows_a_list_without_a_gap() -> None:
    async with cluster() as c:
        await c.client.create(config("a"))
        listing = await c.client.list(core.ConfigMap, "default")
        await c.client.create(config("b"))
        async with c.client.watch(core.ConfigMap, "default", resource_version=listing.resource_version) as batches:
            await c.client.create(config("c"))
            seen = []
            async for batch in batches:
                seen += [(event.type, event.object.metadata.name) for event in batch]
                if len(seen) == 2:
                    break
        assert seen == [("ADDED", "b"), ("ADDED", "c")]


async def test_watchers_and_readers_share_one_object() -> None:
    async with cluster() as c:
        async with c.client.watch(core.ConfigMap, "", resource_version=str(c.store.revision)) as batches:
            made = await c.client.create(config("a"))
            [event] = await anext(batches)
        assert event.object is made
        assert await c.client.get(core.ConfigMap, "a", "default") is made


async def test_slow_consumer_gets_everything_that_the_window_still_has() -> None:
    async with cluster() as c:
        count = _BUFFER + 200
        async with c.client.watch(core.ConfigMap, "", resource_version=str(c.store.revision)) as batches:
            for number in range(count):
                await c.client.create(config(f"c{number}"))
            names = []
            async for batch in batches:
                names += [event.object.metadata.name for event in batch]
                if len(names) >= count:
                    break
        assert names == [f"c{number}" for number in range(count)]


async def test_consumer_behind_the_window_is_expired() -> None:
    async with cluster() as c, c.client.watch(core.ConfigMap, "", resource_version=str(c.store.revision)) as batches:
        for number in range(3 * _BUFFER):
            await c.client.create(config(f"c{number}"))
        await c.store.compact(c.store.revision)
        with pytest.raises(errors.Expired, match="too old resource version"):
            async for _ in batches:
                pass
