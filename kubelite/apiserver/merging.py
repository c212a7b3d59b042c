"""A PATCH as a function of the current state.

`Merger.merge` may run several times, each on a newer state, until its result could be written.
Source: k8s.io/apiserver pkg/endpoints/handlers/patch.go
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.api import codec, decode, patch as patches
from kubelite.api.apply import apply
from kubelite.api.custom import CustomObject
from kubelite.api.defaults import apply_defaults
from kubelite.api.errors import BadRequest, UnsupportedMediaType, invalid
from kubelite.api.scheme import Resource
from kubelite.api.validation_field import invalid as invalid_field
from kubelite.apiserver.interface import Context, PatchRequest
from kubelite.apiserver.request_body import check_address, check_fields
from kubelite.apiserver.scale import apply_scale, compute_scale, scale_resource


class Merger:
    def __init__(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        request: PatchRequest,
        ctx: Context,
        *,
        now: float,
        subresource: str,
    ) -> None:
        if request.type == "strategic" and issubclass(resource.type, CustomObject):
            known = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
            text = "the body of the request was in an unknown format - accepted media types include: "
            raise UnsupportedMediaType(text + known)
        self._resource = scale_resource(resource) if subresource == "scale" else resource
        self._name = name
        self._namespace = namespace
        self._request = request
        self._ctx = ctx
        self._now = now
        self._subresource = subresource
        self._is_scale = subresource == "scale"

    def merge(self, old: Any | None) -> Any:
        """The object wanted instead of `old`. Raises: StatusError."""
        current = compute_scale(old) if self._is_scale and old is not None else old
        new = apply_defaults(self._applied(current) if self._request.type == "apply" else self._patched(current))
        new = check_address(self._resource, new, self._name, self._namespace, needs_name=True)
        return apply_scale(old, new) if self._is_scale else new

    def _applied(self, current: Any | None) -> Any:
        """Server-side apply; creates what is not there."""
        type_ = self._resource.type
        merged = apply(
            current,
            self._request.body,
            type_,
            manager=self._ctx.field_manager,
            now=self._now,
            force=self._ctx.force,
            subresource=self._subresource,
        )
        new = decode.decode_object(type_, merged)
        check_fields(self._resource, self._request.body, self._ctx)
        return new

    def _patched(self, current: Any) -> Any:
        request = self._request
        assert request.type != "apply"
        merged = patches.apply_patch(request.type, codec.to_builtins(current), request.body, self._resource.type)
        try:
            new = decode.decode_object(self._resource.type, merged)
        except BadRequest as error:
            why = error.message.partition(": ")[2]
            shown = msgspec.json.encode(request.body if request.type == "strategic" else merged).decode()
            raise invalid("", "", "", (invalid_field("patch", shown, why),)) from error
        check_fields(self._resource, merged, self._ctx)
        return new
