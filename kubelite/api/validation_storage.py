"""What must hold of PersistentVolumes, their claims and StorageClasses. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go, pkg/apis/storage/validation/validation.go
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import core_v1 as core, storage_v1 as storage
from kubelite.api.quantity import parse
from kubelite.api.validation_container import validate_no_backsteps
from kubelite.api.validation_field import (
    Errors,
    dns_subdomain,
    forbidden,
    formatted,
    immutable,
    invalid,
    not_supported,
    one_of,
    qualified_name,
    required,
)
from kubelite.api.validation_meta import validate_selector

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES = ("Block", "Filesystem")
_POSITIVE = "must be greater than zero"
_CLAIM_FIXED = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
#: Everything that is not one of these fields of a PersistentVolume's spec is a volume source.
_NO_SOURCE = frozenset(
    (
        "capacity",
        "access_modes",
        "claim_ref",
        "persistent_volume_reclaim_policy",
        "storage_class_name",
        "mount_options",
        "volume_mode",
        "node_affinity",
        "volume_attributes_class_name",
    )
)


def _sources(spec: core.PersistentVolumeSpec) -> dict[str, Any]:
    """The volume sources that are set, by their names on the wire."""
    fields = msgspec.structs.fields(type(spec))
    return {
        field.encode_name: value
        for field in fields
        if field.name not in _NO_SOURCE and (value := getattr(spec, field.name)) is not None
    }


def _access_modes(modes: tuple[str, ...], path: str) -> Errors:
    found: Errors = []
    for mode in modes:
        found += one_of(path, mode, _MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        found.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return found


def validate_volume(volume: core.PersistentVolume) -> Errors:
    spec = volume.spec
    found: Errors = [] if spec.access_modes else [required("spec.accessModes")]
    found += _access_modes(spec.access_modes, "spec.accessModes")
    if not spec.capacity:
        found.append(required("spec.capacity"))
    elif set(spec.capacity) != {"storage"}:
        found.append(not_supported("spec.capacity", dict(spec.capacity), ("storage",)))
    for name, quantity in spec.capacity.items():
        if parse(quantity).nanos <= 0:
            found.append(invalid(f"spec.capacity[{name}]", str(parse(quantity)), _POSITIVE))
    if policy := spec.persistent_volume_reclaim_policy:
        found += one_of("spec.persistentVolumeReclaimPolicy", policy, ("Delete", "Recycle", "Retain"))
    found += _volume_source(spec)
    if spec.storage_class_name:
        found += formatted("spec.storageClassName", spec.storage_class_name, dns_subdomain)
    if spec.volume_mode is not None:
        found += one_of("spec.volumeMode", spec.volume_mode, _VOLUME_MODES)
    return found


def _volume_source(spec: core.PersistentVolumeSpec) -> Errors:
    sources = _sources(spec)
    if not sources:
        return [required("spec", "must specify a volume type")]
    found = [forbidden(f"spec.{name}", "may not specify more than 1 volume type") for name in list(sources)[1:]]
    if spec.host_path is not None:
        path = spec.host_path.path
        found += validate_no_backsteps("spec.hostPath.path", path) if path else [required("spec.hostPath.path")]
        if path == "/" and spec.persistent_volume_reclaim_policy == "Recycle":
            why = "may not be 'recycle' for a hostPath mount of '/'"
            found.append(forbidden("spec.persistentVolumeReclaimPolicy", why))
    if spec.local is not None:
        found += (
            validate_no_backsteps("spec.local.path", spec.local.path)
            if spec.local.path
            else [required("spec.local.path")]
        )
        if spec.node_affinity is None or spec.node_affinity.required is None:
            found.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    if spec.nfs is not None:
        for name, value in (("server", spec.nfs.server), ("path", spec.nfs.path)):
            if not value:
                found.append(required(f"spec.nfs.{name}"))
    if spec.csi is not None:
        for name, value in (("driver", spec.csi.driver), ("volumeHandle", spec.csi.volume_handle)):
            if not value:
                found.append(required(f"spec.csi.{name}"))
    return found


def validate_volume_update(new: core.PersistentVolume, old: core.PersistentVolume) -> Errors:
    found = validate_volume(new)
    if _sources(new.spec) != _sources(old.spec):
        found.append(
            forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n")
        )
    found += immutable("spec.volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    if old.spec.node_affinity is not None:
        found += immutable("spec.nodeAffinity", new.spec.node_affinity, old.spec.node_affinity)
    return found


def validate_claim(claim: core.PersistentVolumeClaim) -> Errors:
    return validate_claim_spec(claim.spec, "spec")


def validate_claim_spec(spec: core.PersistentVolumeClaimSpec, path: str) -> Errors:
    found: Errors = []
    if not spec.access_modes:
        found.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    found += validate_selector(spec.selector, f"{path}.selector")
    found += _access_modes(spec.access_modes, f"{path}.accessModes")
    wanted = spec.resources.requests.get("storage")
    if wanted is None:
        found.append(required(f"{path}.resources[storage]"))
    elif parse(wanted).nanos <= 0:
        found.append(invalid(f"{path}.resources[storage]", str(parse(wanted)), _POSITIVE))
    if spec.storage_class_name:
        found += formatted(f"{path}.storageClassName", spec.storage_class_name, dns_subdomain)
    if spec.volume_mode is not None:
        found += one_of(f"{path}.volumeMode", spec.volume_mode, _VOLUME_MODES)
    if (source := spec.data_source) is not None:
        for name, value in (("name", source.name), ("kind", source.kind)):
            if not value:
                found.append(required(f"{path}.dataSource.{name}"))
        if not source.api_group and source.kind != "PersistentVolumeClaim":
            why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            found.append(invalid(f"{path}.dataSource", source.kind, why))
    return found


def validate_claim_update(new: core.PersistentVolumeClaim, old: core.PersistentVolumeClaim) -> Errors:
    found = validate_claim(new)
    before, after = old.spec, new.spec
    if not before.volume_name:  # set once, by the binder
        before = replace(before, volume_name=after.volume_name)
    if before.storage_class_name is None:
        before = replace(before, storage_class_name=after.storage_class_name)
    fixed = replace(after, volume_attributes_class_name=before.volume_attributes_class_name)
    if old.status.phase == "Bound":
        fixed = replace(fixed, resources=replace(fixed.resources, requests=before.resources.requests))
    if fixed != before:
        found.append(forbidden("spec", f"{_CLAIM_FIXED}\n"))
        return found
    asked, has = after.resources.requests.get("storage"), old.spec.resources.requests.get("storage")
    if asked is not None and has is not None and parse(asked) < parse(has):
        capacity = old.status.capacity.get("storage")
        if capacity is None or parse(asked) <= parse(capacity):
            why = "field can not be less than status.capacity"
            found.append(forbidden("spec.resources.requests.storage", why))
    return found


def validate_storage_class(class_: storage.StorageClass) -> Errors:
    found: Errors = []
    if not class_.provisioner:
        found.append(required("provisioner"))
    else:
        found += formatted("provisioner", class_.provisioner.lower(), qualified_name)
    if any(not name for name in class_.parameters):
        found.append(invalid("parameters", "", "field can not be empty."))
    if class_.reclaim_policy:
        found += one_of("reclaimPolicy", class_.reclaim_policy, ("Delete", "Retain"))
    mode = class_.volume_binding_mode
    if mode is None:
        return [*found, required("volumeBindingMode")]
    return found + one_of("volumeBindingMode", mode, ("Immediate", "WaitForFirstConsumer"))


def validate_storage_class_update(new: storage.StorageClass, old: storage.StorageClass) -> Errors:
    found = validate_storage_class(new)
    for name, after, before in (
        ("parameters", dict(new.parameters), dict(old.parameters)),
        ("provisioner", new.provisioner, old.provisioner),
        ("reclaimPolicy", new.reclaim_policy, old.reclaim_policy),
    ):
        if after != before:
            found.append(forbidden(name, f"updates to {name} are forbidden."))
    return found + immutable("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode)
