"""The typed objects of apps/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 apps/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import field

from kubelite.api.core_v1 import PersistentVolumeClaim, PodTemplateSpec
from kubelite.api.meta import IntOrString, LabelSelector, Object, Time, Value, merge


class StatefulSetUpdateStrategy(Value):
    type: str = ""
    rolling_update: RollingUpdateStatefulSetStrategy | None = None


class StatefulSetSpec(Value):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    volume_claim_templates: Annotated[tuple[PersistentVolumeClaim, ...], merge(list_type="atomic")] = ()
    service_name: str = field(default_factory=str)
    pod_management_policy: str = ""
    update_strategy: StatefulSetUpdateStrategy = field(default_factory=StatefulSetUpdateStrategy)
    revision_history_limit: int | None = None
    min_ready_seconds: int = 0
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    ordinals: StatefulSetOrdinals | None = None


class StatefulSetStatus(Value):
    observed_generation: int = 0
    replicas: int = field(default_factory=int)
    ready_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    collision_count: int | None = None
    conditions: Annotated[
        tuple[StatefulSetCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()
    available_replicas: int = field(default_factory=int)


class StatefulSet(Object):
    api_version: ClassVar[str] = "apps/v1"
    kind: ClassVar[str] = "StatefulSet"
    spec: StatefulSetSpec = field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = field(default_factory=StatefulSetStatus)


class RollingUpdateStatefulSetStrategy(Value):
    partition: int | None = None
    max_unavailable: IntOrString | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Value):
    when_deleted: str = ""
    when_scaled: str = ""


class StatefulSetOrdinals(Value):
    start: int = field(default_factory=int)


class StatefulSetCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class DeploymentStrategy(Value):
    type: str = ""
    rolling_update: RollingUpdateDeployment | None = None


class DeploymentSpec(Value):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    strategy: Annotated[DeploymentStrategy, merge(patch="retainKeys")] = field(default_factory=DeploymentStrategy)
    min_ready_seconds: int = 0
    revision_history_limit: int | None = None
    paused: bool = False
    progress_deadline_seconds: int | None = None


class DeploymentStatus(Value):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int | None = None
    conditions: Annotated[
        tuple[DeploymentCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()
    collision_count: int | None = None


class Deployment(Object):
    api_version: ClassVar[str] = "apps/v1"
    kind: ClassVar[str] = "Deployment"
    spec: DeploymentSpec = field(default_factory=DeploymentSpec)
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


class RollingUpdateDeployment(Value):
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class DeploymentCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_update_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class DaemonSetUpdateStrategy(Value):
    type: str = ""
    rolling_update: RollingUpdateDaemonSet | None = None


class RollingUpdateDaemonSet(Value):
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class DaemonSetSpec(Value):
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    update_strategy: DaemonSetUpdateStrategy = field(default_factory=DaemonSetUpdateStrategy)
    min_ready_seconds: int = 0
    revision_history_limit: int | None = None


class DaemonSetStatus(Value):
    current_number_scheduled: int = field(default_factory=int)
    number_misscheduled: int = field(default_factory=int)
    desired_number_scheduled: int = field(default_factory=int)
    number_ready: int = field(default_factory=int)
    observed_generation: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    collision_count: int | None = None
    conditions: Annotated[
        tuple[DaemonSetCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class DaemonSetCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class DaemonSet(Object):
    api_version: ClassVar[str] = "apps/v1"
    kind: ClassVar[str] = "DaemonSet"
    spec: DaemonSetSpec = field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = field(default_factory=DaemonSetStatus)


class ReplicaSetSpec(Value):
    replicas: int | None = None
    min_ready_seconds: int = 0
    selector: LabelSelector | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class ReplicaSetStatus(Value):
    replicas: int = field(default_factory=int)
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    conditions: Annotated[
        tuple[ReplicaSetCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class ReplicaSet(Object):
    api_version: ClassVar[str] = "apps/v1"
    kind: ClassVar[str] = "ReplicaSet"
    spec: ReplicaSetSpec = field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)


class ReplicaSetCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class ControllerRevision(Object):
    api_version: ClassVar[str] = "apps/v1"
    kind: ClassVar[str] = "ControllerRevision"
    data: Any = None
    revision: int = field(default_factory=int)
