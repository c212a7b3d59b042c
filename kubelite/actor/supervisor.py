"""Starts actors in order, restarts those that fail, stops them in reverse.

A stage's actors start together; the next stage starts when all of them have reported started. An actor that fails or returns
is restarted with capped back-off; more than `MAX_RESTARTS` within `WINDOW_S` escalates: everything is stopped in order and the
failure is raised, which ends the process non-zero. This is one of the two places that catch every exception (the other is
`client/host`). Source: the supervision principles of Erlang/OTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.actor import Actor
from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger

MAX_RESTARTS = 8
WINDOW_S = 60.0

log = get_logger(__name__)


class Stage(msgspec.Struct, frozen=True):
    """Actors that start together; both deadlines in seconds."""

    actors: tuple[Any, ...]
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 2.0


class StartTimeout(Exception):
    """A stage did not report started in time."""


class _Child(TaskStatus[None]):
    """An actor and where it is in its life; as the task status it learns when the actor is ready."""

    def __init__(self, actor: Actor, stage: Stage) -> None:
        self.actor = actor
        self.stage = stage
        self.scope = anyio.CancelScope()
        self.ready = anyio.Event()
        self.ended = anyio.Event()

    def started(self, value: None = None) -> None:
        self.ready.set()


class Supervisor:
    """An actor made of actors. It reports started when the last stage has."""

    def __init__(self, name: str, stages: Sequence[Stage], clock: Clock) -> None:
        self.name = name
        self._stages = tuple(stages)
        self._clock = clock
        self._children: list[_Child] = []
        self._failure: BaseException | None = None
        self._stop = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled or until a failure escalates. Raises: what the escalating actor raised."""
        async with anyio.create_task_group() as outer:
            # The children are shielded, so that a cancellation from outside becomes an orderly stop.
            outer.start_soon(self._run_children, task_status)
            try:
                await self._stop.wait()
            finally:
                self._stop.set()
        if self._failure is not None:
            raise self._failure

    async def _run_children(self, task_status: TaskStatus[None]) -> None:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as children:
                starter = anyio.CancelScope()
                children.start_soon(self._start, children, starter, task_status)
                await self._stop.wait()
                starter.cancel()
                await self._stop_all()
                children.cancel_scope.cancel()

    async def _start(self, group: anyio.abc.TaskGroup, scope: anyio.CancelScope, task_status: TaskStatus[None]) -> None:
        with scope:
            for stage in self._stages:
                begun = [_Child(actor, stage) for actor in stage.actors]
                self._children += begun
                for child in begun:
                    group.start_soon(self._keep, child)
                with anyio.move_on_after(stage.start_timeout_s) as deadline:
                    for child in begun:
                        await child.ready.wait()
                if deadline.cancelled_caught:
                    late = [child.actor.name for child in begun if not child.ready.is_set()]
                    self._fail(StartTimeout(f"not started within {stage.start_timeout_s:g} s: {', '.join(late)}"))
                    return
            task_status.started()

    async def _keep(self, child: _Child) -> None:
        try:
            with child.scope:
                await self._run_again(child)
        finally:
            child.ended.set()

    async def _run_again(self, child: _Child) -> None:
        backoff = Backoff(base_s=0.1, cap_s=30.0)
        failures: list[float] = []
        while True:
            error: Exception = RuntimeError(f"{child.actor.name} returned")
            try:
                await child.actor.run(task_status=child)
            except Exception as caught:  # noqa: BLE001  the supervisor's task
                error = caught
            now = self._clock.monotonic()
            failures = [*(at for at in failures if now - at < WINDOW_S), now]
            if len(failures) > MAX_RESTARTS or not child.ready.is_set():
                self._fail(error)
                return
            delay_s = backoff.next()
            log.warning("Restarting actor", actor=child.actor.name, delay_s=delay_s, exc_info=error)
            await self._clock.sleep(delay_s)

    async def stop_actor(self, name: str) -> None:
        """Ends one actor for good, as if its machine had gone; returns when it has ended. Raises: KeyError."""
        found = [child for child in self._children if child.actor.name == name]
        if not found:
            raise KeyError(name)
        found[0].scope.cancel()
        await found[0].ended.wait()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._stop.set()

    async def _stop_all(self) -> None:
        """Stops stage after stage in reverse, each within its deadline."""
        for stage in reversed(self._stages):
            ending = [child for child in self._children if child.stage is stage]
            for child in ending:
                child.scope.cancel()
            with anyio.move_on_after(stage.stop_timeout_s):
                for child in ending:
                    await child.ended.wait()
            late = [child.actor.name for child in ending if not child.ended.is_set()]
            if late:
                log.warning("Actors did not stop in time", actors=late[:10], count=len(late))
