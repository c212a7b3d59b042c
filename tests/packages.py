"""Programs that tests need, installed from Debian when they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

#: A program and the packages that bring it.
PACKAGES = {
    "busybox": ("busybox-static",),
    "cc": ("gcc", "libc6-dev"),
    "curl": ("curl",),
    "etcd": ("etcd-server",),
    "etcdctl": ("etcd-client",),
    "ip": ("iproute2",),
    "kubectl": ("kubernetes-client",),
    "nft": ("nftables",),
    "npm": ("nodejs", "npm"),
    "openssl": ("openssl",),
}


@cache
def program(name: str) -> str:
    """The path of a program of `PACKAGES`. Raises: CalledProcessError when Debian does not have it either."""
    found = shutil.which(name)
    if found is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
        subprocess.run([*apt_get, "update"], check=False, stdout=subprocess.DEVNULL, env=environment)
        command = [*apt_get, "install", "-y", "--no-install-recommends", *PACKAGES[name]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        found = shutil.which(name)
    assert found is not None, f"{PACKAGES[name]} brought no {name}"
    return found
