"""RuntimeClass: what the class of a pod adds to it.

Source: kubernetes plugin/pkg/admission/runtimeclass, pkg/util/tolerations
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core, node_v1 as node
from kubelite.apiserver.admission import Attributes, Finder

_NO_OVERHEAD = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


class RuntimeClasses:
    """A pod of a runtime class gets the class's overhead, node selector and tolerations."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.resource.type is not core.Pod or attributes.operation != "CREATE" or attributes.subresource:
            return obj
        spec, name = obj.spec, obj.spec.runtime_class_name
        if name is None:
            if spec.overhead:
                raise attributes.refusal(_NO_OVERHEAD)
            return obj
        found = await finder.find(node.RuntimeClass, name)
        if found is None:
            raise attributes.refusal(f'pod rejected: RuntimeClass "{name}" not found')
        if found.overhead is not None:
            fixed = found.overhead.pod_fixed
            if spec.overhead and spec.overhead != fixed:
                raise attributes.refusal("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec = replace(spec, overhead=fixed)
        elif spec.overhead:
            raise attributes.refusal(_NO_OVERHEAD)
        if found.scheduling is not None:
            spec = _scheduled(attributes, spec, found.scheduling)
        return replace(obj, spec=spec)


def _scheduled(attributes: Attributes, spec: core.PodSpec, scheduling: node.Scheduling) -> core.PodSpec:
    for key, value in scheduling.node_selector.items():
        if (own := spec.node_selector.get(key, value)) != value:
            theirs = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            raise attributes.refusal(f"conflict: {theirs}; pod.spec.nodeSelector[{key}] = {own}")
    return replace(
        spec,
        node_selector={**spec.node_selector, **scheduling.node_selector},
        tolerations=merge_tolerations(spec.tolerations, scheduling.tolerations),
    )


def merge_tolerations(
    own: tuple[core.Toleration, ...], added: tuple[core.Toleration, ...]
) -> tuple[core.Toleration, ...]:
    """Both, without those that another one covers."""
    every = (*own, *added)
    merged: list[core.Toleration] = []
    for at, item in enumerate(every):
        later = (each for each in every[at + 1 :] if each != item)
        if not any(_covers(each, item) for each in (*merged, *later)):
            merged.append(item)
    return tuple(merged)


def _covers(wide: core.Toleration, narrow: core.Toleration) -> bool:
    if wide == narrow:
        return True
    if narrow.key != wide.key and (wide.key or wide.operator != "Exists"):
        return False
    if narrow.effect != wide.effect and wide.effect:
        return False
    if wide.effect == "NoExecute" and wide.toleration_seconds is not None:
        seconds = narrow.toleration_seconds
        if seconds is None or seconds > wide.toleration_seconds:
            return False
    return wide.operator == "Exists" or (narrow.operator in ("Equal", "") and narrow.value == wide.value)
