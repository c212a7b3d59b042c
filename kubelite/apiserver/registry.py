"""The objects: every read (`registry_reads`) and write of the API between the HTTP side and the store.

A write is: the current state, the request merged into it, defaults, admission, the kind's strategy, validation, one encoding,
and one transaction that holds only if the state is still the one that was read. A lost race is tried again with the new
state, unless the client named the state it knew: then it is a Conflict. A write that would change no byte is none.
Store errors become API errors in `registry_reads`, `commits`, `listing` and `watching`, nowhere else.
Source: k8s.io/apiserver pkg/registry/generic/registry/store.go, pkg/endpoints/handlers/{create,update,patch,delete}.go
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import codec, errors
from kubelite.api.defaults import apply_defaults
from kubelite.api.managed_fields import update_managers
from kubelite.api.meta import DeleteOptions, Object, Status, StatusDetails, TypedValue
from kubelite.api.scheme import Resource, Scheme
from kubelite.api.timestamp import rfc3339
from kubelite.api.validation import validate, validate_update
from kubelite.apiserver.admission import Admission, Attributes
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.commits import Commits
from kubelite.apiserver.custom_strategy import check_creatable
from kubelite.apiserver.deletion import check_options, check_preconditions, compute_deletion, finished
from kubelite.apiserver.interface import (
    Context,
    Entry,
    ListParams,
    Page,
    PatchRequest,
    User,
)
from kubelite.apiserver.listing import parse_version
from kubelite.apiserver.merging import Merger
from kubelite.apiserver.registry_reads import ObjectReader
from kubelite.apiserver.request_body import check_address, typed_body
from kubelite.apiserver.scale import apply_scale, compute_scale, scale_resource
from kubelite.apiserver.signing import SigningKey
from kubelite.apiserver.strategy import compute_created, compute_updated, strategy_of
from kubelite.apiserver.tokens import ServiceAccountTokens
from kubelite.store.store import Store

#: How often a write that needs no particular state tries again after losing a race. Each loss is somebody else's progress.
_ATTEMPTS = 32
#: The groups of questions, which nobody stores.
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
#: How often a generated name is drawn again when it is taken.
_NAMES = 8


class Write(msgspec.Struct, frozen=True):
    """What kind of request writes an object."""

    subresource: str = ""
    may_create: bool = False
    is_put: bool = False
    is_apply: bool = False


class ObjectRegistry(ObjectReader):
    """Implements `interface.Registry` over a store. All calls belong to one event loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        admission: Admission,
        allocator: ServiceAllocator,
        scheme: Scheme | None = None,
        signing_key: SigningKey | None = None,
    ) -> None:
        super().__init__(store, scheme)
        self.clock = clock
        self.tokens = ServiceAccountTokens(self, clock, signing_key or SigningKey())
        self.review: Callable[[Object, User, str], Awaitable[Object]] | None = None  #: answers questions about rights
        self._admission = admission
        self._commits = Commits(store, clock, self.entries, allocator, self)

    # -- create --------------------------------------------------------------------------------------------------------

    async def create(
        self, resource: Resource, namespace: str, body: Object | dict[str, Any], ctx: Context, *, name: str = ""
    ) -> Entry:
        check_creatable(resource.type)
        if self.review is not None and resource.group in _REVIEWS:
            reviewed = await self.review(typed_body(resource, body, ctx), ctx.user, namespace)
            return Entry(resource, codec.encode_stored(reviewed), 0, reviewed)
        obj = check_address(resource, typed_body(resource, body, ctx), name, namespace)
        if obj.metadata.resource_version:
            raise errors.Unknown("resourceVersion should not be set on objects to be created")
        return await self._create(resource, namespace, apply_defaults(obj), ctx)

    async def _create(
        self, resource: Resource, namespace: str, obj: Any, ctx: Context, *, is_apply: bool = False
    ) -> Entry:
        attributes = Attributes(
            resource=resource,
            namespace=namespace,
            name=obj.metadata.name,
            operation="CREATE",
            user=ctx.user,
            dry_run=ctx.dry_run,
            warnings=ctx.warnings,
            annotations=ctx.annotations,
        )
        obj = await self._admission.admit(attributes, obj, None, self)
        generate = obj.metadata.generate_name if not obj.metadata.name else ""
        now, uid = rfc3339(self.clock.now()), self.clock.uid()
        for _ in range(_NAMES):
            name = generate[:58] + self.clock.suffix() if generate else obj.metadata.name
            new = compute_created(obj, name=name, uid=uid, now=now)
            if not is_apply:
                new = self._tracked(None, new, ctx)
            if found := validate(new, namespaced=resource.namespaced):
                raise errors.invalid(resource.group, resource.kind, name, found)
            await self._admission.validate(replace(attributes, name=name), new, None, self)
            entry = await self._commits.put(resource, None, new, ctx)
            if entry is not None:
                return entry
            if not generate:
                break
        raise await self._exists(resource, name, namespace)

    async def _exists(self, resource: Resource, name: str, namespace: str) -> errors.StatusError:
        error = errors.already_exists(resource.group, resource.plural, name)
        entry = await self.find_entry(resource, name, namespace)
        if entry is not None and entry.object.metadata.deletion_timestamp is not None:
            return errors.AlreadyExists(f"object is being deleted: {error.message}", error.details)
        return error

    # -- update and patch ----------------------------------------------------------------------------------------------

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
        shown = scale_resource(resource) if subresource == "scale" else resource
        wanted = apply_defaults(check_address(shown, typed_body(shown, body, ctx), name, namespace, needs_name=True))

        def merge(old: Any | None) -> Any:
            return apply_scale(old, wanted) if subresource == "scale" and old is not None else wanted

        may_create = not subresource and strategy_of(resource.type).create_on_update
        return await self._change(resource, name, namespace, merge, ctx, Write(subresource, may_create, is_put=True))

    async def patch(
        self, resource: Resource, name: str, namespace: str, patch: PatchRequest, ctx: Context, *, subresource: str = ""
    ) -> tuple[Entry, bool]:
        merger = Merger(resource, name, namespace, patch, ctx, now=self.clock.now(), subresource=subresource)
        is_apply = patch.type == "apply"
        write = Write(subresource, may_create=is_apply and not subresource, is_apply=is_apply)
        return await self._change(resource, name, namespace, merger.merge, ctx, write)

    async def _change(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        merge: Callable[[Any | None], Any],
        ctx: Context,
        write: Write,
    ) -> tuple[Entry, bool]:
        """Runs `merge` on the current state until the result could be written."""
        for _ in range(_ATTEMPTS):
            old = await self.find_entry(resource, name, namespace)
            if old is None:
                if not write.may_create:
                    raise errors.not_found(resource.group, resource.plural, name)
                try:
                    return await self._create_by_update(resource, namespace, merge(None), ctx, write), True
                except errors.AlreadyExists:
                    continue
            new = merge(old.object)
            is_guarded = self._check_version(resource, new, old, is_put=write.is_put)
            entry = await self._update_once(resource, namespace, new, old, ctx, write)
            if entry is not None:
                return self._shown(resource, entry, write.subresource), False
            if is_guarded:
                break
        raise errors.conflict(resource.group, resource.plural, name, errors.MODIFIED)

    async def _create_by_update(
        self, resource: Resource, namespace: str, obj: Any, ctx: Context, write: Write
    ) -> Entry:
        if obj.metadata.resource_version:  # the state that the client knew is gone
            raise errors.not_found(resource.group, resource.plural, obj.metadata.name)
        return await self._create(resource, namespace, obj, ctx, is_apply=write.is_apply)

    def _check_version(self, resource: Resource, new: Any, old: Entry, *, is_put: bool) -> bool:
        """Whether the client named the state it knew. Raises: Conflict when that is not the current one."""
        meta, before = new.metadata, old.object.metadata
        if is_put and meta.uid and meta.uid != before.uid:
            why = f"Precondition failed: UID in precondition: {meta.uid}, UID in object meta: {before.uid}"
            key = resource.key(before.name, before.namespace)
            text = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
            raise errors.conflict(resource.group, resource.plural, before.name, text)
        wanted = parse_version(meta.resource_version)
        if not wanted:
            if is_put and not strategy_of(resource.type).unconditional_update:
                problem = errors.FieldError(
                    "FieldValueInvalid",
                    "metadata.resourceVersion",
                    "Invalid value: 0: must be specified for an update",
                )
                raise errors.invalid(resource.group, resource.plural, before.name, (problem,))
            return False
        if wanted != old.revision:
            raise errors.conflict(resource.group, resource.plural, before.name, errors.MODIFIED)
        return is_put

    async def _update_once(
        self, resource: Resource, namespace: str, new: Any, old: Entry, ctx: Context, write: Write
    ) -> Entry | None:
        """None when the race was lost."""
        subresource = write.subresource
        attributes = Attributes(
            resource=resource,
            namespace=namespace,
            name=old.object.metadata.name,
            operation="UPDATE",
            subresource=subresource,
            user=ctx.user,
            dry_run=ctx.dry_run,
            warnings=ctx.warnings,
            annotations=ctx.annotations,
        )
        new = await self._admission.admit(attributes, new, old.object, self)
        new = compute_updated(new, old.object, subresource=subresource)
        if not write.is_apply:
            new = self._tracked(old.object, new, ctx, subresource)
        if found := validate_update(new, old.object, namespaced=resource.namespaced, subresource=subresource):
            raise errors.invalid(resource.group, resource.kind, old.object.metadata.name, found)
        await self._admission.validate(attributes, new, old.object, self)
        if finished(new):
            return await self._commits.remove(resource, old, new, ctx)
        return await self._commits.put(resource, old, new, ctx)

    def _tracked(self, old: Any | None, new: Any, ctx: Context, subresource: str = "") -> Any:
        """`new` with its managers. Components in this process own no fields, but take those they change from their owners."""
        if not ctx.field_manager and (subresource or old is None or not old.metadata.managed_fields):
            return new
        manager = ctx.field_manager or ctx.user.name
        return update_managers(old, new, manager=manager, now=self.clock.now(), subresource=subresource)

    def _shown(self, resource: Resource, entry: Entry, subresource: str) -> Entry:
        if subresource != "scale":
            return entry
        scale = compute_scale(entry.object)
        return Entry(scale_resource(resource), codec.encode_stored(scale), entry.revision, scale)

    # -- delete --------------------------------------------------------------------------------------------------------

    async def delete(
        self, resource: Resource, name: str, namespace: str, options: DeleteOptions, ctx: Context
    ) -> Entry | Status:
        check_options(options)
        if options.dry_run and not ctx.dry_run:
            ctx = replace(ctx, dry_run=True)
        attributes = Attributes(
            resource=resource,
            namespace=namespace,
            name=name,
            operation="DELETE",
            user=ctx.user,
            dry_run=ctx.dry_run,
            warnings=ctx.warnings,
            annotations=ctx.annotations,
        )
        for _ in range(_ATTEMPTS):
            old = await self.get(resource, name, namespace)
            check_preconditions(resource, old.object.metadata, options)
            await self._admission.admit(attributes, None, old.object, self)
            await self._admission.validate(attributes, None, old.object, self)
            outcome = compute_deletion(old.object, options, self.clock.now())
            if outcome.obj is None:
                return old
            write = self._commits.remove if outcome.remove else self._commits.put
            entry = await write(resource, old, outcome.obj, ctx)
            if entry is None:
                continue
            if not outcome.remove or strategy_of(resource.type).returns_deleted:
                return entry
            return _deleted(resource, old.object)
        raise errors.conflict(resource.group, resource.plural, name, errors.MODIFIED)

    async def delete_collection(
        self, resource: Resource, namespace: str, params: ListParams, options: DeleteOptions, ctx: Context
    ) -> Page:
        check_options(options)
        page = await self.list(resource, namespace, params)
        for entry in page.entries:
            meta = entry.object.metadata
            try:
                await self.delete(resource, meta.name, meta.namespace, options, ctx)
            except errors.NotFound:
                continue  # somebody else was faster
        return page

    # -- subresources --------------------------------------------------------------------------------------------------

    async def subresource_get(self, resource: Resource, name: str, namespace: str, subresource: str) -> TypedValue:
        entry = await self.get(resource, name, namespace)
        value: TypedValue = compute_scale(entry.object) if subresource == "scale" else entry.object
        return value

    async def subresource_create(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        subresource: str,
        body: dict[str, Any] | Object,
        ctx: Context,
    ) -> TypedValue:
        from kubelite.apiserver.subresources import create_subresource

        return await create_subresource(self, resource, name, namespace, subresource, body, ctx)

    async def modify(
        self, resource: Resource, name: str, namespace: str, change: Callable[[Any], Any], ctx: Context
    ) -> Entry:
        """A write of the server's own, past strategy, admission and validation: binding, bootstrap."""
        for _ in range(_ATTEMPTS):
            old = await self.get(resource, name, namespace)
            entry = await self._commits.put(resource, old, change(old.object), ctx)
            if entry is not None:
                return entry
        raise errors.conflict(resource.group, resource.plural, name, errors.MODIFIED)


def _deleted(resource: Resource, obj: Any) -> Status:
    about = StatusDetails(name=obj.metadata.name, group=resource.group, kind=resource.plural, uid=obj.metadata.uid)
    return Status(status="Success", details=about)
