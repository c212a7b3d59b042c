"""Which name and password go with an image, from docker config secrets. Pure.

Source: https://kubernetes.io/docs/concepts/containers/images/#config-json, pkg/credentialprovider/keyring.go
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from kubelite.api.core_v1 import Secret

DEFAULT_REGISTRY = "docker.io"


class Credentials(msgspec.Struct, frozen=True):
    username: str
    password: str


class _Auth(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""


class _Config(msgspec.Struct, frozen=True):
    auths: Mapping[str, _Auth] = msgspec.field(default_factory=dict)


def registry_of(image: str) -> str:
    """
    >>> registry_of("nginx"), registry_of("a/b:1"), registry_of("localhost:5000/x"), registry_of("r.example/x@sha256:0")
    ('docker.io', 'docker.io', 'localhost:5000', 'r.example')
    """
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DEFAULT_REGISTRY


def credentials_for(image: str, secrets: Iterable[Secret]) -> list[Credentials]:
    """What to try, the longest matching entry first; unreadable secrets are passed over."""
    path = f"{registry_of(image)}/{image}" if registry_of(image) == DEFAULT_REGISTRY else image
    found: list[tuple[str, Credentials]] = []
    for secret in secrets:
        for entry, auth in _auths(secret).items():
            pattern = entry.split("://")[-1].removesuffix("/").removesuffix("/v1").removesuffix("/v2")
            if pattern == "index.docker.io":
                pattern = DEFAULT_REGISTRY
            if fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*"):
                found.append((pattern, _credentials(auth)))
    return [each for _, each in sorted(found, key=lambda item: len(item[0]), reverse=True)]


def _auths(secret: Secret) -> Mapping[str, _Auth]:
    try:
        if secret.type == "kubernetes.io/dockerconfigjson":
            return msgspec.json.decode(secret.data.get(".dockerconfigjson", b""), type=_Config).auths
        if secret.type == "kubernetes.io/dockercfg":
            return msgspec.json.decode(secret.data.get(".dockercfg", b""), type=dict[str, _Auth])
    except msgspec.DecodeError:
        pass
    return {}


def _credentials(auth: _Auth) -> Credentials:
    if auth.username:
        return Credentials(auth.username, auth.password)
    try:
        username, _, password = b64decode(auth.auth).decode().partition(":")
    except (Error, UnicodeDecodeError):
        return Credentials("", "")
    return Credentials(username, password)
