from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import ConfigMap, Event
from kubelite.api.meta import Object, ObjectMeta
from kubelite.apiserver.local import LocalClient
from kubelite.client.host import Host
from kubelite.client.informer import Informers
from kubelite.client.plan import Create, Delete, Plan, Report, Update, Write
from kubelite.client.recorder import Recorder
from kubelite.client.view import Key, View, Watch, self_key, split_key
from tests.api_server import local_client


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


class Doubler:
    """Makes a copy of every ConfigMap that asks for one, deletes copies whose original went, and counts its decisions."""

    name = "doubler"
    watches = (Watch(ConfigMap, self_key),)
    reads: tuple[type[Object], ...] = ()

    def __init__(self, decide: Callable[[View, Key, int], Plan] | None = None) -> None:
        self.decisions: dict[Key, int] = {}
        self._decide = decide or self._double

    def decide(self, view: View, key: Key, now: float) -> Plan:
        self.decisions[key] = self.decisions.get(key, 0) + 1
        return self._decide(view, key, self.decisions[key])

    @staticmethod
    def _double(view: View, key: Key, times: int) -> Plan:
        namespace, name = split_key(key)
        original = view.get(ConfigMap, name, namespace)
        copy = view.get(ConfigMap, f"{name}-copy", namespace)
        if original and original.data.get("copy") and copy is None:
            report = Report(regarding=original, reason="Copied", message="Made {name}")
            return Plan(writes=(Create(config_map(f"{name}-copy"), report),))
        if original is None and copy is not None:
            return Plan(
                writes=(Delete(type=ConfigMap, name=copy.metadata.name, namespace=namespace, uid=copy.metadata.uid),)
            )
        return Plan()


@asynccontextmanager
async def hosted(controller: Doubler) -> AsyncIterator[tuple[LocalClient, Informers]]:
    clock = SystemClock()
    async with local_client() as client, anyio.create_task_group() as group:
        informers = Informers(client, [ConfigMap, Event], clock, indexes={})
        recorder = Recorder(client, clock)
        await group.start(informers.run)
        await group.start(recorder.run)
        await group.start(Host(controller, client, informers, recorder, clock).run)
        with anyio.fail_after(10):
            yield client, informers
        group.cancel_scope.cancel()


async def until(informers: Informers, type_: type[Object], condition: Callable[[View], object]) -> None:
    while not condition(informers.view):
        await informers[type_].changed()


async def test_a_plan_is_carried_out_and_reported_under_the_name_the_server_gave() -> None:
    async with hosted(Doubler()) as (client, informers):
        await client.create(config_map("a", copy="yes"))
        await until(informers, ConfigMap, lambda view: view.get(ConfigMap, "a-copy", "default"))
        await until(informers, Event, lambda view: view.list(Event))
        (event,) = informers.view.list(Event)
        assert (event.reason, event.message, event.source.component) == ("Copied", "Made a-copy", "doubler")
        assert event.involved_object.name == "a"
        await client.delete(ConfigMap, "a", "default")
        await until(informers, ConfigMap, lambda view: not view.list(ConfigMap))


async def test_a_key_is_decided_again_only_when_the_view_has_its_last_write() -> None:
    decided_last = anyio.Event()

    def grow(view: View, key: Key, times: int) -> Plan:
        obj = view.get(ConfigMap, "a", "default")
        assert obj is not None
        size = int(obj.data.get("size", "0"))
        assert size == times - 1, "the decision did not see what it wrote before"
        if size == 20:
            decided_last.set()
            return Plan()
        metadata = ObjectMeta(name="a", namespace="default", resource_version=obj.metadata.resource_version)
        return Plan(writes=(Update(ConfigMap(metadata=metadata, data={"size": str(size + 1)})),))

    controller = Doubler(grow)
    async with hosted(controller) as (client, _):
        await client.create(config_map("a"))
        await decided_last.wait()
        assert controller.decisions["default/a"] == 21


async def test_a_failing_key_is_tried_again_and_holds_up_no_other() -> None:
    def fail_twice(view: View, key: Key, times: int) -> Plan:
        if key == "default/bad" and times < 3:
            raise RuntimeError("not yet")
        return Plan(writes=(Create(config_map(f"done-{split_key(key)[1]}")),)) if "done" not in key else Plan()

    controller = Doubler(fail_twice)
    async with hosted(controller) as (client, informers):
        await client.create(config_map("bad"))
        await client.create(config_map("good"))
        await until(informers, ConfigMap, lambda view: view.get(ConfigMap, "done-bad", "default"))
        assert informers.view.get(ConfigMap, "done-good", "default") is not None
        assert controller.decisions["default/bad"] >= 3


async def test_a_requeued_key_is_decided_again_though_nothing_changed() -> None:
    woken = anyio.Event()

    def again(view: View, key: Key, times: int) -> Plan:
        if times == 2:
            woken.set()
        return Plan(requeue_after_s=0.01 if times == 1 else None)

    async with hosted(Doubler(again)) as (client, _):
        await client.create(config_map("a"))
        await woken.wait()


async def test_a_controller_may_tell_of_a_write_that_was_refused() -> None:
    class Teller(Doubler):
        def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
            about = view.get(ConfigMap, "a", "default")
            assert about is not None
            return Plan(reports=(Report(regarding=about, type="Warning", reason="Refused", message=message),))

    def impossible(view: View, key: Key, times: int) -> Plan:
        return Plan(writes=(Create(config_map("Not a name")),))

    async with hosted(Teller(impossible)) as (client, informers):
        await client.create(config_map("a"))
        await until(informers, Event, lambda view: view.list(Event))
        (event,) = informers.view.list(Event)[:1]
        assert event.reason == "Refused"
        assert "Not a name" in event.message
