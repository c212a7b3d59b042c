"""What the files of configMap, secret, downwardAPI and projected volumes hold. Pure, but for tokens, which are given.

Source: pkg/volume/configmap/configmap.go, pkg/volume/secret/secret.go, pkg/volume/downwardapi, pkg/volume/projected
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubelite.api.core_v1 import (
    ConfigMap,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    ProjectedVolumeSource,
    Secret,
    ServiceAccountTokenProjection,
    Volume,
)
from kubelite.client.view import View
from kubelite.kubelet.atomic_writer import File
from kubelite.kubelet.env import Addresses, ConfigFailed, config_map, field_value, resource_value, secret
from kubelite.kubelet.observed import find_spec

DEFAULT_MODE = 0o644
#: Tokens are readable by the group that fsGroup gives them, or by root alone. Source: pkg/volume/projected
TOKEN_MODE, TOKEN_GROUP_MODE = 0o600, 0o640


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where contents come from. `tokens` by path in the volume."""

    pod: Pod
    view: View
    addresses: Addresses
    tokens: Mapping[str, str] = msgspec.field(default_factory=dict)


def volume_files(volume: Volume, sources: Sources) -> dict[str, File] | None:
    """The files by path, or None when the volume is of another kind. Raises: ConfigFailed."""
    if (given := volume.config_map) is not None:
        mode = DEFAULT_MODE if given.default_mode is None else given.default_mode
        return _config_map(sources, given.name, given.items, mode, optional=bool(given.optional))
    if (held := volume.secret) is not None:
        mode = DEFAULT_MODE if held.default_mode is None else held.default_mode
        return _secret(sources, held.secret_name, held.items, mode, optional=bool(held.optional))
    if (api := volume.downward_api) is not None:
        return _downward(sources, api.items, DEFAULT_MODE if api.default_mode is None else api.default_mode)
    if (projected := volume.projected) is not None:
        return _projected(sources, projected)
    return None


def token_projections(volume: Volume) -> list[ServiceAccountTokenProjection]:
    sources = volume.projected.sources if volume.projected else ()
    return [each.service_account_token for each in sources if each.service_account_token is not None]


def _projected(sources: Sources, projected: ProjectedVolumeSource) -> dict[str, File]:
    mode = DEFAULT_MODE if projected.default_mode is None else projected.default_mode
    files: dict[str, File] = {}
    for each in projected.sources:
        if (given := each.config_map) is not None:
            files |= _config_map(sources, given.name, given.items, mode, optional=bool(given.optional))
        elif (held := each.secret) is not None:
            files |= _secret(sources, held.name, held.items, mode, optional=bool(held.optional))
        elif each.downward_api is not None:
            files |= _downward(sources, each.downward_api.items, mode)
        elif (token := each.service_account_token) is not None:
            security = sources.pod.spec.security_context
            shared = security is not None and security.fs_group is not None
            token_mode = TOKEN_GROUP_MODE if shared else mode if mode != DEFAULT_MODE else DEFAULT_MODE
            files[token.path] = File(sources.tokens[token.path].encode(), token_mode)
    return files


def _config_map(
    sources: Sources, name: str, items: tuple[KeyToPath, ...], mode: int, *, optional: bool
) -> dict[str, File]:
    namespace = sources.pod.metadata.namespace
    try:
        found = config_map(sources.view, name, namespace)
    except ConfigFailed:
        if not optional:
            raise
        found = ConfigMap()
    data = {**{key: text.encode() for key, text in found.data.items()}, **found.binary_data}
    return _chosen(data, items, mode, optional=optional, missing="configmap references non-existent config key: {key}")


def _secret(sources: Sources, name: str, items: tuple[KeyToPath, ...], mode: int, *, optional: bool) -> dict[str, File]:
    try:
        found = secret(sources.view, name, sources.pod.metadata.namespace)
    except ConfigFailed:
        if not optional:
            raise
        found = Secret()
    return _chosen(found.data, items, mode, optional=optional, missing="references non-existent secret key: {key}")


def _chosen(
    data: Mapping[str, bytes], items: tuple[KeyToPath, ...], mode: int, *, optional: bool, missing: str
) -> dict[str, File]:
    if not items:
        return {key: File(content, mode) for key, content in data.items()}
    files = {}
    for item in items:
        if item.key not in data:
            if optional:
                continue
            raise ConfigFailed(missing.format(key=item.key))
        files[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
    return files


def _downward(sources: Sources, items: Iterable[DownwardAPIVolumeFile], mode: int) -> dict[str, File]:
    files = {}
    for item in items:
        text = ""
        if item.field_ref is not None:
            text = field_value(sources.pod, item.field_ref, sources.addresses)
        elif (ref := item.resource_field_ref) is not None:
            spec = find_spec(sources.pod, ref.container_name)
            if spec is None:
                raise ConfigFailed(f"container {ref.container_name} not found")
            text = resource_value(sources.pod, ref, spec, sources.addresses.node.allocatable)
        files[item.path] = File(text.encode(), mode if item.mode is None else item.mode)
    return files
