"""What a pod and a volume refer to by name: secrets, config maps, claims. Pure.

Source: kubernetes pkg/api/v1/pod/util.go VisitPodSecretNames, pkg/api/v1/persistentvolume/util.go VisitPVSecretNames
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kubelite.api import core_v1 as core

_SECRET_FIELDS = ("secret_ref", "node_publish_secret_ref")
_VOLUME_SECRET_FIELDS = (
    "secret_ref",
    "controller_publish_secret_ref",
    "node_publish_secret_ref",
    "node_stage_secret_ref",
    "controller_expand_secret_ref",
    "node_expand_secret_ref",
)


def _environment(pod: core.Pod) -> Iterator[tuple[str, str]]:
    """(kind, name) of what containers' variables come from."""
    containers: tuple[core.Container | core.EphemeralContainer, ...] = pod.spec.containers
    for item in (*pod.spec.init_containers, *containers, *pod.spec.ephemeral_containers):
        for source in item.env_from:
            yield "Secret", source.secret_ref.name if source.secret_ref else ""
            yield "ConfigMap", source.config_map_ref.name if source.config_map_ref else ""
        for variable in item.env:
            if (value := variable.value_from) is not None:
                yield "Secret", value.secret_key_ref.name if value.secret_key_ref else ""
                yield "ConfigMap", value.config_map_key_ref.name if value.config_map_key_ref else ""


def _volumes(pod: core.Pod) -> Iterator[tuple[str, str]]:
    for volume in pod.spec.volumes:
        if volume.config_map:
            yield "ConfigMap", volume.config_map.name
        for projection in volume.projected.sources if volume.projected else ():
            yield "Secret", projection.secret.name if projection.secret else ""
            yield "ConfigMap", projection.config_map.name if projection.config_map else ""
        for source in _sources(volume):
            yield "Secret", getattr(source, "secret_name", "")
            for field in _SECRET_FIELDS:
                yield "Secret", getattr(getattr(source, field, None), "name", "")


def _sources(volume: Any) -> Iterator[Any]:
    """The sources that are given of a volume: one, if it is valid."""
    for field in volume.__struct_fields__:
        value = getattr(volume, field)
        if isinstance(value, msgspec.Struct):
            yield value


def secrets_of(pod: core.Pod) -> set[str]:
    found = {ref.name for ref in pod.spec.image_pull_secrets}
    found |= {name for kind, name in (*_environment(pod), *_volumes(pod)) if kind == "Secret"}
    return found - {""}


def config_maps_of(pod: core.Pod) -> set[str]:
    return {name for kind, name in (*_environment(pod), *_volumes(pod)) if kind == "ConfigMap"} - {""}


def claims_of(pod: core.Pod) -> set[str]:
    """Those that are named, and those made for ephemeral volumes."""
    named = {volume.persistent_volume_claim.claim_name for volume in pod.spec.volumes if volume.persistent_volume_claim}
    return named | {f"{pod.metadata.name}-{volume.name}" for volume in pod.spec.volumes if volume.ephemeral}


def secrets_of_volume(volume: core.PersistentVolume) -> set[tuple[str, str]]:
    """(namespace, name): without a namespace of their own they are in that of the claim."""
    claim = volume.spec.claim_ref.namespace if volume.spec.claim_ref else ""
    found = set()
    for source in _sources(volume.spec):
        if name := getattr(source, "secret_name", ""):
            found.add((getattr(source, "secret_namespace", None) or claim, name))
        for field in _VOLUME_SECRET_FIELDS:
            if (ref := getattr(source, field, None)) is not None:
                found.add((getattr(ref, "namespace", "") or claim, ref.name))
    return found
