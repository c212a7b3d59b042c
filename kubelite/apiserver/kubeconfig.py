"""Writes the kubeconfig of a client certificate, and private files in general: mode 0600, whole or not at all.

Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec


def write_private(path: Path, data: bytes) -> None:
    """Replaces `path` atomically; nobody but its owner can read it at any time. Raises: OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def encode_kubeconfig(server: str, authority: bytes, certificate: bytes, key: bytes, *, user: str = "admin") -> bytes:
    """A kubeconfig with everything embedded. JSON, which is YAML, one entry per line for people."""
    name = "kubelite"

    def data(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": data(authority)}}],
        "users": [{"name": user, "user": {"client-certificate-data": data(certificate), "client-key-data": data(key)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"


def write_kubeconfig(path: Path, server: str, pki: Path, *, client: str = "admin") -> None:
    """Writes the kubeconfig of `client`, a certificate in `pki`. Raises: OSError."""
    certificate, key = (pki / f"{client}.crt").read_bytes(), (pki / f"{client}.key").read_bytes()
    write_private(path, encode_kubeconfig(server, (pki / "ca.crt").read_bytes(), certificate, key, user=client))
