"""A request's body as a typed object that belongs to the request's URL.

Source: k8s.io/apiserver pkg/endpoints/handlers/{create,update,rest}.go, pkg/registry/rest/meta.go
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import decode
from kubelite.api.custom import CustomObject
from kubelite.api.custom_schema import well_formed
from kubelite.api.errors import BadRequest
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.interface import Context


def typed_body(resource: Resource, body: Object | dict[str, Any], ctx: Context) -> Any:
    """Decodes what a client sent, as strictly as it asked for; an in-process caller's object is taken as it is.

    Raises: BadRequest.
    """
    if isinstance(body, CustomObject) and isinstance(body, resource.type):
        return replace(body, content=well_formed(type(body), body.content))
    if isinstance(body, resource.type):
        return body
    if isinstance(body, Object):
        raise BadRequest(f'{body.kind} in version "{body.api_version}" cannot be handled as a {resource.kind}')
    obj = decode.decode_object(resource.type, body)
    check_fields(resource, body, ctx)
    return obj


def check_fields(resource: Resource, body: dict[str, Any], ctx: Context) -> None:
    """Unknown and repeated fields are ignored, warned of, or refused as BadRequest, as the client asked."""
    if ctx.field_validation == "Ignore":
        return
    found = decode.strict_errors(resource.type, body)
    if found and ctx.field_validation == "Strict":
        raise decode.strict_error(resource.type, found)
    ctx.warnings.extend(text for text in found if text not in ctx.warnings)


def check_address(resource: Resource, obj: Any, name: str, namespace: str, *, needs_name: bool = False) -> Any:
    """`obj` with the namespace of the request. `needs_name`: its name must be that of the URL. Raises: BadRequest."""
    meta = obj.metadata
    if needs_name:
        if not meta.name:
            why = "was undeterminable: name must be provided"
            raise BadRequest(f"the name of the object ({name} based on URL) {why}")
        if meta.name != name:
            raise BadRequest(f"the name of the object ({meta.name}) does not match the name on the URL ({name})")
        if namespace and meta.namespace and meta.namespace != namespace:
            what = f"the namespace of the object ({meta.namespace}) does not match the namespace on the request"
            raise BadRequest(f"{what} ({namespace})")
    elif name and meta.name and meta.name != name:
        raise BadRequest(f"the name of the object ({meta.name}) does not match the name on the URL ({name})")
    elif namespace and meta.namespace and meta.namespace != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    wanted = namespace if resource.namespaced else ""
    if meta.namespace == wanted and (meta.name or not name):
        return obj
    return replace(obj, metadata=replace(meta, name=meta.name or name, namespace=wanted))
