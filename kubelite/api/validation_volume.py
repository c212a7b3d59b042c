"""What must hold of a pod's volumes. Pure. Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.api import core_v1 as core
from kubelite.api.validation_container import (
    validate_field_ref,
    validate_no_backsteps,
    validate_relative,
    validate_resource_ref,
)
from kubelite.api.validation_field import (
    Errors,
    config_key,
    dns_label,
    duplicate,
    forbidden,
    formatted,
    invalid,
    not_supported,
    required,
)

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)


def validate_volumes(volumes: tuple[core.Volume, ...], path: str) -> tuple[Errors, set[str]]:
    """What is wrong, and the names that containers may mount."""
    found: Errors = []
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        wrong = validate_volume_source(volume, at)
        if not volume.name:
            wrong.append(required(f"{at}.name"))
        else:
            wrong += formatted(f"{at}.name", volume.name, dns_label)
        if volume.name in names:
            wrong.append(duplicate(f"{at}.name", volume.name))
        if not wrong:
            names.add(volume.name)
        found += wrong
    return found, names


def validate_volume_source(volume: core.VolumeSource, path: str) -> Errors:
    """Exactly one source, and what it needs."""
    found: Errors = []
    count = 0
    for name, wire in _ORDER:
        source = getattr(volume, name)
        if source is None:
            continue
        count += 1
        if count > 1:
            found.append(forbidden(f"{path}.{wire}", "may not specify more than 1 volume type"))
        elif (check := _CHECKS.get(name)) is not None:
            found += check(source, f"{path}.{wire}")
    if not count:
        found.append(required(path, "must specify a volume type"))
    return found


def _needs(*fields: tuple[str, str]) -> Callable[[Any, str], Errors]:
    def check(source: Any, path: str) -> Errors:
        return [required(f"{path}.{wire}") for name, wire in fields if not getattr(source, name)]

    return check


def _mode(value: int | None, path: str) -> Errors:
    return [] if value is None or 0 <= value <= 0o777 else [invalid(path, value, _MODE)]


def _items(items: tuple[core.KeyToPath, ...], path: str) -> Errors:
    found: Errors = []
    for index, item in enumerate(items):
        at = f"{path}.items[{index}]"
        if not item.key:
            found.append(required(f"{at}.key"))
        else:
            found += formatted(f"{at}.key", item.key, config_key)
        found += _file(item.path, f"{at}.path")
        found += _mode(item.mode, f"{at}.mode")
    return found


def _file(path_in_volume: str, path: str) -> Errors:
    if not path_in_volume:
        return [required(path)]
    found = validate_relative(path, path_in_volume)
    if not found and path_in_volume.startswith(".."):
        found.append(invalid(path, path_in_volume, "must not start with '..'"))
    return found


def _empty_dir(source: core.EmptyDirVolumeSource, path: str) -> Errors:
    if str(source.size_limit or "").startswith("-"):
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: core.HostPathVolumeSource, path: str) -> Errors:
    if not source.path:
        return [required(f"{path}.path")]
    found = validate_no_backsteps(f"{path}.path", source.path)
    if source.type not in (None, *_HOST_PATH_TYPES):
        found.append(not_supported(f"{path}.type", source.type, sorted(_HOST_PATH_TYPES)))
    return found


def _secret(source: core.SecretVolumeSource, path: str) -> Errors:
    found = [] if source.secret_name else [required(f"{path}.secretName")]
    return found + _mode(source.default_mode, f"{path}.defaultMode") + _items(source.items, path)


def _config_map(source: core.ConfigMapVolumeSource, path: str) -> Errors:
    found = [] if source.name else [required(f"{path}.name")]
    return found + _mode(source.default_mode, f"{path}.defaultMode") + _items(source.items, path)


def _nfs(source: core.NFSVolumeSource, path: str) -> Errors:
    found = [] if source.server else [required(f"{path}.server")]
    if not source.path:
        found.append(required(f"{path}.path"))
    elif not source.path.startswith("/"):
        found.append(invalid(f"{path}.path", source.path, "must be an absolute path"))
    return found


def _downward_files(items: tuple[core.DownwardAPIVolumeFile, ...], path: str) -> Errors:
    found: Errors = []
    for item in items:
        found += _file(item.path, f"{path}.path")
        if item.field_ref is not None:
            found += validate_field_ref(item.field_ref, f"{path}.fieldRef")
            if item.resource_field_ref is not None:
                why = "fieldRef and resourceFieldRef can not be specified simultaneously"
                found.append(invalid(path, "resource", why))
        elif item.resource_field_ref is not None:
            found += validate_resource_ref(item.resource_field_ref, f"{path}.resourceFieldRef", needs_container=True)
        else:
            found.append(required(path, "one of fieldRef and resourceFieldRef is required"))
        found += _mode(item.mode, f"{path}.mode")
    return found


def _downward(source: core.DownwardAPIVolumeSource, path: str) -> Errors:
    return _mode(source.default_mode, f"{path}.defaultMode") + _downward_files(source.items, path)


def _projected(source: core.ProjectedVolumeSource, path: str) -> Errors:
    found = _mode(source.default_mode, f"{path}.defaultMode")
    for index, part in enumerate(source.sources):
        at = f"{path}.sources[{index}]"
        count = 0
        for name, wire in _PARTS:
            inner = getattr(part, name)
            if inner is None:
                continue
            count += 1
            if count > 1:
                found.append(forbidden(f"{at}.{wire}", "may not specify more than 1 volume type per source"))
            elif name in ("secret", "config_map"):
                if not inner.name:
                    found.append(required(f"{at}.{wire}.name"))
                found += _items(inner.items, f"{at}.{wire}")
            elif name == "downward_api":
                found += _downward_files(inner.items, f"{at}.{wire}")
            elif name == "service_account_token":
                found += _token(inner, f"{at}.{wire}")
        if not count:
            found.append(required(at, "must specify a volume type"))
    return found


def _token(token: core.ServiceAccountTokenProjection, path: str) -> Errors:
    found: Errors = []
    seconds = token.expiration_seconds or 0
    if seconds < 600:
        found.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > 1 << 32:
        found.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    return found + _file(token.path, f"{path}.path")


_PARTS = (
    ("secret", "secret"),
    ("config_map", "configMap"),
    ("downward_api", "downwardAPI"),
    ("service_account_token", "serviceAccountToken"),
    ("cluster_trust_bundle", "clusterTrustBundle"),
)

#: In upstream's order, which decides which of two sources is one too many.
_ORDER = (
    ("empty_dir", "emptyDir"),
    ("host_path", "hostPath"),
    ("git_repo", "gitRepo"),
    ("gce_persistent_disk", "gcePersistentDisk"),
    ("aws_elastic_block_store", "awsElasticBlockStore"),
    ("secret", "secret"),
    ("nfs", "nfs"),
    ("iscsi", "iscsi"),
    ("glusterfs", "glusterfs"),
    ("flocker", "flocker"),
    ("persistent_volume_claim", "persistentVolumeClaim"),
    ("rbd", "rbd"),
    ("cinder", "cinder"),
    ("cephfs", "cephfs"),
    ("quobyte", "quobyte"),
    ("downward_api", "downwardAPI"),
    ("fc", "fc"),
    ("flex_volume", "flexVolume"),
    ("config_map", "configMap"),
    ("azure_file", "azureFile"),
    ("vsphere_volume", "vsphereVolume"),
    ("photon_persistent_disk", "photonPersistentDisk"),
    ("portworx_volume", "portworxVolume"),
    ("azure_disk", "azureDisk"),
    ("storageos", "storageos"),
    ("projected", "projected"),
    ("scale_io", "scaleIO"),
    ("csi", "csi"),
    ("ephemeral", "ephemeral"),
    ("image", "image"),
)

_CHECKS: dict[str, Callable[[Any, str], Errors]] = {
    "empty_dir": _empty_dir,
    "host_path": _host_path,
    "git_repo": _needs(("repository", "repository")),
    "gce_persistent_disk": _needs(("pd_name", "pdName")),
    "aws_elastic_block_store": _needs(("volume_id", "volumeID")),
    "secret": _secret,
    "nfs": _nfs,
    "iscsi": _needs(("target_portal", "targetPortal"), ("iqn", "iqn")),
    "glusterfs": _needs(("endpoints", "endpoints"), ("path", "path")),
    "persistent_volume_claim": _needs(("claim_name", "claimName")),
    "rbd": _needs(("monitors", "monitors"), ("image", "image")),
    "cinder": _needs(("volume_id", "volumeID")),
    "cephfs": _needs(("monitors", "monitors")),
    "downward_api": _downward,
    "flex_volume": _needs(("driver", "driver")),
    "config_map": _config_map,
    "azure_file": _needs(("secret_name", "secretName"), ("share_name", "shareName")),
    "azure_disk": _needs(("disk_name", "diskName"), ("disk_uri", "diskURI")),
    "projected": _projected,
    "csi": _needs(("driver", "driver")),
    "ephemeral": _needs(("volume_claim_template", "volumeClaimTemplate")),
}
