"""Serves custom kinds: follows the CustomResourceDefinitions, keeps the served resources as they say, and tells their state.

A definition is served from the moment in which its condition Established is seen; it is computed as soon as the definition is
seen, so that this takes two writes. A definition that is deleted takes its objects with it. What the status is to be is decided
in `custom_status`. Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/{apiserver,customresource_handler}.go
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import anyio
from anyio.abc import TaskGroup, TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api import errors
from kubelite.api.apiextensions_v1 import CustomResourceDefinition as Crd
from kubelite.api.custom import CustomObject, Definition, define, definitions_of, holds, make_type
from kubelite.api.meta import DeleteOptions
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver.custom_status import CLEANUP, compute_status, end_cleanup, set_condition
from kubelite.apiserver.interface import Change, Context, ListParams, User
from kubelite.apiserver.registry import ObjectRegistry

#: In the order in which upstream lists them.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_CONTEXT = Context(
    user=User(name="system:apiserver", groups=("system:masters",)),
    cause="custom resources",
    field_manager="kube-apiserver",
)

_log = get_logger(__name__)


class CustomResources:
    """An actor: started when every established kind is served. Also the sink of its own watch."""

    name = "custom-resources"

    def __init__(self, registry: ObjectRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._definitions = registry.scheme.of(Crd)
        self._crds: dict[str, Crd] = {}
        self._types: dict[tuple[str, str], type[CustomObject]] = {}  # by the definition's uid and version
        self._served: list[Resource] = []
        self._dirty: dict[str, None] = {}
        self._cleaned: set[str] = set()  # uids of definitions whose objects are being removed
        self._woken = anyio.Event()
        self._synced = anyio.Event()
        self._error: Exception | None = None
        self._tasks: TaskGroup | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Raises: StatusError when the watch is lost; the supervisor starts again with the present state."""
        self._crds, self._dirty, self._cleaned = {}, {}, set()
        self._synced, self._error = anyio.Event(), None
        handle = self._registry.watch(self._definitions, "", ListParams(), self)
        try:
            await self._synced.wait()
            task_status.started()
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                while True:
                    await self._woken.wait()
                    self._woken = anyio.Event()
                    if self._error is not None:
                        raise self._error
                    await self._decide(tasks)
        finally:
            self._tasks = None
            handle.close()

    # -- what is there -------------------------------------------------------------------------------------------------

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            crd: Crd = change.entry.object
            if change.type == "DELETED":
                self._crds.pop(crd.metadata.name, None)
                self._cleaned.discard(crd.metadata.uid)
            else:
                self._crds[crd.metadata.name] = crd
            self._dirty[crd.metadata.name] = None
            waiting = (other for other in self._crds.values() if other.spec.group == crd.spec.group)
            self._dirty.update((other.metadata.name, None) for other in waiting if not holds(other, "NamesAccepted"))
        if changes:
            self._serve()
            self._woken.set()
        self._synced.set()

    def lost(self, error: Exception) -> None:
        self._error = error
        self._synced.set()
        self._woken.set()

    def _serve(self) -> None:
        """Makes the registry serve what the established definitions say."""
        has_changed = False
        types: dict[tuple[str, str], type[CustomObject]] = {}
        served: list[Resource] = []
        for crd, definition in self._established():
            key = (crd.metadata.uid, definition.version)
            type_ = types[key] = self._types.get(key) or make_type(definition)
            if type_.definition != definition:
                define(type_, definition)
                self._registry.entries.forget_type(type_)
                has_changed = True
            if definition.is_served:
                served.append(_resource(crd, type_))
            if definition.conversion is not None:
                self._convert()
        self._types = types
        if has_changed or served != self._served:
            self._served = served
            self._registry.serve_custom(served)

    def _convert(self) -> None:
        """From now on conversion webhooks are asked."""
        if self._registry.entries.converter is None:
            from kubelite.apiserver.conversions import Conversions

            self._registry.entries.converter = Conversions(self._registry, self._clock, lambda: self._tasks)

    def _established(self) -> Iterator[tuple[Crd, Definition]]:
        for crd in self._crds.values():
            if holds(crd, "Established"):
                for definition in definitions_of(crd):
                    yield crd, definition

    # -- what becomes of it --------------------------------------------------------------------------------------------

    async def _decide(self, tasks: TaskGroup) -> None:
        dirty, self._dirty = self._dirty, {}
        for name in dirty:
            crd = self._crds.get(name)
            if crd is None:
                continue
            if crd.metadata.deletion_timestamp is None:
                others = [other for other in self._crds.values() if other.metadata.name != name]
                status = compute_status(crd, others, rfc3339(self._clock.now()))
                if status != crd.status:
                    await self._write(replace(crd, status=status))
            elif CLEANUP in crd.metadata.finalizers and crd.metadata.uid not in self._cleaned:
                self._cleaned.add(crd.metadata.uid)
                tasks.start_soon(self._clean_up, crd)

    async def _write(self, crd: Crd) -> Crd | None:
        """None when the definition has changed since: its new state is on its way here."""
        try:
            entry, _ = await self._registry.update(
                self._definitions, crd.metadata.name, "", crd, _CONTEXT, subresource="status"
            )
        except (errors.Conflict, errors.NotFound):
            return None
        written: Crd = entry.object
        return written

    async def _clean_up(self, crd: Crd) -> None:
        """Deletes the objects of a definition, waits until they are gone, and lets it go."""
        name, uid = crd.metadata.name, crd.metadata.uid
        now = rfc3339(self._clock.now())
        text = "CustomResource deletion is in progress"
        status = set_condition(crd.status, "Terminating", True, "InstanceDeletionInProgress", text, now=now)
        await self._write(replace(crd, status=status))
        for definition in sorted(definitions_of(crd), key=lambda item: not item.is_stored):
            if (type_ := self._types.get((uid, definition.version))) is not None:
                resource = _resource(crd, type_)
                await self._registry.delete_collection(resource, "", ListParams(), DeleteOptions(), _CONTEXT)
                await self._wait_until_empty(resource)
                break  # all versions are the same objects
        while (entry := await self._registry.find_entry(self._definitions, name)) is not None:
            if entry.object.metadata.uid != uid or CLEANUP not in entry.object.metadata.finalizers:
                return
            if await self._write(end_cleanup(entry.object, rfc3339(self._clock.now()))) is not None:
                _log.info("Removed a custom resource definition", name=name)
                return

    async def _wait_until_empty(self, resource: Resource) -> None:
        sink = _Remaining()
        handle = self._registry.watch(resource, "", ListParams(), sink)
        try:
            await sink.empty.wait()
        finally:
            handle.close()
        if sink.error is not None:
            raise sink.error


class _Remaining:
    """A sink that knows which objects are left."""

    def __init__(self) -> None:
        self.empty = anyio.Event()
        self.error: Exception | None = None
        self._left: set[tuple[str, str]] = set()

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            meta = change.entry.object.metadata
            key = (meta.namespace, meta.name)
            if change.type == "DELETED":
                self._left.discard(key)
            else:
                self._left.add(key)
        if not self._left:
            self.empty.set()

    def lost(self, error: Exception) -> None:
        self.error = error
        self.empty.set()


def _resource(crd: Crd, type_: type[CustomObject]) -> Resource:
    names, definition = crd.status.accepted_names, type_.definition
    subresources = [*(["status"] if definition.has_status else []), *(["scale"] if definition.scale else [])]
    return Resource(
        type=type_,
        group=definition.group,
        version=definition.version,
        kind=names.kind,
        plural=names.plural,
        singular=names.singular,
        namespaced=crd.spec.scope == "Namespaced",
        short_names=names.short_names,
        categories=names.categories,
        subresources=tuple(subresources),
        verbs=_VERBS,
    )
