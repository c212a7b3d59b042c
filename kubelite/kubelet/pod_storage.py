"""A pod's directory on this host: volumes, the files that every container gets, termination messages, and its cgroup.

    <root>/pods/<uid>/volumes/<volume>/            what is mounted into containers
    <root>/pods/<uid>/volume-subpaths/<container>/<n>
    <root>/pods/<uid>/containers/<container>/<attempt>   the termination message
    <root>/pods/<uid>/{etc-hosts,resolv.conf,hostname}

Small files are written on the loop (0.1 ms each); walking, mounting and removing trees happens in a thread.
Source: pkg/kubelet/kubelet_getters.go (the layout), pkg/kubelet/kubelet_pods.go
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Pod, ServiceAccountTokenProjection, Volume
from kubelite.client.view import View
from kubelite.kubelet import hosts_file, syscalls
from kubelite.kubelet.atomic_writer import BadPath, write_atomically
from kubelite.kubelet.cgroupfs import Cgroups
from kubelite.kubelet.cgroups import pod_cgroup, pod_limits, qos_groups
from kubelite.kubelet.env import Addresses, ConfigFailed
from kubelite.kubelet.mounts import Place, SubPath, file_mounts, volume_mounts
from kubelite.kubelet.observed import Spec
from kubelite.kubelet.runtime import Container, Mount
from kubelite.kubelet.storage import DiskUse, MountFailed
from kubelite.kubelet.volume_files import Sources, token_projections, volume_files
from kubelite.kubelet.volume_places import (
    check_host_path,
    claimed_path,
    disk_usage,
    give_to_group,
    make_empty_dir,
    mount_image,
    mount_nfs,
    nfs_mount,
)

MAX_MESSAGE_BYTES = 4096
DEFAULT_TOKEN_S = 3600
#: A token is replaced when this part of its life is over. Source: pkg/kubelet/token/token_manager.go
TOKEN_REFRESH = 0.8


class Token(msgspec.Struct, frozen=True):
    text: str
    expires_at: float


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A token for the pod's service account, bound to the pod."""

    pod: Pod
    audience: str  #: empty: the API server's
    lifetime_s: int


IssueToken = Callable[[TokenRequest], Awaitable[Token]]


class StorageSettings(msgspec.Struct, frozen=True, kw_only=True):
    root: Path
    cgroup_root: str  #: the cgroup above all pods, e.g. /kubelite-1a2b; empty: no cgroups are made
    cluster_dns: str
    cluster_domain: str


