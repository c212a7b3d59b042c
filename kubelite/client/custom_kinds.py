"""Keeps informers for the custom kinds that are served, and tells the controllers that act on every kind about them.

A kind is followed in the version that is stored, or if that is not served in any other. Controllers hear of it once the view
holds it, and until the view has seen its last objects go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource, Scheme
from kubelite.client.host import Host
from kubelite.client.informer import Informer, Informers

LAST_OBJECTS_S = 5.0  #: how long the view may take to see a kind's objects go; they stay if it is only not served


class Served(Protocol):
    """What the API serves just now."""

    @property
    def scheme(self) -> Scheme: ...
    async def scheme_changed(self) -> None: ...


class CustomKinds:
    """An actor: started when every custom kind that is there is in the view, and `hosts` know of it."""

    name = "custom-kinds"

    def __init__(self, served: Served, informers: Informers, hosts: Sequence[Host]) -> None:
        self._served = served
        self._informers = informers
        self._hosts = hosts
        self._ends: dict[type[Object], anyio.Event] = {}
        self._known: dict[type[Object], Resource] = {}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with anyio.create_task_group() as group:
            begun = self._update(group)
            group.start_soon(_report, begun, task_status)
            while True:
                await self._served.scheme_changed()
                self._update(group)

    def _update(self, group: TaskGroup) -> list[Informer]:
        """Begins and ends kinds as they are served; returns the new informers."""
        chosen = {resource.type: resource for resource in choose(self._served.scheme)}
        for type_, end in self._ends.items():
            if type_ not in chosen:
                end.set()
        begun = []
        for type_, resource in chosen.items():
            if type_ not in self._ends:
                end = self._ends[type_] = anyio.Event()
                informer = self._informers.add(type_)
                group.start_soon(self._keep, resource, informer, end, group)
                begun.append(informer)
        return begun

    async def _keep(self, resource: Resource, informer: Informer, end: anyio.Event, group: TaskGroup) -> None:
        type_ = resource.type
        try:
            async with anyio.create_task_group() as beginning:
                beginning.start_soon(self._begin, resource, informer)
                await end.wait()
                with anyio.move_on_after(LAST_OBJECTS_S):
                    while self._informers.view.list(type_):
                        await informer.changed()
                beginning.cancel_scope.cancel()
        finally:
            self._known.pop(type_, None)
            self._tell()
            self._informers.remove(type_)
            del self._ends[type_]
        self._update(group)  # it may be served again by now

    async def _begin(self, resource: Resource, informer: Informer) -> None:
        await informer.synced()
        self._known[resource.type] = resource
        self._tell()

    def _tell(self) -> None:
        for host in self._hosts:
            host.follow(tuple(self._known.values()))


def choose(scheme: Scheme) -> list[Resource]:
    """Each custom kind once: in the version that is stored, or the first that is served."""
    chosen: dict[str, Resource] = {}
    for resource in scheme:
        if issubclass(resource.type, CustomObject) and (
            resource.type.definition.is_stored or resource.group_resource not in chosen
        ):
            chosen[resource.group_resource] = resource
    return list(chosen.values())


async def _report(begun: Iterable[Informer], task_status: TaskStatus[None]) -> None:
    for informer in begun:
        await informer.synced()
    task_status.started()
