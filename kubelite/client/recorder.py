"""Writes Kubernetes Events for what deciders and the kubelet report.

Equal reports on one object are one Event with a count, as upstream's correlator makes them. Reporting never waits: the queue
is bounded and drops the oldest, since an Event is news, not state.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/, client-go tools/record
"""

from __future__ import annotations

from collections import OrderedDict, deque

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Event, EventSource, ObjectReference
from kubelite.api.errors import NotFound, StatusError
from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.client.interface import Writer
from kubelite.client.plan import Report

QUEUE_LIMIT = 4096  #: reports waiting; the oldest are dropped beyond it
KNOWN_LIMIT = 4096  #: distinct Events whose count is remembered, as client-go's

log = get_logger(__name__)


def reference(obj: Object) -> ObjectReference:
    """What an Event is about."""
    meta = obj.metadata
    return ObjectReference(
        kind=obj.kind,
        api_version=obj.api_version,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
    )


class Recorder:
    """An actor with one synchronous call, `report`."""

    name = "recorder"

    def __init__(self, client: Writer, clock: Clock, *, host: str = "") -> None:
        self._client = client
        self._clock = clock
        self._host = host
        self._waiting: deque[tuple[str, Report, float]] = deque(maxlen=QUEUE_LIMIT)
        self._arrived = anyio.Event()
        self._known: OrderedDict[tuple[str, ...], Event] = OrderedDict()

    def report(self, component: str, report: Report) -> None:
        """Queues an Event from `component`, e.g. "deployment-controller"."""
        self._waiting.append((component, report, self._clock.now()))
        self._arrived.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            while self._waiting:
                component, report, at = self._waiting.popleft()
                try:
                    await self._write(component, report, at)
                except (StatusError, OSError) as error:
                    # e.g. the namespace is being deleted: nobody will miss the Event.
                    log.debug("Dropped event", reason=report.reason, error=str(error))

    async def _write(self, component: str, report: Report, at: float) -> None:
        about = replace(reference(report.regarding), field_path=report.field_path)
        what = (about.kind, about.namespace, about.uid or about.name, about.field_path)
        key = (component, *what, report.type, report.reason, report.message)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            again = {"count": known.count + 1, "lastTimestamp": rfc3339(at)}
            try:
                meta = known.metadata
                self._known[key] = await self._client.patch(Event, meta.name, meta.namespace, patch=again)
            except NotFound:
                known = None  # expired meanwhile
        if known is None:
            self._known[key] = await self._client.create(self._event(component, report, about, at))
            if len(self._known) > KNOWN_LIMIT:
                self._known.popitem(last=False)

    def _event(self, component: str, report: Report, about: ObjectReference, at: float) -> Event:
        namespace = about.namespace or "default"
        return Event(
            metadata=ObjectMeta(
                name=f"{about.name}.{int(at * 1e9) + self._clock.randrange(1000):x}", namespace=namespace
            ),
            involved_object=about,
            reason=report.reason,
            message=report.message[:1024],
            source=EventSource(component=component, host=self._host),
            first_timestamp=rfc3339(at),
            last_timestamp=rfc3339(at),
            count=1,
            type=report.type,
            reporting_component=component,
            reporting_instance=self._host,
            action=report.action,
        )
