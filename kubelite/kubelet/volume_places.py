"""Volumes that are directories: emptyDir, hostPath, claims, images, NFS; and what fsGroup does to them.

Source: pkg/volume/emptydir/empty_dir.go, pkg/volume/hostpath/host_path.go, pkg/volume/volume_linux.go,
https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec

from kubelite.api.core_v1 import EmptyDirVolumeSource, PersistentVolume, PersistentVolumeClaim, Pod, Volume
from kubelite.api.quantity import value
from kubelite.api.volume_matching import HOST_PATH, PROVISIONED_BY
from kubelite.client.view import View
from kubelite.kubelet.storage import DiskUse, MountFailed
from kubelite.kubelet.syscalls import mount_layers, mount_tmpfs, mounts_below

#: How long the mount command may take. Source: mount.nfs(8), retry
MOUNT_DEADLINE_S = 120.0

_IS_TYPE = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def make_empty_dir(path: Path, source: EmptyDirVolumeSource) -> None:
    """Raises: OSError."""
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory" and not path.is_mount():
        limit = value(source.size_limit) if source.size_limit is not None else 0
        mount_tmpfs(str(path), size_bytes=limit)
    if stat.S_IMODE(path.stat().st_mode) & 0o777 != 0o777:
        path.chmod(0o777)


def check_host_path(path: str, kind: str | None) -> None:
    """Makes what "...OrCreate" asks for. Raises: MountFailed, OSError."""
    kind = kind or ""
    here = Path(path)
    if kind == "DirectoryOrCreate":
        here.mkdir(mode=0o755, parents=True, exist_ok=True)
        kind = "Directory"
    elif kind == "FileOrCreate":
        if not here.exists():
            here.touch(mode=0o644)
        kind = "File"
    if not kind:
        # The engine would make nothing and refuse; upstream's runtimes make a directory.
        if not here.exists():
            here.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    check, name = _IS_TYPE[kind]
    try:
        fits = check(here.stat().st_mode)
    except FileNotFoundError:
        fits = False
    if not fits:
        raise MountFailed(f"hostPath type check failed: {path} is not a {name}")


def claimed_path(pod: Pod, volume: Volume, view: View) -> tuple[str, bool]:
    """(host path, read-only) of a claim's volume, as far as it is on this host. Raises: MountFailed."""
    read_only = False
    if (source := volume.persistent_volume_claim) is not None:
        name, read_only = source.claim_name, source.read_only
    else:
        name = f"{pod.metadata.name}-{volume.name}"
    claim = view.get(PersistentVolumeClaim, name, pod.metadata.namespace)
    if claim is None:
        raise MountFailed(f'error getting PVC: persistentvolumeclaim "{name}" not found')
    if claim.status.phase != "Bound" or not claim.spec.volume_name:
        raise MountFailed(f'PersistentVolumeClaim is not bound: "{name}"')
    found = view.get(PersistentVolume, claim.spec.volume_name)
    if found is None:
        raise MountFailed(f'error getting PV: persistentvolume "{claim.spec.volume_name}" not found')
    if found.spec.host_path is not None:
        if found.metadata.annotations.get(PROVISIONED_BY) == HOST_PATH:
            _make_provisioned(Path(found.spec.host_path.path))
        check_host_path(found.spec.host_path.path, found.spec.host_path.type or "DirectoryOrCreate")
        return found.spec.host_path.path, read_only
    if found.spec.local is not None:
        if not Path(found.spec.local.path).exists():
            raise MountFailed(f'path "{found.spec.local.path}" does not exist')
        return found.spec.local.path, read_only
    raise MountFailed("no volume plugin matched")


def mount_image(path: Path, layers: Sequence[str]) -> None:
    """Once. The engine keeps short names of its layers, of which more fit into a mount's options. Raises: OSError."""
    if str(path) not in mounts_below(path.parent):
        mount_layers([_short(Path(layer)) for layer in layers], str(path))


def _short(layer: Path) -> str:
    link = layer.parent / "link"
    return str(layer.parents[1] / "l" / link.read_text().strip()) if link.is_file() else str(layer)


class NfsMount(msgspec.Struct, frozen=True, kw_only=True):
    server: str
    path: str
    read_only: bool
    options: tuple[str, ...] = ()


def nfs_mount(pod: Pod, volume: Volume, view: View) -> NfsMount | None:
    """What has to be mounted, if the volume, or the one that its claim is bound to, is on an NFS server."""
    if (source := volume.nfs) is not None:
        return NfsMount(server=source.server, path=source.path, read_only=source.read_only)
    claimed = volume.persistent_volume_claim
    claim = view.get(PersistentVolumeClaim, claimed.claim_name, pod.metadata.namespace) if claimed is not None else None
    found = (
        view.get(PersistentVolume, claim.spec.volume_name)
        if claim is not None and claim.status.phase == "Bound"
        else None
    )
    if found is None or found.spec.nfs is None or claimed is None:
        return None
    source = found.spec.nfs
    return NfsMount(
        server=source.server,
        path=source.path,
        read_only=source.read_only or claimed.read_only,
        options=tuple(found.spec.mount_options),
    )


def _is_mounted(path: Path) -> bool:
    path.mkdir(parents=True, exist_ok=True)
    return str(path) in mounts_below(path.parent)


async def mount_nfs(path: Path, wanted: NfsMount) -> None:
    """Once, through the host's mount command. Raises: MountFailed with what that says."""
    if _is_mounted(path):
        return
    options = (*wanted.options, *(("ro",) if wanted.read_only else ()))
    words = ["-t", "nfs", *(("-o", ",".join(options)) if options else ()), f"{wanted.server}:{wanted.path}", str(path)]
    try:
        with anyio.fail_after(MOUNT_DEADLINE_S):
            done = await anyio.run_process(["mount", *words], check=False)
    except (FileNotFoundError, TimeoutError) as error:
        raise MountFailed(f"mount failed: {error or 'timed out'}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise MountFailed(
            f"mount failed: exit status {done.returncode}\nMounting command: mount\n"
            f"Mounting arguments: {' '.join(words)}\nOutput: {said}\n"
        )


def _make_provisioned(path: Path) -> None:
    """A new directory that any user of a container may write to. Raises: OSError."""
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o777)


def give_to_group(root: Path, gid: int, *, policy: str) -> None:
    """Everything below `root` becomes the group's, readable and writable; new files inherit it. Raises: OSError."""
    if policy == "OnRootMismatch":
        top = root.stat()
        if top.st_gid == gid and top.st_mode & stat.S_ISGID:
            return
    for directory, _, names in os.walk(root):
        for path in (Path(directory), *(Path(directory, name) for name in names)):
            mode = path.lstat().st_mode
            os.lchown(path, -1, gid)
            if stat.S_ISDIR(mode):
                path.chmod(stat.S_IMODE(mode) | 0o770 | stat.S_ISGID)
            elif not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) | 0o660)


def disk_usage(root: Path) -> DiskUse:
    """What the files below `root` take up on the disk; what vanishes meanwhile counts nothing."""
    size_bytes = inodes = 0
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            with suppress(FileNotFoundError):
                size_bytes += (Path(directory) / name).lstat().st_blocks * 512
                inodes += 1
    return DiskUse(size_bytes, inodes)
