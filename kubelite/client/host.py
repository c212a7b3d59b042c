"""Runs a controller: events to keys to queue to decision to writes, then waits for its own writes.

A key is decided again only after the view has reached what its last plan wrote, so a decision never sees less than it did; that
is why no controller keeps expectations. A Conflict means the view was behind: the key runs again once it has moved. Other
failures back off per key. This is one of the two places that catch every exception (the other is the supervisor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import assert_never

import anyio
from anyio.abc import TaskStatus
from msgspec import Struct
from msgspec.structs import replace

from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.actor.workqueue import Key, WorkQueue
from kubelite.api.core_v1 import Pod
from kubelite.api.errors import Conflict, NotFound, StatusError
from kubelite.api.meta import DeleteOptions, Object, Preconditions
from kubelite.api.scheme import Resource
from kubelite.client.informer import Handler, Informers
from kubelite.client.interface import Client
from kubelite.client.plan import Bind, Create, Delete, Patch, Plan, Update, Write
from kubelite.client.recorder import Recorder
from kubelite.client.view import Controller, FailureTeller, KindFollower, Watch

WORKERS = 4  #: keys whose plans are carried out at a time; the writes of one key are sequential
TURN = 100  #: keys decided before others of the event loop have a turn
CATCH_UP_S = 5.0  #: how long a key waits for its own writes to come back before it goes on regardless

Seen = Callable[[], bool]  #: whether the view has reached a write

log = get_logger(__name__)


class _Task(Struct, frozen=True):
    """A plan to carry out."""

    key: Key
    plan: Plan
    trigger: str


class Host:
    """The actor around one controller."""

    def __init__(
        self, controller: Controller, client: Client, informers: Informers, recorder: Recorder, clock: Clock
    ) -> None:
        self.name = f"controller/{controller.name}"
        self._controller = controller
        self._client = client
        self._informers = informers
        self._recorder = recorder
        self._clock = clock
        self._queue = WorkQueue()
        self._triggers: dict[Key, str] = {}  # the revision of the last change that concerned a key, until it is decided
        self._busy = 0  # keys being decided
        self._wake = anyio.Event()
        self._is_running = False
        self._handlers: dict[Watch, Handler] = {}
        self._backoff = Backoff(base_s=0.005, cap_s=60.0)

    def follow(self, custom: Sequence[Resource]) -> None:
        """Tells a controller that wants to know which custom kinds are in the view by now."""
        if not isinstance(self._controller, KindFollower):
            return
        for key in self._controller.follow(custom):
            self._queue.add(key)
        self._wake.set()
        if self._is_running:
            self._subscribe(self._controller.watches)

    def decide_again(self) -> None:
        """Every key: something changed that is no object, such as a measurement."""
        view = self._informers.view
        for watch in self._controller.watches:
            for obj in view.list(watch.type):
                for key in watch.keys(view, None, obj):
                    self._queue.add(key)
        self._wake.set()

    def _subscribe(self, watches: Sequence[Watch]) -> None:
        """Hears these from now on, and nothing else."""
        for watch in [watch for watch in self._handlers if watch not in watches]:
            self._informers[watch.type].unsubscribe(self._handlers.pop(watch))
        for watch in watches:
            if watch not in self._handlers:
                handler = self._handlers[watch] = self._handler(watch)
                self._informers[watch.type].subscribe(handler)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self._is_running, self._busy = True, 0
        self._subscribe(self._controller.watches)
        try:
            async with anyio.create_task_group() as group:
                task_status.started()
                while True:
                    task = self._next() if self._busy < WORKERS else None
                    if task is not None:
                        self._busy += 1
                        group.start_soon(self._work, task)
                    elif len(self._queue) and self._busy < WORKERS:
                        await anyio.lowlevel.checkpoint()
                    else:
                        await self._wait()
        finally:
            self._is_running = False
            self._subscribe(())

    def _handler(self, watch: Watch) -> Handler:
        view, informer = self._informers.view, self._informers[watch.type]

        def handle(old: Object | None, new: Object | None) -> None:
            for key in watch.keys(view, old, new):
                self._queue.add(key)
                # a deletion's own revision is the informer's, or a little earlier
                self._triggers[key] = new.metadata.resource_version if new else str(informer.revision)
                self._wake.set()

        return handle

    def _next(self) -> _Task | None:
        """Decides keys until there is something to carry out. None: there is no key, or others shall have a turn first."""
        for _ in range(TURN):
            if (key := self._queue.take(self._clock.monotonic())) is None:
                return None
            trigger = self._triggers.pop(key, "")
            try:
                plan = self._controller.decide(self._informers.view, key, self._clock.now())
            except Exception as error:  # noqa: BLE001  one key's failure is not the controller's
                self._retry(key, error)
            else:
                if plan.writes:
                    return _Task(key, plan, trigger)
                self._report(plan)
                self._settle(key, plan)
            self._queue.done(key)
        return None

    async def _work(self, first: _Task) -> None:
        """Carries out a plan, and others as long as there are any."""
        task: _Task | None = first
        try:
            while task is not None:
                try:
                    await self._carry_out(task.key, task.plan, task.trigger)
                except Exception as error:  # noqa: BLE001  the host's task: as above
                    self._retry(task.key, error)
                else:
                    self._settle(task.key, task.plan)
                finally:
                    self._queue.done(task.key)
                task = self._next()
        finally:
            self._busy -= 1
            self._wake.set()

    async def _wait(self) -> None:
        """Until a key arrives, a worker is free or the earliest delayed key is due."""
        if self._wake.is_set():
            self._wake = anyio.Event()
        due = self._queue.next_due() if self._busy < WORKERS else None
        if due is None:
            await self._wake.wait()
            return
        with anyio.move_on_after(max(0.0, due - self._clock.monotonic())):
            await self._wake.wait()

    def _retry(self, key: Key, error: Exception) -> None:
        delay_s = self._backoff.next(key)
        expected = isinstance(error, (StatusError, OSError))
        (log.debug if isinstance(error, Conflict) else log.warning)(
            "Retrying key",
            controller=self._controller.name,
            key=key,
            delay_s=delay_s,
            error=str(error),
            exc_info=None if expected else error,
        )
        self._requeue(key, delay_s)

    def _settle(self, key: Key, plan: Plan) -> None:
        self._backoff.forget(key)
        if plan.requeue_after_s is not None:
            self._requeue(key, plan.requeue_after_s)

    def _requeue(self, key: Key, delay_s: float) -> None:
        self._queue.add_at(key, self._clock.monotonic() + delay_s)
        self._wake.set()

    async def _carry_out(self, key: Key, plan: Plan, trigger: str) -> None:
        client = self._client.because(_cause(self._controller.name, key, trigger, plan.why))
        written: list[tuple[type[Object], Seen]] = []
        try:
            for write in plan.writes:
                try:
                    written.append(await self._write(client, write))
                except Conflict:
                    raise
                except StatusError as error:
                    await self._report_failure(client, key, write, error)
                    raise
        finally:
            with anyio.move_on_after(CATCH_UP_S) as deadline:
                for type_, seen in written:
                    await self._catch_up(type_, seen)
            if deadline.cancelled_caught:
                log.warning("View did not catch up in time", controller=self._controller.name, key=key)
        self._report(plan)

    def _report(self, plan: Plan) -> None:
        for report in plan.reports:
            self._recorder.report(report.reporter or self._controller.name, report)

    async def _report_failure(self, client: Client, key: Key, write: Write, error: StatusError) -> None:
        """Lets a controller that has something to say about a failed write say it, in a condition or an Event."""
        if isinstance(self._controller, FailureTeller):
            plan = self._controller.failed(self._informers.view, key, self._clock.now(), write, error.message)
            self._report(plan)
            for told in plan.writes:
                with suppress(StatusError):
                    await self._write(client, told)

    async def _write(self, client: Client, write: Write) -> tuple[type[Object], Seen]:
        """Carries out one write; returns how to tell that the view has reached it."""
        view = self._informers.view
        result: Object
        match write:
            case Create():
                result = await client.create(write.obj)
                if write.report is not None:
                    message = write.report.message.replace("{name}", result.metadata.name)
                    self._recorder.report(self._controller.name, replace(write.report, message=message))
            case Update():
                result = await client.update(write.obj, subresource=write.subresource)
            case Patch():
                result = await client.patch(
                    write.type, write.name, write.namespace, patch=write.patch, subresource=write.subresource
                )
            case Bind():
                meta = write.binding.metadata
                await client.create_subresource(
                    write.binding, meta.name, meta.namespace, plural="pods", subresource="binding"
                )

                def bound(name: str = meta.name, namespace: str = meta.namespace) -> bool:
                    pod = view.get(Pod, name, namespace)
                    return pod is None or bool(pod.spec.node_name)

                return Pod, bound
            case Delete():
                await _delete(client, write)

                def going(delete: Delete = write) -> bool:
                    obj = view.get(delete.type, delete.name, delete.namespace)
                    other = obj is not None and bool(delete.uid) and obj.metadata.uid != delete.uid
                    return obj is None or other or obj.metadata.deletion_timestamp is not None

                return write.type, going
            case _:
                assert_never(write)
        type_, revision = type(result), int(result.metadata.resource_version or 0)
        return type_, lambda: self._informers[type_].revision >= revision

    async def _catch_up(self, type_: type[Object], seen: Seen) -> None:
        while type_ in self._informers and not seen():  # not there: a kind that no decision of this process reads
            await self._informers[type_].changed()


def _cause(controller: str, key: Key, trigger: str, why: str) -> str:
    """Which controller decided what key, after which revision, and what it weighed; read by `why`.

    >>> _cause("default-scheduler", "default/web", "12", "node-1 chosen of 1")
    'default-scheduler default/web @12: node-1 chosen of 1'
    """
    return f"{controller} {key}" + (f" @{trigger}" if trigger else "") + (f": {why}" if why else "")


async def _delete(client: Client, write: Delete) -> None:
    options = DeleteOptions(
        grace_period_seconds=write.grace_period_seconds,
        propagation_policy=write.propagation_policy,
        preconditions=Preconditions(uid=write.uid or None, resource_version=write.resource_version or None),
    )
    with suppress(NotFound):
        await client.delete(write.type, write.name, write.namespace, options=options)
