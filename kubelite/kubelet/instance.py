"""What one kubelite names on the machine: everything of a data directory carries its id, so that several do not meet. Pure."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def instance_id(data_dir: Path) -> str:
    """The short id of the kubelite that lives in `data_dir`; the same directory always has the same id.

    >>> instance_id(Path("/var/lib/kubelite"))
    '56de926a'
    """
    return hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:8]


def link_prefix(instance: str) -> str:
    """How every interface of the instance begins; alone it is the gateway bridge's name. Room for 7 characters is left.

    >>> link_prefix("56de926a")
    'kl56de92'
    """
    return f"kl{instance[:6]}"


def cgroup_root(instance: str) -> str:
    """The control group above all pods of the instance.

    >>> cgroup_root("56de926a")
    '/kubelite-56de926a'
    """
    return f"/kubelite-{instance}"
