from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel

from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import ConfigMap, Namespace
from kubelite.api.meta import ObjectMeta
from kubelite.client.informer import Informer, Informers
from tests.api_server import local_client


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def test_the_view_holds_what_is_there_and_follows_every_change() -> None:
    async with local_client() as client, anyio.create_task_group() as group:
        await client.create(config_map("old"))
        informers = Informers(client, [ConfigMap, Namespace], SystemClock(), indexes={})
        await group.start(informers.run)
        assert [obj.metadata.name for obj in informers.view.list(ConfigMap)] == ["old"]
        assert informers.view.get(Namespace, "default") is not None
        created = await client.create(config_map("new"))
        while informers[ConfigMap].revision < int(created.metadata.resource_version):
            await informers[ConfigMap].changed()
        assert informers.view.get(ConfigMap, "new", "default") == created
        await client.delete(ConfigMap, "old", "default")
        while informers.view.get(ConfigMap, "old", "default"):
            await informers[ConfigMap].changed()
        group.cancel_scope.cancel()


async def test_a_kind_may_come_later_and_go_with_its_objects_and_handlers() -> None:
    heard: list[str] = []

    def handler(old: Any, new: Any) -> None:
        heard.append(new.metadata.name)

    async with local_client() as client, anyio.create_task_group() as group:
        await client.create(config_map("there"))
        informers = Informers(client, [Namespace], SystemClock(), indexes={})
        await group.start(informers.run)
        added: list[Informer] = []

        async def wait() -> None:
            added.append(await informers.of(ConfigMap))

        async with anyio.create_task_group() as waiting:
            waiting.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            informer = informers.add(ConfigMap)
        assert added == [informer]
        await informer.synced()
        informer.subscribe(handler)
        await client.create(config_map("new"))
        while len(heard) < 2:
            await informer.changed()
        informers.remove(ConfigMap)
        assert ConfigMap not in informers
        assert informers.view.list(ConfigMap) == ()
        await informer.changed()  # nobody waits for ever
        await client.create(config_map("unheard"))
        again = informers.add(ConfigMap)
        await again.synced()
        assert len(informers.view.list(ConfigMap)) == 3
        assert heard == ["there", "new"]
        group.cancel_scope.cancel()


async def test_a_handler_sees_old_and_new_in_order_also_what_was_there_before_it_came() -> None:
    seen: list[tuple[str | None, str | None]] = []

    def handler(old: Any, new: Any) -> None:
        seen.append((old and old.data["value"], new and new.data["value"]))

    async with local_client() as client, anyio.create_task_group() as group:
        informers = Informers(client, [ConfigMap], SystemClock(), indexes={})
        first = await client.create(config_map("one", value="1"))
        await group.start(informers.run)
        informers[ConfigMap].subscribe(handler)
        assert seen == [(None, "1")]
        await client.update(config_map("one", value="2"))
        await client.delete(ConfigMap, first.metadata.name, "default")
        while len(seen) < 3:
            await informers[ConfigMap].changed()
        assert seen == [(None, "1"), ("1", "2"), ("2", None)]
        group.cancel_scope.cancel()
