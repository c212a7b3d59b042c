"""Admission that looks up a class, or keeps what is in use: storage and ingress classes, runtime classes, protection.

Source: kubernetes plugin/pkg/admission/{storage/storageclass/setdefault,storage/storageobjectinuseprotection,
network/defaultingressclass,runtimeclass}
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core, networking_v1 as networking, node_v1 as node, storage_v1 as storage
from kubelite.api.meta import Object
from kubelite.apiserver.admission import Attributes, Finder

_PROTECTIONS: dict[type[Object], str] = {
    core.PersistentVolume: "kubernetes.io/pv-protection",
    core.PersistentVolumeClaim: "kubernetes.io/pvc-protection",
}
_DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class"
_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
_OLD_STORAGE = "volume.beta.kubernetes.io/storage-class"
_OLD_INGRESS = "kubernetes.io/ingress.class"


def _creates(attributes: Attributes, type_: type[Object]) -> bool:
    return attributes.resource.type is type_ and attributes.operation == "CREATE" and not attributes.subresource


class DefaultStorageClass:
    """A claim that names no class gets the default one; of several, the newest."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if not _creates(attributes, core.PersistentVolumeClaim):
            return obj
        if obj.spec.storage_class_name is not None or _OLD_STORAGE in obj.metadata.annotations:
            return obj
        found = [each for each in await finder.find_all(storage.StorageClass) if _is_default(each, _DEFAULT_STORAGE)]
        if not found:
            return obj
        found.sort(key=lambda each: str(each.metadata.name))
        newest = max(found, key=lambda each: str(each.metadata.creation_timestamp))
        return replace(obj, spec=replace(obj.spec, storage_class_name=newest.metadata.name))


class DefaultIngressClass:
    """An ingress that names no class gets the default one; of several, the newest."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if not _creates(attributes, networking.Ingress):
            return obj
        if obj.spec.ingress_class_name is not None or _OLD_INGRESS in obj.metadata.annotations:
            return obj
        found = [each for each in await finder.find_all(networking.IngressClass) if _is_default(each, _DEFAULT_INGRESS)]
        if not found:
            return obj
        found.sort(key=lambda each: str(each.metadata.name))
        newest = max(found, key=lambda each: str(each.metadata.creation_timestamp))
        return replace(obj, spec=replace(obj.spec, ingress_class_name=newest.metadata.name))


def _is_default(obj: Any, annotation: str) -> bool:
    return bool(obj.metadata.annotations.get(annotation) == "true")


class StorageObjectInUseProtection:
    """Volumes and claims stay until nothing uses them; their controllers take the finalizer away."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        finalizer = _PROTECTIONS.get(attributes.resource.type)
        if finalizer is None or not _creates(attributes, attributes.resource.type):
            return obj
        if finalizer in obj.metadata.finalizers:
            return obj
        return replace(obj, metadata=replace(obj.metadata, finalizers=(*obj.metadata.finalizers, finalizer)))


class RuntimeClasses:
    """A pod of a runtime class gets the class's overhead, node selector and tolerations."""

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if not _creates(attributes, core.Pod):
            return obj
        spec, name = obj.spec, obj.spec.runtime_class_name
        if name is None:
            if spec.overhead:
                raise attributes.refusal("pod rejected: Pod Overhead set without corresponding RuntimeClass Overhead")
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
            raise attributes.refusal("pod rejected: Pod Overhead set without corresponding RuntimeClass Overhead")
        if found.scheduling is not None:
            spec = _scheduled(attributes, spec, found.scheduling)
        return replace(obj, spec=spec)


def _scheduled(attributes: Attributes, spec: core.PodSpec, scheduling: node.Scheduling) -> core.PodSpec:
    for key, value in scheduling.node_selector.items():
        if spec.node_selector.get(key, value) != value:
            theirs = f"the {key} key is set to {value!r} by the RuntimeClass"
            raise attributes.refusal(f"conflict: {theirs} and to {spec.node_selector[key]!r} by the pod")
    missing = tuple(each for each in scheduling.tolerations if each not in spec.tolerations)
    return replace(
        spec,
        node_selector={**spec.node_selector, **scheduling.node_selector},
        tolerations=(*spec.tolerations, *missing),
    )
