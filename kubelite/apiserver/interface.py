"""The contract between the HTTP side of the API server and its registry.

`http`, `discovery`, `table` and `frames` turn requests into these calls and their results into bytes; `registry` runs strategy,
admission, defaults and validation and talks to the store. Neither knows the other's insides. `local` offers the same registry
to in-process components as a `client.interface.Client`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from kubelite.api import codec
from kubelite.api.meta import DeleteOptions, Object, Status, TypedValue
from kubelite.api.scheme import Resource, Scheme


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Source: k8s.io/apiserver/pkg/authentication/user"""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a write carries beside its body. `warnings` collects texts for Warning headers, `annotations` what admission notes

    for the audit log, if there is one.
    """

    user: User
    cause: str = ""
    dry_run: bool = False
    field_manager: str = ""
    field_validation: Literal["Ignore", "Warn", "Strict"] = "Ignore"
    force: bool = False
    warnings: list[str] = msgspec.field(default_factory=list)
    annotations: dict[str, str] | None = None


class Entry:
    """A stored object at a revision: decoded at most once, framed at most once, shared by everybody."""

    __slots__ = ("_frames", "_object", "_wire", "is_stale", "resource", "revision", "stored")

    def __init__(
        self,
        resource: Resource,
        stored: bytes,
        revision: int,
        obj: Object | None = None,
        *,
        is_stale: bool = False,  # stored in a version that would not be written today
    ) -> None:
        self.is_stale = is_stale
        self.resource = resource
        self.stored = stored
        self.revision = revision
        self._object = obj
        self._wire: bytes | None = None
        self._frames: dict[str, bytes] = {}

    @property
    def object(self) -> Any:
        """The typed object, resourceVersion set."""
        if self._object is None:
            self._object = codec.decode_stored(self.resource.type, self.stored, self.revision)
        return self._object

    def wire(self) -> bytes:
        """The JSON of the object, kind and apiVersion first."""
        if self._wire is None:
            self._wire = codec.splice(self.stored, self.revision, self.resource.type)
        return self._wire

    def item(self) -> bytes:
        """The JSON of the object as a list's item, without kind and apiVersion unless it is of a custom kind."""
        if self.resource.type.items_have_kind:
            return self.wire()
        return codec.splice(self.stored, self.revision)

    def frame(self, change: str) -> bytes:
        """One watch event, a JSON line: `{"type":"ADDED","object":{...}}`."""
        if (found := self._frames.get(change)) is None:
            found = self._frames[change] = b'{"type":"%b","object":%b}\n' % (change.encode(), self.wire())
        return found


class Change(msgspec.Struct, frozen=True, gc=False):
    """One watch event after selectors: DELETED also when the object no longer matches; its entry is the last matching state

    at the revision of the change."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    entry: Entry


class ListParams(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a list or watch, as the client wrote it."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_: str = ""
    send_initial_events: bool | None = None
    allow_watch_bookmarks: bool = False
    timeout_s: int | None = None


class Page(msgspec.Struct, frozen=True):
    entries: tuple[Entry, ...]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class PatchRequest(msgspec.Struct, frozen=True):
    """`body` is decoded JSON (or YAML, for apply)."""

    type: Literal["json", "merge", "strategic", "apply"]
    body: Any


class WatchSink(Protocol):
    """Synchronous, on the event loop. `changes` may be empty: progress up to `revision` (material for bookmarks)."""

    def deliver(self, changes: Sequence[Change], revision: int) -> None: ...
    def lost(self, error: Exception) -> None:
        """The watch is over; `error` is a StatusError (Expired, ServiceUnavailable)."""


class WatchHandle(Protocol):
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...


class Registry(Protocol):
    """The objects. Every method raises StatusError. Authorization has happened before; admission happens inside.

    `body` of create and update is the client's decoded JSON as a dict (strictness per `ctx.field_validation`), or a typed
    object when the caller is in process. `namespace` is empty for cluster scope or all namespaces.
    """

    @property
    def scheme(self) -> Scheme: ...
    async def get(self, resource: Resource, name: str, namespace: str = "", *, revision: int = 0) -> Entry: ...
    async def list(self, resource: Resource, namespace: str, params: ListParams) -> Page: ...
    async def create(
        self, resource: Resource, namespace: str, body: Object | dict[str, Any], ctx: Context, *, name: str = ""
    ) -> Entry: ...
    async def update(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        body: Object | dict[str, Any],
        ctx: Context,
        *,
        subresource: str = "",
    ) -> tuple[Entry, bool]:
        """The new state, and whether it was created (update may create where upstream allows it)."""

    async def patch(
        self, resource: Resource, name: str, namespace: str, patch: PatchRequest, ctx: Context, *, subresource: str = ""
    ) -> tuple[Entry, bool]: ...
    async def delete(
        self, resource: Resource, name: str, namespace: str, options: DeleteOptions, ctx: Context
    ) -> Entry | Status:
        """The object while it is still being deleted, or a Success Status with its details."""

    async def delete_collection(
        self, resource: Resource, namespace: str, params: ListParams, options: DeleteOptions, ctx: Context
    ) -> Page: ...
    async def subresource_get(self, resource: Resource, name: str, namespace: str, subresource: str) -> TypedValue:
        """status and scale (a typed Scale)."""

    async def subresource_create(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        subresource: str,
        body: dict[str, Any] | Object,
        ctx: Context,
    ) -> TypedValue:
        """binding, eviction, token: the answer's value."""

    async def storage_metrics(self) -> str:
        """What the store has to say for /metrics."""

    def watch(self, resource: Resource, namespace: str, params: ListParams, sink: WatchSink) -> WatchHandle:
        """Raises: Expired, BadRequest (bad selector or version). With resourceVersion "" or "0" starts with the present

        objects as ADDED, then changes, as upstream."""


class Computed(Protocol):
    """Objects that nobody stores: they are made when somebody asks, and can be neither watched nor written."""

    @property
    def resources(self) -> Sequence[Resource]: ...
    async def get(self, resource: Resource, name: str, namespace: str) -> Entry:
        """Raises: NotFound."""

    async def list(self, resource: Resource, namespace: str, params: ListParams) -> Page: ...
