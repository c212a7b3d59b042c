"""The typed objects of storage.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 storage/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.core_v1 import PersistentVolumeSpec, TopologySelectorTerm
from kubelite.api.meta import LabelSelector, Object, Quantity, Time, Value, merge


class StorageClass(Object):
    api_version: ClassVar[str] = "storage.k8s.io/v1"
    kind: ClassVar[str] = "StorageClass"
    provisioner: str = field(default_factory=str)
    parameters: Mapping[str, str] = field(default_factory=dict)
    reclaim_policy: str | None = None
    mount_options: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    allow_volume_expansion: bool | None = None
    volume_binding_mode: str | None = None
    allowed_topologies: Annotated[tuple[TopologySelectorTerm, ...], merge(list_type="atomic")] = ()


class VolumeAttachmentSource(Value):
    persistent_volume_name: str | None = None
    inline_volume_spec: PersistentVolumeSpec | None = None


class VolumeAttachmentSpec(Value):
    attacher: str = field(default_factory=str)
    source: VolumeAttachmentSource = field(default_factory=VolumeAttachmentSource)
    node_name: str = field(default_factory=str)


class VolumeAttachmentStatus(Value):
    attached: bool = field(default_factory=bool)
    attachment_metadata: Mapping[str, str] = field(default_factory=dict)
    attach_error: VolumeError | None = None
    detach_error: VolumeError | None = None


class VolumeAttachment(Object):
    api_version: ClassVar[str] = "storage.k8s.io/v1"
    kind: ClassVar[str] = "VolumeAttachment"
    spec: VolumeAttachmentSpec = field(default_factory=VolumeAttachmentSpec)
    status: VolumeAttachmentStatus = field(default_factory=VolumeAttachmentStatus)


class VolumeError(Value):
    time: Time | None = None
    message: str = ""
    error_code: int | None = None


class CSIDriverSpec(Value):
    attach_required: bool | None = None
    pod_info_on_mount: bool | None = None
    volume_lifecycle_modes: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    storage_capacity: bool | None = None
    fs_group_policy: str | None = None
    token_requests: Annotated[tuple[TokenRequest, ...], merge(list_type="atomic")] = ()
    requires_republish: bool | None = None
    se_linux_mount: bool | None = None
    node_allocatable_update_period_seconds: int | None = None


class CSIDriver(Object):
    api_version: ClassVar[str] = "storage.k8s.io/v1"
    kind: ClassVar[str] = "CSIDriver"
    spec: CSIDriverSpec = field(default_factory=CSIDriverSpec)


class TokenRequest(Value):
    audience: str = field(default_factory=str)
    expiration_seconds: int | None = None


class CSINodeSpec(Value):
    drivers: Annotated[
        tuple[CSINodeDriver, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class CSINode(Object):
    api_version: ClassVar[str] = "storage.k8s.io/v1"
    kind: ClassVar[str] = "CSINode"
    spec: CSINodeSpec = field(default_factory=CSINodeSpec)


class CSINodeDriver(Value):
    name: str = field(default_factory=str)
    node_id: str = field(default_factory=str, name="nodeID")
    topology_keys: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    allocatable: VolumeNodeResources | None = None


class VolumeNodeResources(Value):
    count: int | None = None


class CSIStorageCapacity(Object):
    api_version: ClassVar[str] = "storage.k8s.io/v1"
    kind: ClassVar[str] = "CSIStorageCapacity"
    node_topology: LabelSelector | None = None
    storage_class_name: str = field(default_factory=str)
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None
