"""The scale of an object of a custom kind: its replicas at the paths that the definition names. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/registry/customresource/etcd.go (ScaleREST)
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from kubelite.api.custom import CustomObject, at_path
from kubelite.api.errors import InternalError, NotFound
from kubelite.api.meta import ObjectMeta, StatusCause, StatusDetails


def compute_scale(obj: CustomObject, metadata: ObjectMeta) -> Scale:
    """Raises: InternalError when the object does not say how many replicas it wants."""
    paths = type(obj).definition.scale
    if paths is None:
        raise NotFound("the server could not find the requested resource")
    wanted = at_path(obj.content, paths.spec_replicas_path)
    if not isinstance(wanted, int):
        why = f'the spec replicas field "{paths.spec_replicas_path}" does not exist'
        raise InternalError(f"Internal error occurred: {why}", StatusDetails(causes=(StatusCause(message=why),)))
    present = at_path(obj.content, paths.status_replicas_path)
    selector = at_path(obj.content, paths.label_selector_path) if paths.label_selector_path else None
    status = ScaleStatus(
        replicas=present if isinstance(present, int) else 0, selector=selector if isinstance(selector, str) else ""
    )
    return Scale(metadata=metadata, spec=ScaleSpec(replicas=wanted), status=status)


def with_replicas(obj: CustomObject, replicas: int) -> CustomObject:
    paths = type(obj).definition.scale
    if paths is None:
        raise NotFound("the server could not find the requested resource")
    keys = paths.spec_replicas_path.removeprefix(".").split(".")
    return replace(obj, content=_put(obj.content, keys, replicas))


def _put(content: Any, keys: list[str], value: int) -> Any:
    if not keys:
        return value
    kept = dict(content) if isinstance(content, dict) else {}
    return {**kept, keys[0]: _put(kept.get(keys[0]), keys[1:], value)}
