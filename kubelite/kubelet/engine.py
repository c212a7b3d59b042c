"""Whether this machine has what real pods need, and `--install-engine`: Debian's engine, installed and started.

Checks are cheap and synchronous, because every start makes them; each problem is one line that says what to do. The engine
outlives kubelite, as it does when the system starts it. Source: https://packages.debian.org/docker.io, sd_notify(3),
https://docs.docker.com/reference/cli/dockerd/
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket as sockets
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

DEFAULT_SOCKET = "/var/run/docker.sock"
_LOG = Path("/var/log/dockerd.log")
_CONFIG = Path("/etc/docker/daemon.json")
_INSTALL_DEADLINE_S = 900
_START_DEADLINE_S = 90
_ALTERNATIVE = "or use --runtime simulated, which needs neither an engine nor root"


class EngineMissing(Exception):
    """One line for the user: what is missing and what to do about it."""


def engine_problem(socket: str = DEFAULT_SOCKET) -> str:
    """Why pods cannot be real containers here; empty when they can."""
    if os.geteuid() != 0:
        return f"making pods and their networks needs root: use sudo, {_ALTERNATIVE}"
    if not _answers(socket):
        return (
            f"no container engine answers at {socket}: run with --install-engine to install and start Debian's docker.io, "
            f"{_ALTERNATIVE}"
        )
    if missing := _missing_packages():
        return f"Services need {' and '.join(missing)}: run with --install-engine to install it, {_ALTERNATIVE}"
    return ""


async def install_engine(socket: str = DEFAULT_SOCKET, *, say: Callable[[str], None]) -> None:
    """Installs and starts what is missing, saying so on one line each; nothing missing: nothing done, nothing said.

    Raises: EngineMissing when something is still missing afterwards.
    """
    if os.geteuid() == 0:
        packages = _missing_packages()
        if not _answers(socket) and not shutil.which("dockerd"):
            packages = ["docker.io", "ca-certificates", *packages]
        if packages:
            await _install(packages, say)
        if not _answers(socket):
            await _start(socket, say)
    if problem := engine_problem(socket):
        raise EngineMissing(problem)


def _missing_packages() -> list[str]:
    packages = []
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        packages.append("libnftables1")
    if not shutil.which("iptables"):
        packages.append("iptables")
    return packages


def _answers(socket: str) -> bool:
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        connection.settimeout(5)
        try:
            connection.connect(socket)
        except OSError:
            return False
        return True


async def _install(packages: list[str], say: Callable[[str], None]) -> None:
    apt_get = shutil.which("apt-get")
    if apt_get is None:
        raise EngineMissing(
            f"cannot install {' '.join(packages)}: this system has no apt-get; install Docker, {_ALTERNATIVE}"
        )
    say(f"Installing {' '.join(packages)} with apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options = [apt_get, "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with anyio.fail_after(_INSTALL_DEADLINE_S):
        # An unreachable mirror is no failure yet: the packages may be in the cache.
        await anyio.run_process([*options, "update"], check=False, stdin=subprocess.DEVNULL, env=environment)
        command = [*options, "install", "-y", "--no-install-recommends", *packages]
        result = await anyio.run_process(command, check=False, stdin=subprocess.DEVNULL, env=environment)
    if result.returncode:
        raise EngineMissing(f"apt-get could not install {' '.join(packages)}: {_last_line(result.stderr)}")


async def _start(socket: str, say: Callable[[str], None]) -> None:
    if socket == DEFAULT_SOCKET and _has_systemd():
        say("Starting docker.service")
        with anyio.fail_after(_START_DEADLINE_S):
            result = await anyio.run_process(["systemctl", "start", "docker.service"], check=False)
        if result.returncode:
            raise EngineMissing(f"systemctl could not start docker.service: {_last_line(result.stderr)}")
        return
    if not shutil.which("dockerd"):
        raise EngineMissing(f"no container engine answers at {socket}, and dockerd is not installed")
    say(f"Starting dockerd (its log is {_LOG})")
    with tempfile.TemporaryDirectory() as directory, sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as ready:
        ready.bind(f"{directory}/notify")
        ready.setblocking(False)
        alive, held = os.pipe()
        try:
            await anyio.to_thread.run_sync(_spawn, socket, f"{directory}/notify", held)
            os.close(held)
            await _wait_until_ready(ready, alive)
        finally:
            os.close(alive)
    if not _answers(socket):
        raise EngineMissing(f"dockerd did not start: {_last_line(_read_log())}")


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _spawn(socket: str, notify: str, held: int) -> None:
    """Detached: `setsid --fork` leaves dockerd a child of init, in a session of its own."""
    # Containers survive a restart of the engine; a configuration file decides for itself, and a flag would contradict it.
    flags = [] if _CONFIG.exists() else ["--live-restore"]
    with _LOG.open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", "dockerd", "--host", f"unix://{socket}", *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"NOTIFY_SOCKET": notify},
            pass_fds=[held],
            cwd="/",
            check=True,
        )


async def _wait_until_ready(ready: sockets.socket, alive: int) -> None:
    """Until dockerd says READY=1, or is gone: it holds the other end of the pipe `alive`."""
    async with anyio.create_task_group() as group:

        async def hear() -> None:
            while b"READY=1" not in await asyncio.get_running_loop().sock_recv(ready, 4096):
                continue
            group.cancel_scope.cancel()

        async def watch() -> None:
            await anyio.wait_readable(alive)
            group.cancel_scope.cancel()

        group.cancel_scope.deadline = anyio.current_time() + _START_DEADLINE_S
        group.start_soon(hear)
        group.start_soon(watch)


def _read_log() -> bytes:
    return _LOG.read_bytes()


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
