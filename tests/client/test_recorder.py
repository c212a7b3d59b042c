from __future__ import annotations

import anyio

from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import ConfigMap, Event, Node
from kubelite.api.meta import ObjectMeta
from kubelite.client.plan import Report
from kubelite.client.recorder import Recorder
from tests.api_server import local_client

ABOUT = ConfigMap(metadata=ObjectMeta(name="web", namespace="default", uid="u1"))


async def recorded(*reports: Report) -> list[Event]:
    """The Events that the reports become."""
    events: list[Event] = []
    async with local_client() as client, anyio.create_task_group() as group:
        recorder = Recorder(client, SystemClock(), host="node-1")
        for report in reports:
            recorder.report("tester", report)
        last = Report(regarding=ABOUT, reason="Last", message="The end")
        recorder.report("tester", last)
        listing = await client.list(Event)
        async with client.watch(Event, resource_version=listing.resource_version) as batches:
            await group.start(recorder.run)
            with anyio.fail_after(5):
                async for batch in batches:
                    if any(event.object.reason == "Last" for event in batch):
                        break
        group.cancel_scope.cancel()
        events = [event for event in (await client.list(Event)).items if event.reason != "Last"]
    return events


async def test_an_event_names_what_it_is_about_and_who_says_it() -> None:
    (event,) = await recorded(Report(regarding=ABOUT, type="Warning", reason="Failed", message="It broke"))
    assert (event.type, event.reason, event.message, event.count) == ("Warning", "Failed", "It broke", 1)
    assert (event.involved_object.kind, event.involved_object.name, event.involved_object.uid) == (
        "ConfigMap",
        "web",
        "u1",
    )
    assert (event.source.component, event.source.host) == ("tester", "node-1")
    assert event.metadata.name.startswith("web.")


async def test_an_event_names_the_part_of_the_object_that_is_meant() -> None:
    part = "spec.containers{web}"
    (event,) = await recorded(Report(regarding=ABOUT, reason="Started", message="Started", field_path=part))
    assert event.involved_object.field_path == part


async def test_equal_reports_are_one_event_with_a_count() -> None:
    again = Report(regarding=ABOUT, reason="BackOff", message="Back-off")
    other = Report(regarding=ABOUT, reason="BackOff", message="Back-off of another kind")
    events = await recorded(again, again, other, again)
    assert sorted(event.count for event in events) == [1, 3]


async def test_what_has_no_namespace_is_reported_in_default() -> None:
    node = Node(metadata=ObjectMeta(name="node-1"))
    (event,) = await recorded(Report(regarding=node, reason="NodeReady", message="Ready"))
    assert event.metadata.namespace == "default"
