"""The scale subresource: a workload seen as a number of replicas. Pure.

Source: k8s.io/kubernetes pkg/registry/apps/*/storage/storage.go, pkg/registry/core/replicationcontroller/storage
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from kubelite.api.custom import CustomObject
from kubelite.api.errors import invalid
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.api.scheme import Resource
from kubelite.api.validation_field import non_negative
from kubelite.apiserver import custom_scale as custom

_SET_OPERATORS = {"In": "in", "NotIn": "notin"}


def scale_resource(resource: Resource) -> Resource:
    """How answers name the scale of `resource`."""
    return Resource(
        type=Scale,
        group="autoscaling",
        version="v1",
        kind="Scale",
        plural=resource.plural,
        singular=resource.singular,
        namespaced=resource.namespaced,
    )


def print_selector(selector: Any) -> str:
    """A selector as one line, terms ordered by key.

    >>> print_selector(LabelSelector(match_labels={"b": "2", "a": "1"}))
    'a=1,b=2'
    """
    if selector is None:
        return ""
    if not isinstance(selector, LabelSelector):
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    terms = [(key, f"{key}={value}") for key, value in selector.match_labels.items()]
    for term in selector.match_expressions:
        match term.operator:
            case "Exists":
                text = term.key
            case "DoesNotExist":
                text = f"!{term.key}"
            case _:
                text = f"{term.key} {_SET_OPERATORS.get(term.operator, '')} ({','.join(sorted(term.values))})"
        terms.append((term.key, text))
    return ",".join(text for _, text in sorted(terms))


def compute_scale(obj: Any) -> Scale:
    """Raises: InternalError for an object of a custom kind that has no replicas."""
    meta: ObjectMeta = obj.metadata
    metadata = ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resource_version=meta.resource_version,
        creation_timestamp=meta.creation_timestamp,
    )
    if isinstance(obj, CustomObject):
        return custom.compute_scale(obj, metadata)
    status = ScaleStatus(replicas=obj.status.replicas, selector=print_selector(obj.spec.selector))
    return Scale(metadata=metadata, spec=ScaleSpec(replicas=obj.spec.replicas or 0), status=status)


def apply_scale(obj: Any, scale: Scale) -> Any:
    """`obj` with the replicas and the resourceVersion of `scale`. Raises: Invalid."""
    if found := non_negative("spec.replicas", scale.spec.replicas):
        raise invalid("autoscaling", "Scale", obj.metadata.name, found)
    metadata = replace(obj.metadata, resource_version=scale.metadata.resource_version)
    if isinstance(obj, CustomObject):
        return replace(custom.with_replicas(obj, scale.spec.replicas), metadata=metadata)
    return replace(obj, metadata=metadata, spec=replace(obj.spec, replicas=scale.spec.replicas))
