"""What each kind does with an object before it is written: what a client may set where, and what the server sets.

Pure decisions over frozen objects, called by `registry` in upstream's order; formats are checked by `api.validation`, values
left out are filled in by `api.defaults`. Most kinds follow `Strategy()`; the exceptions are the table at the end.
Source: k8s.io/kubernetes pkg/registry/*/*/strategy.go, k8s.io/apiserver pkg/registry/rest/{create,update}.go
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import (
    admissionregistration_v1 as admissionregistration,
    apiextensions_v1 as apiextensions,
    apiregistration_v1 as apiregistration,
    apps_v1 as apps,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1 as batch,
    certificates_v1 as certificates,
    coordination_v1 as coordination,
    core_v1 as core,
    events_v1 as events,
    flowcontrol_v1 as flowcontrol,
    networking_v1 as networking,
    node_v1 as node,
    policy_v1 as policy,
    rbac_v1 as rbac,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.custom import CustomObject
from kubelite.api.meta import Object, ObjectMeta
from kubelite.apiserver import custom_strategy as custom, strategy_certificates as requests, strategy_core as kinds
from kubelite.apiserver.strategy_service import update_service

#: (new) -> new, and (new, old) -> new.
Create = Callable[[Any], Any]
Update = Callable[[Any, Any], Any]


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind is written.

    `generation` says whether the kind counts changes of its spec. `create` and `update` run after the general rules.
    `default_finalizer` is what a deletion without a propagation policy leaves behind.
    """

    generation: bool = False
    counts_annotations: bool = False
    status: bool = True
    create: Create | None = None
    update: Update | None = None
    update_status: Update | None = None
    update_approval: Update | None = None
    create_on_update: bool = False
    unconditional_update: bool = True
    returns_deleted: bool = False
    graceful: bool = False
    default_finalizer: str = ""


def _create_api_service(service: Any) -> Any:
    from kubelite.api.apiservices import create_api_service

    return create_api_service(service)


_COUNTED = Strategy(generation=True)

STRATEGIES: dict[type[Object], Strategy] = {
    core.Pod: Strategy(
        generation=True,
        create=kinds.create_pod,
        update_status=kinds.update_pod_status,
        returns_deleted=True,
        graceful=True,
    ),
    core.Namespace: Strategy(
        create=kinds.create_namespace, update=kinds.update_namespace, update_status=kinds.update_namespace_status
    ),
    core.Node: Strategy(create=kinds.keep, update=kinds.update_node, status=False),
    core.Secret: Strategy(create=kinds.fold_string_data, update=lambda new, _: kinds.fold_string_data(new)),
    core.Service: Strategy(create_on_update=True, update=update_service, returns_deleted=True),
    core.ServiceAccount: Strategy(returns_deleted=True),
    core.Endpoints: Strategy(create_on_update=True),
    core.Event: Strategy(create_on_update=True),
    events.Event: Strategy(create_on_update=True),
    core.LimitRange: Strategy(create_on_update=True),
    core.PodTemplate: Strategy(generation=True, returns_deleted=True),
    core.ReplicationController: Strategy(generation=True, default_finalizer="orphan"),
    core.ResourceQuota: Strategy(returns_deleted=True),
    core.PersistentVolume: Strategy(create=kinds.create_volume, returns_deleted=True),
    core.PersistentVolumeClaim: Strategy(create=kinds.create_claim, returns_deleted=True),
    apps.Deployment: Strategy(generation=True, counts_annotations=True, update_status=kinds.keep_labels),
    apps.ReplicaSet: _COUNTED,
    apps.StatefulSet: _COUNTED,
    apps.DaemonSet: Strategy(generation=True, create=kinds.create_daemon_set, update=kinds.update_daemon_set),
    batch.Job: Strategy(generation=True, create=kinds.create_job, default_finalizer="orphan"),
    batch.CronJob: _COUNTED,
    policy.PodDisruptionBudget: Strategy(generation=True, unconditional_update=False),
    scheduling.PriorityClass: Strategy(generation=True),
    networking.Ingress: _COUNTED,
    networking.IngressClass: _COUNTED,
    networking.NetworkPolicy: _COUNTED,
    certificates.CertificateSigningRequest: Strategy(
        update=requests.update_request,
        update_status=requests.update_status,
        update_approval=requests.update_approval,
    ),
    coordination.Lease: Strategy(create_on_update=True, unconditional_update=False),
    rbac.Role: Strategy(create_on_update=True),
    rbac.RoleBinding: Strategy(create_on_update=True),
    rbac.ClusterRole: Strategy(create_on_update=True),
    rbac.ClusterRoleBinding: Strategy(create_on_update=True),
    node.RuntimeClass: Strategy(unconditional_update=False),
    storage.CSIDriver: Strategy(generation=True, unconditional_update=False, returns_deleted=True),
    storage.CSINode: Strategy(unconditional_update=False, returns_deleted=True),
    storage.CSIStorageCapacity: Strategy(unconditional_update=False),
    storage.StorageClass: Strategy(returns_deleted=True),
    storage.VolumeAttachment: Strategy(unconditional_update=False, returns_deleted=True),
    autoscaling_v1.HorizontalPodAutoscaler: Strategy(),
    autoscaling_v2.HorizontalPodAutoscaler: Strategy(),
    admissionregistration.MutatingWebhookConfiguration: Strategy(generation=True, unconditional_update=False),
    admissionregistration.ValidatingWebhookConfiguration: Strategy(generation=True, unconditional_update=False),
    admissionregistration.ValidatingAdmissionPolicy: Strategy(generation=True, unconditional_update=False),
    admissionregistration.ValidatingAdmissionPolicyBinding: Strategy(generation=True, unconditional_update=False),
    apiextensions.CustomResourceDefinition: Strategy(
        generation=True, unconditional_update=False, create=custom.created_definition, update=custom.updated_definition
    ),
    apiregistration.APIService: Strategy(create=_create_api_service, unconditional_update=False),
    flowcontrol.FlowSchema: Strategy(generation=True, unconditional_update=False),
    flowcontrol.PriorityLevelConfiguration: Strategy(generation=True, unconditional_update=False),
}