class PodStorage:
    """Implements `storage.Storage` on this host's file system."""

    def __init__(self, settings: StorageSettings, view: View, clock: Clock, issue_token: IssueToken) -> None:
        self._settings = settings
        self._pods = settings.root / "pods"
        self._pods.mkdir(parents=True, exist_ok=True)
        self._view = view
        self._clock = clock
        self._issue_token = issue_token
        self._cgroups = Cgroups()
        self._tokens: dict[tuple[str, str, str], tuple[Token, float]] = {}  # (uid, volume, path): token, refresh time
        self._places: dict[str, dict[str, Place]] = {}
        self._shared = False

    def mount_image(self, pod: Pod, volume: str, layers: tuple[str, ...]) -> None:
        mount_image(self._home(pod.metadata.uid) / "volumes" / volume, layers)

    def _home(self, uid: str) -> Path:
        return self._pods / uid

    def cgroup_parent(self, pod: Pod) -> str:
        return pod_cgroup(pod, self._settings.cgroup_root) if self._settings.cgroup_root else ""

    def present(self) -> set[str]:
        root = self._settings.cgroup_root
        grouped = self._cgroups.pods(qos_groups(root)) if root else set()
        return {entry.name for entry in os.scandir(self._pods)} | grouped

    async def prepare(self, pod: Pod, addresses: Addresses) -> float | None:
        uid = pod.metadata.uid
        home = self._home(uid)
        if uid not in self._places:
            self.limit(pod)
        (home / "volumes").mkdir(parents=True, exist_ok=True)
        self._write_resolv_conf(pod, home)
        places: dict[str, Place] = {}
        refresh: list[float] = []
        for volume in pod.spec.volumes:
            try:
                tokens = await self._volume_tokens(pod, volume, refresh)
                places[volume.name] = await self._place(pod, volume, home, addresses, tokens)
            except (MountFailed, ConfigFailed, BadPath, OSError) as error:
                raise MountFailed(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error
        self._places[uid] = places
        return min(refresh, default=None)

    async def _place(self, pod: Pod, volume: Volume, home: Path, addresses: Addresses, tokens: dict[str, str]) -> Place:
        path = home / "volumes" / volume.name
        security = pod.spec.security_context
        gid = security.fs_group if security is not None else None
        policy = (security.fs_group_change_policy if security is not None else None) or "Always"
        sources = Sources(pod=pod, view=self._view, addresses=addresses, tokens=tokens)
        files = volume_files(volume, sources)
        if files is not None:
            path.mkdir(exist_ok=True)
            if gid is not None:
                files = {name: msgspec.structs.replace(each, mode=each.mode | 0o040) for name, each in files.items()}
            write_atomically(path, files, stamp=self._clock.suffix(10), gid=gid)
            return Place(path=str(path), readonly=True)
        if volume.empty_dir is not None:
            fresh = not path.exists()
            make_empty_dir(path, volume.empty_dir)
            if gid is not None and fresh:
                give_to_group(path, gid, policy=policy)
            return Place(path=str(path))
        if volume.host_path is not None:
            check_host_path(volume.host_path.path, volume.host_path.type)
            return Place(path=volume.host_path.path)
        if volume.image is not None:
            path.mkdir(exist_ok=True)  # mounted with the first container that wants it
            return Place(path=str(path), readonly=True)
        if (nfs := nfs_mount(pod, volume, self._view)) is not None:
            await mount_nfs(path, nfs)
            return Place(path=str(path), readonly=nfs.read_only)
        if volume.persistent_volume_claim is not None or volume.ephemeral is not None:
            claimed, read_only = claimed_path(pod, volume, self._view)
            if gid is not None and not read_only and pod.metadata.uid not in self._places:
                await anyio.to_thread.run_sync(lambda: give_to_group(Path(claimed), gid, policy=policy))
            return Place(path=claimed, readonly=read_only)
        raise MountFailed("no volume plugin matched")

    async def _volume_tokens(self, pod: Pod, volume: Volume, refresh: list[float]) -> dict[str, str]:
        """Tokens by path; `refresh` gets the times at which they are to be replaced."""
        found = {}
        for projection in token_projections(volume):
            key = (pod.metadata.uid, volume.name, projection.path)
            known = self._tokens.get(key)
            if known is None or known[1] <= self._clock.now():
                known = self._tokens[key] = await self._new_token(pod, projection)
            found[projection.path] = known[0].text
            refresh.append(known[1])
        return found

    async def _new_token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> tuple[Token, float]:
        lifetime = projection.expiration_seconds or DEFAULT_TOKEN_S
        now = self._clock.now()
        token = await self._issue_token(TokenRequest(pod=pod, audience=projection.audience, lifetime_s=lifetime))
        return token, now + (token.expires_at - now) * TOKEN_REFRESH

    async def mounts(
        self, pod: Pod, spec: Spec, *, attempt: int, env: dict[str, str], addresses: Addresses
    ) -> tuple[Mount, ...]:
        home = self._home(pod.metadata.uid)
        made = []
        for wanted in volume_mounts(spec, self._places.get(pod.metadata.uid, {}), env):
            mount = wanted.mount
            if wanted.sub_path is not None:
                target = home / "volume-subpaths" / spec.name / str(wanted.sub_path.index)
                self._bind_sub_path(wanted.sub_path, target)
                mount = msgspec.structs.replace(mount, host_path=str(target))
            if mount.propagation != "rprivate" and not self._shared and mount.host_path.startswith(f"{self._pods}/"):
                syscalls.make_shared(str(self._pods))
                self._shared = True
            made.append(mount)
        files = self._write_files(pod, home, addresses)
        if spec.termination_message_path:
            message = home / "containers" / spec.name / str(attempt)
            message.parent.mkdir(parents=True, exist_ok=True)
            message.touch()
            message.chmod(0o666)
            files[spec.termination_message_path] = str(message)
        return (*made, *file_mounts(files, made))

    def _bind_sub_path(self, sub: SubPath, target: Path) -> None:
        """Mounts a part of a volume on `target`, which no link of the volume's can redirect. Raises: ConfigFailed, OSError."""
        syscalls.unmount(str(target))
        try:
            try:
                found = syscalls.open_beneath(sub.root, sub.path)
            except FileNotFoundError:
                syscalls.make_beneath(sub.root, sub.path)
                found = syscalls.open_beneath(sub.root, sub.path)
        except OSError as error:
            why = "escapes the volume" if error.errno == errno.EXDEV else error.strerror
            raise ConfigFailed(
                f"failed to prepare subPath for volumeMount {sub.volume!r}: {sub.path}: {why}"
            ) from error
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISDIR(os.fstat(found).st_mode):
                target.mkdir(exist_ok=True)
            else:
                target.touch()
            syscalls.bind_mount(f"/proc/self/fd/{found}", str(target))
        finally:
            os.close(found)

    def _write_files(self, pod: Pod, home: Path, addresses: Addresses) -> dict[str, str]:
        """Container path to host path of what every container of the pod gets."""
        domain = self._settings.cluster_domain
        files = {"/etc/resolv.conf": str(home / "resolv.conf")}
        machine = Path("/etc/hosts").read_text() if pod.spec.host_network else ""
        hosts = home / "etc-hosts"
        _write(hosts, hosts_file.hosts_text(pod, addresses.pod_ip, domain, machine))
        files["/etc/hosts"] = str(hosts)
        if not pod.spec.host_network:
            hostname = home / "hostname"
            _write(hostname, hosts_file.kernel_hostname(pod, domain) + "\n")
            files["/etc/hostname"] = str(hostname)
        return files

    def _write_resolv_conf(self, pod: Pod, home: Path) -> None:
        try:
            host = hosts_file.parse_resolv_conf(Path("/etc/resolv.conf").read_text())
        except OSError:
            host = hosts_file.Resolver()
        settings = self._settings
        resolver = hosts_file.resolver_of(
            pod, host=host, cluster_dns=settings.cluster_dns, cluster_domain=settings.cluster_domain
        )
        _write(home / "resolv.conf", hosts_file.resolv_conf_text(resolver))

    def limit(self, pod: Pod) -> None:
        if group := self.cgroup_parent(pod):
            self._cgroups.make(group, pod_limits(pod))

    async def volume_usage(self, pod: Pod) -> dict[str, DiskUse]:
        volumes = self._home(pod.metadata.uid) / "volumes"
        names = [each.name for each in pod.spec.volumes if each.empty_dir and each.empty_dir.medium != "Memory"]
        return await anyio.to_thread.run_sync(lambda: {name: disk_usage(volumes / name) for name in names})

    def termination_message(self, container: Container) -> str:
        path = self._home(container.pod_uid) / "containers" / container.name / str(container.attempt)
        try:
            with path.open("rb") as file:
                return file.read(MAX_MESSAGE_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""

    async def remove(self, pod_uid: str) -> None:
        home = self._home(pod_uid)
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]
        self._places.pop(pod_uid, None)
        if home.exists():
            await anyio.to_thread.run_sync(_remove_tree, home)
        if root := self._settings.cgroup_root:
            self._cgroups.remove(f"{group}/pod{pod_uid}" for group in qos_groups(root))


def _write(path: Path, text: str) -> None:
    """Only if it changed: containers have the file itself mounted, so it is written in place."""
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    path.write_text(text)
    path.chmod(0o644)


def _remove_tree(home: Path) -> None:
    """Unmounts what is below, then removes. Raises: OSError."""
    for path in syscalls.mounts_below(home):
        syscalls.unmount(path)
    with suppress(FileNotFoundError):
        shutil.rmtree(home)
