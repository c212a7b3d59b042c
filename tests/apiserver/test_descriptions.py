"""Every kind and field is told in our own words, in a line each."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api import (
    apiextensions_v1 as apiextensions,
    apps_v1 as apps,
    autoscaling_v2 as autoscaling,
    batch_v1 as batch,
    core_v1 as core,
    discovery_v1 as discovery,
    networking_v1 as networking,
    policy_v1 as policy,
    rbac_v1 as rbac,
    storage_v1 as storage,
)
from kubelite.api.meta import DeleteOptions, ObjectMeta, Status
from kubelite.api.scheme import Scheme
from kubelite.api.shapes import Shape, fields_of
from kubelite.apiserver import descriptions
from kubelite.apiserver.descriptions import field_meaning, type_meaning

MOST_USED: tuple[Any, ...] = (
    *(core.Pod, core.Service, core.ConfigMap, core.Secret, core.Namespace, core.Node, core.ServiceAccount, core.Event),
    *(core.PersistentVolume, core.PersistentVolumeClaim, core.Endpoints, core.ResourceQuota, core.LimitRange),
    *(apps.Deployment, apps.ReplicaSet, apps.StatefulSet, apps.DaemonSet, batch.Job, batch.CronJob),
    *(networking.Ingress, networking.NetworkPolicy, discovery.EndpointSlice, autoscaling.HorizontalPodAutoscaler),
    *(rbac.Role, rbac.RoleBinding, rbac.ClusterRole, rbac.ClusterRoleBinding, policy.PodDisruptionBudget),
    *(storage.StorageClass, apiextensions.CustomResourceDefinition, ObjectMeta, Status, DeleteOptions),
)


def reached(types: Any) -> set[Any]:
    """The types and everything that their fields hold."""
    found: set[Any] = set()

    def visit(shape: Shape) -> None:
        if shape.kind == "struct":
            enter(shape.type)
        elif shape.kind in ("list", "map") and shape.item is not None:
            visit(shape.item)

    def enter(type_: Any) -> None:
        if type_ not in found:
            found.add(type_)
            for field in fields_of(type_).values():
                visit(field.shape)

    for type_ in types:
        enter(type_)
    return found


def test_every_type_has_a_meaning() -> None:
    silent = [type_ for type_ in reached(resource.type for resource in Scheme()) if not type_meaning(type_)]
    assert not [f"{type_.__module__}.{type_.__name__}" for type_ in silent]


def test_every_field_of_every_kind_has_a_meaning() -> None:
    types = reached((*MOST_USED, *(resource.type for resource in Scheme())))
    silent = {f"{t.__name__}.{name}" for t in types for name in fields_of(t) if not field_meaning(t, name)}
    assert not silent


@pytest.mark.parametrize("module", sorted({*descriptions._MODULES.values()}))
def test_meanings_are_of_types_and_fields_that_exist(module: str) -> None:
    types: dict[str, set[str]] = {}
    for type_ in reached(resource.type for resource in Scheme()):
        types.setdefault(type_.__name__, set()).update(fields_of(type_))
    told = descriptions._of_module(module)
    unknown_later = {"TokenRequest", "TokenRequestSpec", "TokenRequestStatus", "BoundObjectReference", "Eviction", "*"}
    unknown_later |= {"Status", "StatusDetails", "StatusCause", "ListMeta", "DeleteOptions", "Preconditions"}
    unknown_later |= {"NodeMetrics", "PodMetrics", "ContainerMetrics", "Scale", "ScaleSpec", "ScaleStatus"}
    for name, meaning in told.items():
        plain = name.rpartition(".")[2]
        if plain in unknown_later:
            continue
        assert plain in types, name
        assert set(meaning.fields) <= types[plain], name


def test_a_meaning_is_one_line_that_ends() -> None:
    for module in {*descriptions._MODULES.values()}:
        for name, meaning in descriptions._of_module(module).items():
            for text in (meaning.text, *meaning.fields.values()):
                assert text.endswith("."), (name, text)
                assert len(text) < 160, (name, text)
