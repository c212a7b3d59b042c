"""A container's mounts: its volumeMounts over the places of the pod's volumes, and the files every container gets. Pure.

Source: pkg/kubelet/kubelet_pods.go (makeMounts), https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from kubelite.api.core_v1 import Container, EphemeralContainerCommon, VolumeMount
from kubelite.kubelet.env import ConfigFailed, expand
from kubelite.kubelet.runtime import Mount

_PROPAGATION = {"": "rprivate", "None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a volume of a pod is on the host."""

    path: str
    readonly: bool = False


class SubPath(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a volume that has to be opened safely before it can be mounted."""

    volume: str
    root: str
    path: str
    index: int  #: of the volumeMount in its container
    readonly: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One volumeMount: the mount, whose `host_path` has to be replaced if there is a `sub_path`."""

    mount: Mount
    sub_path: SubPath | None = None


def volume_mounts(
    container: Container | EphemeralContainerCommon, places: Mapping[str, Place], env: Mapping[str, str]
) -> list[Wanted]:
    """Raises: ConfigFailed when a volume is not there or a path leads out of it."""
    return [_one(mount, index, places, env) for index, mount in enumerate(container.volume_mounts)]


def _one(mount: VolumeMount, index: int, places: Mapping[str, Place], env: Mapping[str, str]) -> Wanted:
    place = places.get(mount.name)
    if place is None:
        raise ConfigFailed(f'cannot find volume "{mount.name}" to mount into container "{mount.mount_path}"')
    readonly = mount.read_only or place.readonly
    target = mount.mount_path if posixpath.isabs(mount.mount_path) else f"/{mount.mount_path}"
    made = Mount(
        host_path=place.path,
        container_path=target,
        readonly=readonly,
        propagation=_PROPAGATION.get(mount.mount_propagation or "", "rprivate"),
    )
    path = mount.sub_path
    if mount.sub_path_expr:
        path = expand(mount.sub_path_expr, env)
        if "$(" in path:
            raise ConfigFailed(f"missing value for subPathExpr {mount.sub_path_expr!r}")
    if not path:
        return Wanted(mount=made)
    if posixpath.isabs(path):
        raise ConfigFailed(f"error SubPath `{path}` must not be an absolute path")
    if ".." in path.split("/"):
        raise ConfigFailed(f"unable to provision SubPath `{path}`: must not contain '..'")
    sub = SubPath(volume=mount.name, root=place.path, path=posixpath.normpath(path), index=index, readonly=readonly)
    return Wanted(mount=made, sub_path=sub)


def file_mounts(files: Mapping[str, str], own: list[Mount]) -> list[Mount]:
    """The kubelet's files (container path to host path), except where the container mounts something of its own."""
    taken = {posixpath.normpath(mount.container_path) for mount in own}
    return [Mount(host_path=host, container_path=inside) for inside, host in files.items() if inside not in taken]
