"""The generic verbs on objects: get, list, watch, create, update, patch, delete, and their state subresources.

Requests become registry calls, results become bytes in the negotiated form; what the objects mean is the registry's.
Source: k8s.io/apiserver pkg/endpoints/handlers
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kubelite.actor.clock import Clock
from kubelite.api import (
    authentication_v1 as authentication,
    autoscaling_v1 as autoscaling,
    codec,
    core_v1 as core,
    errors,
    policy_v1 as policy,
)
from kubelite.api.meta import DeleteOptions, Object, Status, StatusDetails
from kubelite.api.scheme import Resource
from kubelite.apiserver import media, table
from kubelite.apiserver.answers import Answer, Call, Outcome, Watching, answer_value
from kubelite.apiserver.frames import Encode, Feed, encode_native, native_bookmark
from kubelite.apiserver.interface import Context, Entry, Page, PatchRequest, Registry
from kubelite.apiserver.media import Media
from kubelite.apiserver.request import (
    WriteOptions,
    method_not_allowed,
    parse_delete_options,
    parse_list_params,
    parse_write_options,
)
from kubelite.apiserver.scale import scale_resource
from kubelite.apiserver.watch_socket import wants_socket, watch_over_socket

_PATCH_TYPES: dict[str, Literal["json", "merge", "strategic", "apply"]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
#: How long a watch lasts that names no timeout; drawn between once and twice this. Source: --min-request-timeout
_MIN_WATCH_S = 1800


class ObjectHandlers:
    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    async def answer(self, call: Call, resource: Resource) -> Outcome:
        form = _negotiate(call)
        match call.info.verb:
            case "get":
                return await self._get(call, resource, form)
            case "list":
                params = parse_list_params(call.request.query)
                page = await self._registry.list(resource, self._namespace(call, resource), params)
                return self._page(call, resource, page, form)
            case "watch":
                return self._watch(call, resource, form)
            case "create":
                return await self._create(call, resource, form)
            case "update":
                return await self._update(call, resource, form)
            case "patch":
                return await self._patch(call, resource, form)
            case "delete":
                return await self._delete(call, resource, form)
            case "deletecollection":
                return await self._delete_collection(call, resource, form)
            case _:
                raise method_not_allowed()

    def _namespace(self, call: Call, resource: Resource) -> str:
        return call.info.namespace if resource.namespaced else ""

    # -- reads ---------------------------------------------------------------------------------------------------------

    async def _get(self, call: Call, resource: Resource, form: Media) -> Answer:
        info, namespace = call.info, self._namespace(call, resource)
        if info.subresource:
            value: Any = await self._registry.subresource_get(resource, info.name, namespace, info.subresource)
            shown = scale_resource(resource) if info.subresource == "scale" else resource
            revision = int(value.metadata.resource_version or 0)
            return self._one(call, Entry(shown, codec.encode_stored(value), revision, value), form)
        return self._one(call, await self._registry.get(resource, info.name, namespace), form)

    def _one(self, call: Call, entry: Entry, form: Media, *, code: int = 200, ctx: Context | None = None) -> Answer:
        match form.transform:
            case "Table":
                include = table.parse_include(call.request.query)
                view = table.TableView(entry.resource, include, self._clock.now(), form.version)
                body = view.encode([entry], str(entry.revision))
            case "PartialObjectMetadata":
                body = table.encode_partial(entry, form.version)
            case "PartialObjectMetadataList":
                raise errors.NotAcceptable(
                    f"you requested PartialObjectMetadataList, but the requested object is not a list ({entry.resource.kind})"
                )
            case _:
                body = entry.wire()
        warnings = ctx.warnings if ctx else ()
        return Answer(code=code, body=media.encode(body, form), type=form.type, warnings=warnings)

    def _page(self, call: Call, resource: Resource, page: Page, form: Media) -> Answer:
        match form.transform:
            case "Table":
                include = table.parse_include(call.request.query)
                view = table.TableView(resource, include, self._clock.now(), form.version)
                body = view.encode(page.entries, str(page.revision), page.continue_, page.remaining)
            case "PartialObjectMetadataList":
                body = table.encode_partial_list(page, form.version)
            case "PartialObjectMetadata":
                what = f"the requested object is a list (*{resource.group or 'core'}.{resource.kind}List)"
                raise errors.NotAcceptable(f"you requested PartialObjectMetadata, but {what}")
            case _:
                body = encode_list(resource, page)
        return Answer(body=media.encode(body, form), type=form.type)

    def _watch(self, call: Call, resource: Resource, form: Media) -> Outcome:
        if form.type != media.JSON:
            raise errors.NotAcceptable("406: Not Acceptable", StatusDetails())
        info, query = call.info, call.request.query
        params = parse_list_params(query)
        if info.named_by_path:
            params = msgspec.structs.replace(params, field_selector=f"metadata.name={info.name}")
        encode: Encode = encode_native
        bookmark = native_bookmark(resource)
        match form.transform:
            case "Table":
                frames = table.TableFrames(resource, table.parse_include(query), self._clock, form.version)
                encode, bookmark = frames.encode, frames.bookmark
            case "PartialObjectMetadata":
                encode, bookmark = table.partial_frames(form.version)
            case "PartialObjectMetadataList":
                raise errors.NotAcceptable("406: Not Acceptable", StatusDetails())
        feed = Feed(
            encode,
            bookmark if params.allow_watch_bookmarks else None,
            initial_end=bool(params.send_initial_events),
        )
        feed.opened(self._registry.watch(resource, self._namespace(call, resource), params, feed))
        timeout = params.timeout_s or _MIN_WATCH_S + self._clock.randrange(_MIN_WATCH_S)
        headers = call.request.headers
        if wants_socket(headers):
            return watch_over_socket(headers, feed, float(timeout))
        return Watching(feed=feed, type=media.JSON, timeout_s=float(timeout))

    # -- writes --------------------------------------------------------------------------------------------------------

    async def _create(self, call: Call, resource: Resource, form: Media) -> Answer:
        info, namespace = call.info, self._namespace(call, resource)
        options = self._options(call, "CreateOptions")
        ctx = _context(call, options)
        if info.subresource or resource.plural == "bindings":
            subresource = info.subresource or "binding"
            body = await self._body(call, resource, subresource)
            target, name = resource, info.name
            if not info.subresource:
                target = self._registry.scheme.resource("", "v1", "pods")
                name = str((body.get("metadata") or {}).get("name", ""))
            value = await self._registry.subresource_create(target, name, namespace, subresource, body, ctx)
            if isinstance(value, Status) and value.code == 0:
                value = msgspec.structs.replace(value, code=201)
            return answer_value(value, form, code=201, warnings=ctx.warnings)
        body = await self._body(call, resource)
        entry = await self._registry.create(resource, namespace, body, ctx, name=info.name)
        return self._one(call, entry, form, code=201, ctx=ctx)

    async def _update(self, call: Call, resource: Resource, form: Media) -> Answer:
        info, namespace = call.info, self._namespace(call, resource)
        ctx = _context(call, self._options(call, "UpdateOptions"))
        body = await self._body(call, resource, info.subresource)
        entry, created = await self._registry.update(
            resource, info.name, namespace, body, ctx, subresource=info.subresource
        )
        return self._one(call, entry, form, code=201 if created else 200, ctx=ctx)

    async def _patch(self, call: Call, resource: Resource, form: Media) -> Answer:
        info, namespace = call.info, self._namespace(call, resource)
        content_type = call.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if (type_ := _PATCH_TYPES.get(content_type)) is None:
            raise errors.UnsupportedMediaType("415: Unsupported Media Type", StatusDetails())
        options = self._options(call, "PatchOptions", apply=type_ == "apply")
        ctx = _context(call, options)
        patch = PatchRequest(type_, _decode_patch(await call.request.read(), type_))
        entry, created = await self._registry.patch(
            resource, info.name, namespace, patch, ctx, subresource=info.subresource
        )
        return self._one(call, entry, form, code=201 if created else 200, ctx=ctx)

    async def _delete(self, call: Call, resource: Resource, form: Media) -> Answer:
        options = await self._delete_options(call)
        ctx = _delete_context(call, options)
        namespace = self._namespace(call, resource)
        result = await self._registry.delete(resource, call.info.name, namespace, options, ctx)
        if isinstance(result, Status):
            return answer_value(result, form, warnings=ctx.warnings)
        meta = result.object.metadata
        is_going = bool(meta.finalizers or meta.deletion_grace_period_seconds)
        code = 202 if options.orphan_dependents is False and is_going else 200
        return self._one(call, result, form, code=code, ctx=ctx)

    async def _delete_collection(self, call: Call, resource: Resource, form: Media) -> Answer:
        options = await self._delete_options(call)
        ctx = _delete_context(call, options)
        params = parse_list_params(call.request.query)
        namespace = self._namespace(call, resource)
        page = await self._registry.delete_collection(resource, namespace, params, options, ctx)
        return self._page(call, resource, page, form)

    async def _delete_options(self, call: Call) -> DeleteOptions:
        raw = await call.request.read()
        if not raw:
            return parse_delete_options(call.request.query, None)
        body = media.decode(raw, call.request.headers.get("Content-Type", ""), "DeleteOptions", (DeleteOptions,))
        try:
            options = msgspec.convert(body, DeleteOptions, strict=True)
        except msgspec.ValidationError as error:
            version = body.get("apiVersion", "v1")
            what = f'DeleteOptions in version "{version}" cannot be handled as a DeleteOptions'
            raise errors.BadRequest(f"{what}: {error}") from None
        return parse_delete_options(call.request.query, options)

    def _options(
        self,
        call: Call,
        kind: Literal["CreateOptions", "UpdateOptions", "PatchOptions"],
        *,
        apply: bool = False,
    ) -> WriteOptions:
        request = call.request
        return parse_write_options(request.query, request.headers.get("User-Agent", ""), kind=kind, apply=apply)

    async def _body(self, call: Call, resource: Resource, subresource: str = "") -> dict[str, Any]:
        type_ = _BODIES.get(subresource, resource.type)
        content_type = call.request.headers.get("Content-Type", "")
        binary = () if type_.items_have_kind else (type_,)
        return media.decode(await call.request.read(), content_type, type_.kind, binary)


#: What is sent to a subresource, where it is not the object itself.
_BODIES: dict[str, type[Object]] = {
    "scale": autoscaling.Scale,
    "binding": core.Binding,
    "eviction": policy.Eviction,
    "token": authentication.TokenRequest,
}


def _negotiate(call: Call) -> Media:
    headers = call.request.headers
    query = call.request.query
    pretty = media.wants_pretty(list(query["pretty"]) if "pretty" in query else None, headers.get("User-Agent", ""))
    return media.negotiate(headers.get("Accept", ""), pretty=pretty)


def _context(call: Call, options: WriteOptions) -> Context:
    return Context(
        user=call.user,
        cause=f"{call.user.name} {call.request.method} {call.info.path}",
        dry_run=options.dry_run,
        field_manager=options.field_manager,
        field_validation=options.field_validation,
        force=bool(options.force),
        annotations=call.annotations,
    )


def _delete_context(call: Call, options: DeleteOptions) -> Context:
    cause = f"{call.user.name} {call.request.method} {call.info.path}"
    dry_run = "All" in options.dry_run or "All" in call.request.query.get("dryRun", ())
    return Context(user=call.user, cause=cause, dry_run=dry_run, annotations=call.annotations)


def _decode_patch(body: bytes, type_: str) -> Any:
    """Raises: BadRequest."""
    try:
        return media.parse_yaml(body) if type_ == "apply" else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        what = "error decoding YAML" if type_ == "apply" else "error decoding patch"
        raise errors.BadRequest(f"{what}: {error}") from None


def encode_list(resource: Resource, page: Page) -> bytes:
    """
    >>> from kubelite.api.scheme import Scheme
    >>> encode_list(Scheme().resource("", "v1", "pods"), Page((), 7))
    b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}'
    """
    head = f'{{"kind":"{resource.list_kind}","apiVersion":"{resource.group_version}"'
    meta = table.encode_list_meta(str(page.revision), page.continue_, page.remaining)
    if resource.type.items_have_kind and not page.continue_:
        meta = b'{"continue":"",%b' % meta[1:]
    items = b",".join([entry.item() for entry in page.entries])
    return b'%b,"metadata":%b,"items":[%b]}' % (head.encode(), meta, items)
