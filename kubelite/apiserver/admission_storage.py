"""Admission that looks up a class, or keeps what is in use: storage and ingress classes, protection, growth.

Source: kubernetes plugin/pkg/admission/{storage/storageclass/setdefault,storage/storageobjectinuseprotection,
network/defaultingressclass}
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core, networking_v1 as networking, storage_v1 as storage
from kubelite.api.meta import Object
from kubelite.api.quantity import parse
from kubelite.apiserver.admission import Attributes, Cluster, Finder

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


class ClaimResize:
    """Only a bound claim of a class that says so may ask for more. Implements `admission.Validator`.

    Source: kubernetes plugin/pkg/admission/storage/persistentvolume/resize
    """

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Raises: Forbidden."""
        if attributes.resource.type is not core.PersistentVolumeClaim or attributes.operation != "UPDATE":
            return
        if attributes.subresource:
            return
        new_size, old_size = (each.spec.resources.requests.get("storage", "0") for each in (obj, old))
        if new_size == old_size or parse(new_size) <= parse(old_size):
            return
        if old.status.phase != "Bound":
            raise attributes.refusal("Only bound persistent volume claims can be expanded")
        name = old.metadata.annotations.get(_OLD_STORAGE) or old.spec.storage_class_name
        found = await cluster.find(storage.StorageClass, name) if name else None
        if found is None or not found.allow_volume_expansion:
            why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must"
            raise attributes.refusal(f"{why} support resize")
