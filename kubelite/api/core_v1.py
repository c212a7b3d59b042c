"""The typed objects of v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 core/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import (
    Condition,
    IntOrString,
    LabelSelector,
    MicroTime,
    Object,
    ObjectMeta,
    OwnerReference,
    Quantity,
    Time,
    TypedValue,
    Value,
    merge,
)


class VolumeSource(Value):
    host_path: HostPathVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = field(default=None, name="downwardAPI")
    fc: FCVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = field(default=None, name="scaleIO")
    storageos: StorageOSVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    image: ImageVolumeSource | None = None


class Volume(VolumeSource):
    name: str = field(default_factory=str)


class PersistentVolumeClaimVolumeSource(Value):
    claim_name: str = field(default_factory=str)
    read_only: bool = False


class PersistentVolumeSource(Value):
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    cephfs: CephFSPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = field(default=None, name="scaleIO")
    local: LocalVolumeSource | None = None
    storageos: StorageOSPersistentVolumeSource | None = None
    csi: CSIPersistentVolumeSource | None = None


class PersistentVolumeSpec(PersistentVolumeSource):
    capacity: Mapping[str, Quantity] = field(default_factory=dict)
    access_modes: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    claim_ref: Annotated[ObjectReference | None, merge(map_type="granular")] = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    mount_options: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    volume_mode: str | None = None
    node_affinity: VolumeNodeAffinity | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeStatus(Value):
    phase: str = ""
    message: str = ""
    reason: str = ""
    last_phase_transition_time: Time | None = None


class PersistentVolume(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PersistentVolume"
    spec: PersistentVolumeSpec = field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = field(default_factory=PersistentVolumeStatus)


class VolumeNodeAffinity(Value):
    required: NodeSelector | None = None


class VolumeResourceRequirements(Value):
    limits: Mapping[str, Quantity] = field(default_factory=dict)
    requests: Mapping[str, Quantity] = field(default_factory=dict)


class PersistentVolumeClaimSpec(Value):
    access_modes: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    selector: LabelSelector | None = None
    resources: VolumeResourceRequirements = field(default_factory=VolumeResourceRequirements)
    volume_name: str = ""
    storage_class_name: str | None = None
    volume_mode: str | None = None
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaimStatus(Value):
    phase: str = ""
    access_modes: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    capacity: Mapping[str, Quantity] = field(default_factory=dict)
    conditions: Annotated[
        tuple[PersistentVolumeClaimCondition, ...],
        merge(patch="merge", merge_key="type", list_type="map", keys=("type",)),
    ] = ()
    allocated_resources: Mapping[str, Quantity] = field(default_factory=dict)
    allocated_resource_statuses: Annotated[Mapping[str, str], merge(map_type="granular")] = field(default_factory=dict)
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: ModifyVolumeStatus | None = None


class PersistentVolumeClaim(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PersistentVolumeClaim"
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = field(default_factory=PersistentVolumeClaimStatus)


class TypedObjectReference(Value):
    api_group: str | None = None
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)
    namespace: str | None = None


class ModifyVolumeStatus(Value):
    target_volume_attributes_class_name: str = ""
    status: str = field(default_factory=str)


class PersistentVolumeClaimCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class HostPathVolumeSource(Value):
    path: str = field(default_factory=str)
    type: str | None = None


class EmptyDirVolumeSource(Value):
    medium: str = ""
    size_limit: Quantity | None = None


class GlusterfsVolumeSource(Value):
    endpoints: str = field(default_factory=str)
    path: str = field(default_factory=str)
    read_only: bool = False


class GlusterfsPersistentVolumeSource(Value):
    endpoints: str = field(default_factory=str)
    path: str = field(default_factory=str)
    read_only: bool = False
    endpoints_namespace: str | None = None


class RBDVolumeSource(Value):
    monitors: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    image: str = field(default_factory=str)
    fs_type: str = ""
    pool: str = ""
    user: str = ""
    keyring: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False


class RBDPersistentVolumeSource(Value):
    monitors: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    image: str = field(default_factory=str)
    fs_type: str = ""
    pool: str = ""
    user: str = ""
    keyring: str = ""
    secret_ref: SecretReference | None = None
    read_only: bool = False


class CinderVolumeSource(Value):
    volume_id: str = field(default_factory=str, name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class CinderPersistentVolumeSource(Value):
    volume_id: str = field(default_factory=str, name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None


class CephFSVolumeSource(Value):
    monitors: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    path: str = ""
    user: str = ""
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False


class SecretReference(Value):
    name: str = ""
    namespace: str = ""


class CephFSPersistentVolumeSource(Value):
    monitors: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    path: str = ""
    user: str = ""
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    read_only: bool = False


class FlockerVolumeSource(Value):
    dataset_name: str = ""
    dataset_uuid: str = field(default="", name="datasetUUID")


class GCEPersistentDiskVolumeSource(Value):
    pd_name: str = field(default_factory=str)
    fs_type: str = ""
    partition: int = 0
    read_only: bool = False


class QuobyteVolumeSource(Value):
    registry: str = field(default_factory=str)
    volume: str = field(default_factory=str)
    read_only: bool = False
    user: str = ""
    group: str = ""
    tenant: str = ""


class FlexPersistentVolumeSource(Value):
    driver: str = field(default_factory=str)
    fs_type: str = ""
    secret_ref: SecretReference | None = None
    read_only: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


class FlexVolumeSource(Value):
    driver: str = field(default_factory=str)
    fs_type: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


class AWSElasticBlockStoreVolumeSource(Value):
    volume_id: str = field(default_factory=str, name="volumeID")
    fs_type: str = ""
    partition: int = 0
    read_only: bool = False


class GitRepoVolumeSource(Value):
    repository: str = field(default_factory=str)
    revision: str = ""
    directory: str = ""


class SecretVolumeSource(Value):
    secret_name: str = ""
    items: Annotated[tuple[KeyToPath, ...], merge(list_type="atomic")] = ()
    default_mode: int | None = None
    optional: bool | None = None


class LocalObjectReference(Value):
    name: str = ""


class SecretProjection(LocalObjectReference):
    items: Annotated[tuple[KeyToPath, ...], merge(list_type="atomic")] = ()
    optional: bool | None = None


class NFSVolumeSource(Value):
    server: str = field(default_factory=str)
    path: str = field(default_factory=str)
    read_only: bool = False


class ISCSIVolumeSource(Value):
    target_portal: str = field(default_factory=str)
    iqn: str = field(default_factory=str)
    lun: int = field(default_factory=int)
    iscsi_interface: str = ""
    fs_type: str = ""
    read_only: bool = False
    portals: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    secret_ref: LocalObjectReference | None = None
    initiator_name: str | None = None


class ISCSIPersistentVolumeSource(Value):
    target_portal: str = field(default_factory=str)
    iqn: str = field(default_factory=str)
    lun: int = field(default_factory=int)
    iscsi_interface: str = ""
    fs_type: str = ""
    read_only: bool = False
    portals: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    secret_ref: SecretReference | None = None
    initiator_name: str | None = None


class FCVolumeSource(Value):
    target_ww_ns: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(default=(), name="targetWWNs")
    lun: int | None = None
    fs_type: str = ""
    read_only: bool = False
    wwids: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class AzureFileVolumeSource(Value):
    secret_name: str = field(default_factory=str)
    share_name: str = field(default_factory=str)
    read_only: bool = False


class AzureFilePersistentVolumeSource(Value):
    secret_name: str = field(default_factory=str)
    share_name: str = field(default_factory=str)
    read_only: bool = False
    secret_namespace: str | None = None


class VsphereVirtualDiskVolumeSource(Value):
    volume_path: str = field(default_factory=str)
    fs_type: str = ""
    storage_policy_name: str = ""
    storage_policy_id: str = field(default="", name="storagePolicyID")


class PhotonPersistentDiskVolumeSource(Value):
    pd_id: str = field(default_factory=str, name="pdID")
    fs_type: str = ""


class AzureDiskVolumeSource(Value):
    disk_name: str = field(default_factory=str)
    disk_uri: str = field(default_factory=str, name="diskURI")
    caching_mode: str | None = None
    fs_type: str | None = None
    read_only: bool | None = None
    kind: str | None = None


class PortworxVolumeSource(Value):
    volume_id: str = field(default_factory=str, name="volumeID")
    fs_type: str = ""
    read_only: bool = False


class ScaleIOVolumeSource(Value):
    gateway: str = field(default_factory=str)
    system: str = field(default_factory=str)
    secret_ref: LocalObjectReference | None = None
    ssl_enabled: bool = False
    protection_domain: str = ""
    storage_pool: str = ""
    storage_mode: str = ""
    volume_name: str = ""
    fs_type: str = ""
    read_only: bool = False


class ScaleIOPersistentVolumeSource(Value):
    gateway: str = field(default_factory=str)
    system: str = field(default_factory=str)
    secret_ref: SecretReference | None = None
    ssl_enabled: bool = False
    protection_domain: str = ""
    storage_pool: str = ""
    storage_mode: str = ""
    volume_name: str = ""
    fs_type: str = ""
    read_only: bool = False


class StorageOSVolumeSource(Value):
    volume_name: str = ""
    volume_namespace: str = ""
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class StorageOSPersistentVolumeSource(Value):
    volume_name: str = ""
    volume_namespace: str = ""
    fs_type: str = ""
    read_only: bool = False
    secret_ref: ObjectReference | None = None


class ConfigMapVolumeSource(LocalObjectReference):
    items: Annotated[tuple[KeyToPath, ...], merge(list_type="atomic")] = ()
    default_mode: int | None = None
    optional: bool | None = None


class ConfigMapProjection(LocalObjectReference):
    items: Annotated[tuple[KeyToPath, ...], merge(list_type="atomic")] = ()
    optional: bool | None = None


class ServiceAccountTokenProjection(Value):
    audience: str = ""
    expiration_seconds: int | None = None
    path: str = field(default_factory=str)


class ClusterTrustBundleProjection(Value):
    name: str | None = None
    signer_name: str | None = None
    label_selector: LabelSelector | None = None
    optional: bool | None = None
    path: str = field(default_factory=str)


class ProjectedVolumeSource(Value):
    sources: Annotated[tuple[VolumeProjection, ...], merge(list_type="atomic")] = ()
    default_mode: int | None = None


class VolumeProjection(Value):
    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = field(default=None, name="downwardAPI")
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None


class KeyToPath(Value):
    key: str = field(default_factory=str)
    path: str = field(default_factory=str)
    mode: int | None = None


class LocalVolumeSource(Value):
    path: str = field(default_factory=str)
    fs_type: str | None = None


class CSIPersistentVolumeSource(Value):
    driver: str = field(default_factory=str)
    volume_handle: str = field(default_factory=str)
    read_only: bool = False
    fs_type: str = ""
    volume_attributes: Mapping[str, str] = field(default_factory=dict)
    controller_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    controller_expand_secret_ref: SecretReference | None = None
    node_expand_secret_ref: SecretReference | None = None


class CSIVolumeSource(Value):
    driver: str = field(default_factory=str)
    read_only: bool | None = None
    fs_type: str | None = None
    volume_attributes: Mapping[str, str] = field(default_factory=dict)
    node_publish_secret_ref: LocalObjectReference | None = None


class EphemeralVolumeSource(Value):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class PersistentVolumeClaimTemplate(Value):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)


class ContainerPort(Value):
    name: str = ""
    host_port: int = 0
    container_port: int = field(default_factory=int)
    protocol: str = ""
    host_ip: str = field(default="", name="hostIP")


class VolumeMount(Value):
    name: str = field(default_factory=str)
    read_only: bool = False
    recursive_read_only: str | None = None
    mount_path: str = field(default_factory=str)
    sub_path: str = ""
    mount_propagation: str | None = None
    sub_path_expr: str = ""


class VolumeDevice(Value):
    name: str = field(default_factory=str)
    device_path: str = field(default_factory=str)


class EnvVar(Value):
    name: str = field(default_factory=str)
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvVarSource(Value):
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class ObjectFieldSelector(Value):
    api_version: str = ""
    field_path: str = field(default_factory=str)


class ResourceFieldSelector(Value):
    container_name: str = ""
    resource: str = field(default_factory=str)
    divisor: Quantity = ""


class ConfigMapKeySelector(LocalObjectReference):
    key: str = field(default_factory=str)
    optional: bool | None = None


class SecretKeySelector(LocalObjectReference):
    key: str = field(default_factory=str)
    optional: bool | None = None


class EnvFromSource(Value):
    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


class ConfigMapEnvSource(LocalObjectReference):
    optional: bool | None = None


class SecretEnvSource(LocalObjectReference):
    optional: bool | None = None


class HTTPHeader(Value):
    name: str = field(default_factory=str)
    value: str = field(default_factory=str)


class HTTPGetAction(Value):
    path: str = ""
    port: IntOrString = 0
    host: str = ""
    scheme: str = ""
    http_headers: Annotated[tuple[HTTPHeader, ...], merge(list_type="atomic")] = ()


class TCPSocketAction(Value):
    port: IntOrString = 0
    host: str = ""


class GRPCAction(Value):
    port: int = field(default_factory=int)
    service: str | None = None


class ExecAction(Value):
    command: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class SleepAction(Value):
    seconds: int = field(default_factory=int)


class ProbeHandler(Value):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None


class Probe(ProbeHandler):
    initial_delay_seconds: int = 0
    timeout_seconds: int = 0
    period_seconds: int = 0
    success_threshold: int = 0
    failure_threshold: int = 0
    termination_grace_period_seconds: int | None = None


class ContainerResizePolicy(Value):
    resource_name: str = field(default_factory=str)
    restart_policy: str = field(default_factory=str)


class Capabilities(Value):
    add: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    drop: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class ResourceRequirements(Value):
    limits: Mapping[str, Quantity] = field(default_factory=dict)
    requests: Mapping[str, Quantity] = field(default_factory=dict)
    claims: Annotated[tuple[ResourceClaim, ...], merge(list_type="map", keys=("name",))] = ()


class ResourceClaim(Value):
    name: str = field(default_factory=str)
    request: str = ""


class Container(Value):
    name: str = field(default_factory=str)
    image: str = ""
    command: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    args: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    working_dir: str = ""
    ports: Annotated[
        tuple[ContainerPort, ...],
        merge(patch="merge", merge_key="containerPort", list_type="map", keys=("containerPort", "protocol")),
    ] = ()
    env_from: Annotated[tuple[EnvFromSource, ...], merge(list_type="atomic")] = ()
    env: Annotated[tuple[EnvVar, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    resize_policy: Annotated[tuple[ContainerResizePolicy, ...], merge(list_type="atomic")] = ()
    restart_policy: str | None = None
    volume_mounts: Annotated[
        tuple[VolumeMount, ...], merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = ()
    volume_devices: Annotated[
        tuple[VolumeDevice, ...], merge(patch="merge", merge_key="devicePath", list_type="map", keys=("devicePath",))
    ] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class LifecycleHandler(Value):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Value):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class ContainerStateWaiting(Value):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(Value):
    started_at: Time | None = None


class ContainerStateTerminated(Value):
    exit_code: int = field(default_factory=int)
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: Time | None = None
    finished_at: Time | None = None
    container_id: str = field(default="", name="containerID")


class ContainerState(Value):
    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Value):
    name: str = field(default_factory=str)
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)
    ready: bool = field(default_factory=bool)
    restart_count: int = field(default_factory=int)
    image: str = field(default_factory=str)
    image_id: str = field(default_factory=str, name="imageID")
    container_id: str = field(default="", name="containerID")
    started: bool | None = None
    allocated_resources: Mapping[str, Quantity] = field(default_factory=dict)
    resources: ResourceRequirements | None = None
    volume_mounts: Annotated[
        tuple[VolumeMountStatus, ...], merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = ()
    user: ContainerUser | None = None
    allocated_resources_status: Annotated[
        tuple[ResourceStatus, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    stop_signal: str | None = None


class ResourceStatus(Value):
    name: str = field(default_factory=str)
    resources: Annotated[tuple[ResourceHealth, ...], merge(list_type="map", keys=("resourceID",))] = ()


class ResourceHealth(Value):
    resource_id: str = field(default_factory=str, name="resourceID")
    health: str = ""


class ContainerUser(Value):
    linux: LinuxContainerUser | None = None


class LinuxContainerUser(Value):
    uid: int = field(default_factory=int)
    gid: int = field(default_factory=int)
    supplemental_groups: Annotated[tuple[int, ...], merge(list_type="atomic")] = ()


class PodCondition(Value):
    type: str = field(default_factory=str)
    observed_generation: int = 0
    status: str = field(default_factory=str)
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class VolumeMountStatus(Value):
    name: str = field(default_factory=str)
    mount_path: str = field(default_factory=str)
    read_only: bool = False
    recursive_read_only: str | None = None


class NodeSelector(Value):
    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], merge(list_type="atomic")] = ()


class NodeSelectorTerm(Value):
    match_expressions: Annotated[tuple[NodeSelectorRequirement, ...], merge(list_type="atomic")] = ()
    match_fields: Annotated[tuple[NodeSelectorRequirement, ...], merge(list_type="atomic")] = ()


class NodeSelectorRequirement(Value):
    key: str = field(default_factory=str)
    operator: str = field(default_factory=str)
    values: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class TopologySelectorTerm(Value):
    match_label_expressions: Annotated[tuple[TopologySelectorLabelRequirement, ...], merge(list_type="atomic")] = ()


class TopologySelectorLabelRequirement(Value):
    key: str = field(default_factory=str)
    values: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class Affinity(Value):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class PodAffinity(Value):
    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodAffinityTerm, ...], merge(list_type="atomic")
    ] = ()
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], merge(list_type="atomic")
    ] = ()


class PodAntiAffinity(Value):
    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodAffinityTerm, ...], merge(list_type="atomic")
    ] = ()
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], merge(list_type="atomic")
    ] = ()


class PodAffinityTerm(Value):
    label_selector: LabelSelector | None = None
    namespaces: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    topology_key: str = field(default_factory=str)
    namespace_selector: LabelSelector | None = None
    match_label_keys: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    mismatch_label_keys: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class WeightedPodAffinityTerm(Value):
    weight: int = field(default_factory=int)
    pod_affinity_term: PodAffinityTerm = field(default_factory=PodAffinityTerm)


class NodeAffinity(Value):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredSchedulingTerm, ...], merge(list_type="atomic")
    ] = ()


class PreferredSchedulingTerm(Value):
    weight: int = field(default_factory=int)
    preference: NodeSelectorTerm = field(default_factory=NodeSelectorTerm)


class Taint(Value):
    key: str = field(default_factory=str)
    value: str = ""
    effect: str = field(default_factory=str)
    time_added: Time | None = None


class Toleration(Value):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class PodReadinessGate(Value):
    condition_type: str = field(default_factory=str)


class PodSpec(Value):
    volumes: Annotated[
        tuple[Volume, ...], merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    init_containers: Annotated[
        tuple[Container, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    containers: Annotated[
        tuple[Container, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    ephemeral_containers: Annotated[
        tuple[EphemeralContainer, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    restart_policy: str = ""
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    dns_policy: str = ""
    node_selector: Annotated[Mapping[str, str], merge(map_type="atomic")] = field(default_factory=dict)
    service_account_name: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    node_name: str = ""
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    share_process_namespace: bool | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: Annotated[
        tuple[LocalObjectReference, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    hostname: str = ""
    subdomain: str = ""
    affinity: Affinity | None = None
    scheduler_name: str = ""
    tolerations: Annotated[tuple[Toleration, ...], merge(list_type="atomic")] = ()
    host_aliases: Annotated[
        tuple[HostAlias, ...], merge(patch="merge", merge_key="ip", list_type="map", keys=("ip",))
    ] = ()
    priority_class_name: str = ""
    priority: int | None = None
    dns_config: PodDNSConfig | None = None
    readiness_gates: Annotated[tuple[PodReadinessGate, ...], merge(list_type="atomic")] = ()
    runtime_class_name: str | None = None
    enable_service_links: bool | None = None
    preemption_policy: str | None = None
    overhead: Mapping[str, Quantity] = field(default_factory=dict)
    topology_spread_constraints: Annotated[
        tuple[TopologySpreadConstraint, ...],
        merge(patch="merge", merge_key="topologyKey", list_type="map", keys=("topologyKey", "whenUnsatisfiable")),
    ] = ()
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    os: PodOS | None = None
    host_users: bool | None = None
    scheduling_gates: Annotated[
        tuple[PodSchedulingGate, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    resource_claims: Annotated[
        tuple[PodResourceClaim, ...], merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    resources: ResourceRequirements | None = None


class PodResourceClaim(Value):
    name: str = field(default_factory=str)
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodResourceClaimStatus(Value):
    name: str = field(default_factory=str)
    resource_claim_name: str | None = None


class PodOS(Value):
    name: str = field(default_factory=str)


class PodSchedulingGate(Value):
    name: str = field(default_factory=str)


class TopologySpreadConstraint(Value):
    max_skew: int = field(default_factory=int)
    topology_key: str = field(default_factory=str)
    when_unsatisfiable: str = field(default_factory=str)
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class HostAlias(Value):
    ip: str = field(default_factory=str)
    hostnames: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class PodSecurityContext(Value):
    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: Annotated[tuple[int, ...], merge(list_type="atomic")] = ()
    supplemental_groups_policy: str | None = None
    fs_group: int | None = None
    sysctls: Annotated[tuple[Sysctl, ...], merge(list_type="atomic")] = ()
    fs_group_change_policy: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    se_linux_change_policy: str | None = None


class SeccompProfile(Value):
    type: str = field(default_factory=str)
    localhost_profile: str | None = None


class AppArmorProfile(Value):
    type: str = field(default_factory=str)
    localhost_profile: str | None = None


class PodDNSConfig(Value):
    nameservers: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    searches: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    options: Annotated[tuple[PodDNSConfigOption, ...], merge(list_type="atomic")] = ()


class PodDNSConfigOption(Value):
    name: str = ""
    value: str | None = None


class PodIP(Value):
    ip: str = field(default_factory=str)


class HostIP(Value):
    ip: str = field(default_factory=str)


class EphemeralContainerCommon(Value):
    name: str = field(default_factory=str)
    image: str = ""
    command: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    args: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    working_dir: str = ""
    ports: Annotated[
        tuple[ContainerPort, ...],
        merge(patch="merge", merge_key="containerPort", list_type="map", keys=("containerPort", "protocol")),
    ] = ()
    env_from: Annotated[tuple[EnvFromSource, ...], merge(list_type="atomic")] = ()
    env: Annotated[tuple[EnvVar, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    resize_policy: Annotated[tuple[ContainerResizePolicy, ...], merge(list_type="atomic")] = ()
    restart_policy: str | None = None
    volume_mounts: Annotated[
        tuple[VolumeMount, ...], merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = ()
    volume_devices: Annotated[
        tuple[VolumeDevice, ...], merge(patch="merge", merge_key="devicePath", list_type="map", keys=("devicePath",))
    ] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class EphemeralContainer(EphemeralContainerCommon):
    target_container_name: str = ""


class PodStatus(Value):
    observed_generation: int = 0
    phase: str = ""
    conditions: Annotated[
        tuple[PodCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()
    message: str = ""
    reason: str = ""
    nominated_node_name: str = ""
    host_ip: str = field(default="", name="hostIP")
    host_ips: Annotated[tuple[HostIP, ...], merge(patch="merge", merge_key="ip", list_type="atomic")] = field(
        default=(), name="hostIPs"
    )
    pod_ip: str = field(default="", name="podIP")
    pod_ips: Annotated[tuple[PodIP, ...], merge(patch="merge", merge_key="ip", list_type="map", keys=("ip",))] = field(
        default=(), name="podIPs"
    )
    start_time: Time | None = None
    init_container_statuses: Annotated[tuple[ContainerStatus, ...], merge(list_type="atomic")] = ()
    container_statuses: Annotated[tuple[ContainerStatus, ...], merge(list_type="atomic")] = ()
    qos_class: str = ""
    ephemeral_container_statuses: Annotated[tuple[ContainerStatus, ...], merge(list_type="atomic")] = ()
    resize: str = ""
    resource_claim_statuses: Annotated[
        tuple[PodResourceClaimStatus, ...],
        merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",)),
    ] = ()


class PodStatusResult(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodStatusResult"
    status: PodStatus = field(default_factory=PodStatus)


class Pod(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Pod"
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Value):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)


class PodTemplate(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodTemplate"
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class ReplicationControllerSpec(Value):
    replicas: int | None = None
    min_ready_seconds: int = 0
    selector: Annotated[Mapping[str, str], merge(map_type="atomic")] = field(default_factory=dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerStatus(Value):
    replicas: int = field(default_factory=int)
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: Annotated[
        tuple[ReplicationControllerCondition, ...],
        merge(patch="merge", merge_key="type", list_type="map", keys=("type",)),
    ] = ()


class ReplicationControllerCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class ReplicationController(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ReplicationController"
    spec: ReplicationControllerSpec = field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = field(default_factory=ReplicationControllerStatus)


class SessionAffinityConfig(Value):
    client_ip: ClientIPConfig | None = field(default=None, name="clientIP")


class ClientIPConfig(Value):
    timeout_seconds: int | None = None


class LoadBalancerStatus(Value):
    ingress: Annotated[tuple[LoadBalancerIngress, ...], merge(list_type="atomic")] = ()


class ServiceStatus(Value):
    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)
    conditions: Annotated[
        tuple[Condition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class LoadBalancerIngress(Value):
    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: Annotated[tuple[PortStatus, ...], merge(list_type="atomic")] = ()


class ServiceSpec(Value):
    ports: Annotated[
        tuple[ServicePort, ...], merge(patch="merge", merge_key="port", list_type="map", keys=("port", "protocol"))
    ] = ()
    selector: Annotated[Mapping[str, str], merge(map_type="atomic")] = field(default_factory=dict)
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(default=(), name="clusterIPs")
    type: str = ""
    external_ips: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(default=(), name="externalIPs")
    session_affinity: str = ""
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int = 0
    publish_not_ready_addresses: bool = False
    session_affinity_config: SessionAffinityConfig | None = None
    ip_families: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    ip_family_policy: str | None = None
    allocate_load_balancer_node_ports: bool | None = None
    load_balancer_class: str | None = None
    internal_traffic_policy: str | None = None
    traffic_distribution: str | None = None


class ServicePort(Value):
    name: str = ""
    protocol: str = ""
    app_protocol: str | None = None
    port: int = field(default_factory=int)
    target_port: IntOrString = 0
    node_port: int = 0


class Service(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Service"
    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)


class ServiceAccount(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ServiceAccount"
    secrets: Annotated[
        tuple[ObjectReference, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    image_pull_secrets: Annotated[tuple[LocalObjectReference, ...], merge(list_type="atomic")] = ()
    automount_service_account_token: bool | None = None


class Endpoints(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Endpoints"
    subsets: Annotated[tuple[EndpointSubset, ...], merge(list_type="atomic")] = ()


class EndpointSubset(Value):
    addresses: Annotated[tuple[EndpointAddress, ...], merge(list_type="atomic")] = ()
    not_ready_addresses: Annotated[tuple[EndpointAddress, ...], merge(list_type="atomic")] = ()
    ports: Annotated[tuple[EndpointPort, ...], merge(list_type="atomic")] = ()


class EndpointAddress(Value):
    ip: str = field(default_factory=str)
    hostname: str = ""
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Value):
    name: str = ""
    port: int = field(default_factory=int)
    protocol: str = ""
    app_protocol: str | None = None


class NodeSpec(Value):
    pod_cidr: str = field(default="", name="podCIDR")
    pod_cidrs: Annotated[tuple[str, ...], merge(patch="merge", list_type="set")] = field(default=(), name="podCIDRs")
    provider_id: str = field(default="", name="providerID")
    unschedulable: bool = False
    taints: Annotated[tuple[Taint, ...], merge(list_type="atomic")] = ()
    config_source: NodeConfigSource | None = None
    external_id: str = field(default="", name="externalID")


class NodeConfigSource(Value):
    config_map: ConfigMapNodeConfigSource | None = None


class ConfigMapNodeConfigSource(Value):
    namespace: str = field(default_factory=str)
    name: str = field(default_factory=str)
    uid: str = ""
    resource_version: str = ""
    kubelet_config_key: str = field(default_factory=str)


class DaemonEndpoint(Value):
    port: int = field(default_factory=int, name="Port")


class NodeDaemonEndpoints(Value):
    kubelet_endpoint: DaemonEndpoint = field(default_factory=DaemonEndpoint)


class NodeRuntimeHandlerFeatures(Value):
    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Value):
    name: str = field(default_factory=str)
    features: NodeRuntimeHandlerFeatures | None = None


class NodeFeatures(Value):
    supplemental_groups_policy: bool | None = None


class NodeSystemInfo(Value):
    machine_id: str = field(default_factory=str, name="machineID")
    system_uuid: str = field(default_factory=str, name="systemUUID")
    boot_id: str = field(default_factory=str, name="bootID")
    kernel_version: str = field(default_factory=str)
    os_image: str = field(default_factory=str)
    container_runtime_version: str = field(default_factory=str)
    kubelet_version: str = field(default_factory=str)
    kube_proxy_version: str = field(default_factory=str)
    operating_system: str = field(default_factory=str)
    architecture: str = field(default_factory=str)
    swap: NodeSwapStatus | None = None


class NodeSwapStatus(Value):
    capacity: int | None = None


class NodeConfigStatus(Value):
    assigned: NodeConfigSource | None = None
    active: NodeConfigSource | None = None
    last_known_good: NodeConfigSource | None = None
    error: str = ""


class NodeStatus(Value):
    capacity: Mapping[str, Quantity] = field(default_factory=dict)
    allocatable: Mapping[str, Quantity] = field(default_factory=dict)
    phase: str = ""
    conditions: Annotated[
        tuple[NodeCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()
    addresses: Annotated[
        tuple[NodeAddress, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()
    daemon_endpoints: NodeDaemonEndpoints = field(default_factory=NodeDaemonEndpoints)
    node_info: NodeSystemInfo = field(default_factory=NodeSystemInfo)
    images: Annotated[tuple[ContainerImage, ...], merge(list_type="atomic")] = ()
    volumes_in_use: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    volumes_attached: Annotated[tuple[AttachedVolume, ...], merge(list_type="atomic")] = ()
    config: NodeConfigStatus | None = None
    runtime_handlers: Annotated[tuple[NodeRuntimeHandler, ...], merge(list_type="atomic")] = ()
    features: NodeFeatures | None = None


class AttachedVolume(Value):
    name: str = field(default_factory=str)
    device_path: str = field(default_factory=str)


class AvoidPods(Value):
    prefer_avoid_pods: Annotated[tuple[PreferAvoidPodsEntry, ...], merge(list_type="atomic")] = ()


class PodSignature(Value):
    pod_controller: OwnerReference | None = None


class PreferAvoidPodsEntry(Value):
    pod_signature: PodSignature = field(default_factory=PodSignature)
    eviction_time: Time | None = None
    reason: str = ""
    message: str = ""


class ContainerImage(Value):
    names: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    size_bytes: int = 0


class NodeCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_heartbeat_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class NodeAddress(Value):
    type: str = field(default_factory=str)
    address: str = field(default_factory=str)


class Node(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Node"
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class NamespaceSpec(Value):
    finalizers: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class NamespaceStatus(Value):
    phase: str = ""
    conditions: Annotated[
        tuple[NamespaceCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class NamespaceCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class Namespace(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Namespace"
    spec: NamespaceSpec = field(default_factory=NamespaceSpec)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


class ObjectReference(Value):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""
    field_path: str = ""


class Binding(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Binding"
    target: ObjectReference = field(default_factory=ObjectReference)


class Preconditions(Value):
    uid: str | None = None


class PodLogOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodLogOptions"
    container: str = ""
    follow: bool = False
    previous: bool = False
    since_seconds: int | None = None
    since_time: Time | None = None
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    insecure_skip_tls_verify_backend: bool = field(default=False, name="insecureSkipTLSVerifyBackend")
    stream: str | None = None


class PodAttachOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodAttachOptions"
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""


class PodExecOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodExecOptions"
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    container: str = ""
    command: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class PodPortForwardOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodPortForwardOptions"
    ports: Annotated[tuple[int, ...], merge(list_type="atomic")] = ()


class PodProxyOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "PodProxyOptions"
    path: str = ""


class NodeProxyOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "NodeProxyOptions"
    path: str = ""


class ServiceProxyOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ServiceProxyOptions"
    path: str = ""


class TypedLocalObjectReference(Value):
    api_group: str | None = None
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)


class SerializedReference(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "SerializedReference"
    reference: ObjectReference = field(default_factory=ObjectReference)


class EventSource(Value):
    component: str = ""
    host: str = ""


class Event(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Event"
    involved_object: ObjectReference = field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    source: EventSource = field(default_factory=EventSource)
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    count: int = 0
    type: str = ""
    event_time: MicroTime | None = None
    series: EventSeries | None = None
    action: str = ""
    related: ObjectReference | None = None
    reporting_component: str = field(default_factory=str)
    reporting_instance: str = field(default_factory=str)


class EventSeries(Value):
    count: int = 0
    last_observed_time: MicroTime | None = None


class LimitRangeItem(Value):
    type: str = field(default_factory=str)
    max: Mapping[str, Quantity] = field(default_factory=dict)
    min: Mapping[str, Quantity] = field(default_factory=dict)
    default: Mapping[str, Quantity] = field(default_factory=dict)
    default_request: Mapping[str, Quantity] = field(default_factory=dict)
    max_limit_request_ratio: Mapping[str, Quantity] = field(default_factory=dict)


class LimitRangeSpec(Value):
    limits: Annotated[tuple[LimitRangeItem, ...], merge(list_type="atomic")] = ()


class LimitRange(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "LimitRange"
    spec: LimitRangeSpec = field(default_factory=LimitRangeSpec)


class ResourceQuotaSpec(Value):
    hard: Mapping[str, Quantity] = field(default_factory=dict)
    scopes: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    scope_selector: ScopeSelector | None = None


class ScopeSelector(Value):
    match_expressions: Annotated[tuple[ScopedResourceSelectorRequirement, ...], merge(list_type="atomic")] = ()


class ScopedResourceSelectorRequirement(Value):
    scope_name: str = field(default_factory=str)
    operator: str = field(default_factory=str)
    values: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class ResourceQuotaStatus(Value):
    hard: Mapping[str, Quantity] = field(default_factory=dict)
    used: Mapping[str, Quantity] = field(default_factory=dict)


class ResourceQuota(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ResourceQuota"
    spec: ResourceQuotaSpec = field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = field(default_factory=ResourceQuotaStatus)


class Secret(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Secret"
    immutable: bool | None = None
    data: Mapping[str, bytes] = field(default_factory=dict)
    string_data: Mapping[str, str] = field(default_factory=dict)
    type: str = ""


class ConfigMap(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ConfigMap"
    immutable: bool | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    binary_data: Mapping[str, bytes] = field(default_factory=dict)


class ComponentCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    message: str = ""
    error: str = ""


class ComponentStatus(Object):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "ComponentStatus"
    conditions: Annotated[
        tuple[ComponentCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class DownwardAPIVolumeSource(Value):
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], merge(list_type="atomic")] = ()
    default_mode: int | None = None


class DownwardAPIVolumeFile(Value):
    path: str = field(default_factory=str)
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class DownwardAPIProjection(Value):
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], merge(list_type="atomic")] = ()


class SecurityContext(Value):
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None


class SELinuxOptions(Value):
    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class WindowsSecurityContextOptions(Value):
    gmsa_credential_spec_name: str | None = None
    gmsa_credential_spec: str | None = None
    run_as_user_name: str | None = None
    host_process: bool | None = None


class Sysctl(Value):
    name: str = field(default_factory=str)
    value: str = field(default_factory=str)


class PortStatus(Value):
    port: int = field(default_factory=int)
    protocol: str = field(default_factory=str)
    error: str | None = None


class ImageVolumeSource(Value):
    reference: str = ""
    pull_policy: str = ""