_DEFAULT = Strategy()
_CUSTOM = Strategy(
    generation=True,
    unconditional_update=False,
    status=False,
    create=custom.create_object,
    update=custom.update_object,
)


def strategy_of(type_: type[Object]) -> Strategy:
    if issubclass(type_, CustomObject):
        return _CUSTOM
    return STRATEGIES.get(type_, _DEFAULT)


def compute_created(obj: Any, *, name: str, uid: str, now: str) -> Any:
    """`obj` as it is to be created: identity and time set, what only the server may set cleared."""
    strategy = strategy_of(type(obj))
    meta: ObjectMeta = obj.metadata
    metadata = replace(
        meta,
        name=name,
        uid=uid,
        creation_timestamp=now,
        generation=1 if strategy.generation else meta.generation,
        self_link="",
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
    )
    if strategy.create is not None:
        return strategy.create(replace(obj, metadata=metadata))
    if strategy.status and (empty := _empty_status(obj)) is not None:
        return replace(obj, metadata=metadata, status=empty)
    return replace(obj, metadata=metadata)


def compute_updated(new: Any, old: Any, *, subresource: str = "") -> Any:
    """`new` with everything from `old` that the request may not change."""
    strategy = strategy_of(type(old))
    meta: ObjectMeta = new.metadata
    before: ObjectMeta = old.metadata
    metadata = replace(
        meta,
        uid=meta.uid or before.uid,
        creation_timestamp=before.creation_timestamp,
        generation=before.generation,
        self_link="",
        resource_version="",
        deletion_timestamp=before.deletion_timestamp or meta.deletion_timestamp,
        deletion_grace_period_seconds=before.deletion_grace_period_seconds
        if meta.deletion_grace_period_seconds is None
        else meta.deletion_grace_period_seconds,
    )
    new = replace(new, metadata=metadata)
    if subresource == "status":
        new = _with_spec(new, old)
        return strategy.update_status(new, old) if strategy.update_status else new
    if subresource == "approval" and strategy.update_approval is not None:
        return strategy.update_approval(new, old)
    if subresource == "finalize":
        return kinds.finalize_namespace(new, old)
    if subresource in ("ephemeralcontainers", "resize"):
        new = kinds.update_pod_subresource(new, old, subresource)
    elif strategy.status and _empty_status(old) is not None:
        new = replace(new, status=old.status)
    if strategy.update is not None:
        new = strategy.update(new, old)
    if strategy.generation and _counts(strategy, new, old):
        new = replace(new, metadata=replace(new.metadata, generation=before.generation + 1))
    return new


def _counts(strategy: Strategy, new: Any, old: Any) -> bool:
    if strategy.counts_annotations and new.metadata.annotations != old.metadata.annotations:
        return True
    skip = ("metadata", "status")
    return any(getattr(new, name) != getattr(old, name) for name in new.__struct_fields__ if name not in skip)


def _with_spec(new: Any, old: Any) -> Any:
    """Only status and metadata of `new`."""
    if isinstance(new, CustomObject):
        return custom.update_status(new, old)
    metadata = replace(new.metadata, owner_references=old.metadata.owner_references)
    return replace(old, metadata=metadata, status=new.status)


def _empty_status(obj: Any) -> Any:
    """The empty status of an object's kind; None if it has none, or one that is a single optional field."""
    kind: Any = type(obj)
    return _empty_status_of(kind)


@lru_cache(maxsize=256)
def _empty_status_of(type_: Any) -> Any:
    return type_().status if "status" in type_.__struct_fields__ else None
