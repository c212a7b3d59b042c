"""Bootstrap tokens: what a machine that wants to join shows first. Each is a secret in kube-system.

Source: kubernetes plugin/pkg/auth/authenticator/token/bootstrap, k8s.io/cluster-bootstrap/token,
https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Secret
from kubelite.api.timestamp import parse_rfc3339
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.interface import User
from kubelite.apiserver.tokens import API_AUDIENCES, Identity

_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_TYPE = "bootstrap.kubernetes.io/token"


class BootstrapTokens:
    """Implements `authn.Tokens`."""

    def __init__(self, finder: Finder, clock: Clock) -> None:
        self._finder = finder
        self._clock = clock

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        found: Secret | None = await self._finder.find(Secret, f"bootstrap-token-{match[1]}", "kube-system")
        if found is None or found.type != _TYPE or found.metadata.deletion_timestamp is not None:
            return None
        groups = _groups(
            {key: value.decode(errors="replace") for key, value in found.data.items()}, match, self._clock.now()
        )
        if groups is None:
            return None
        user = User(name=f"system:bootstrap:{match[1]}", groups=groups)
        return Identity(user, tuple(audience for audience in audiences if audience in API_AUDIENCES))


def _groups(data: Mapping[str, str], token: re.Match[str], now: float) -> tuple[str, ...] | None:
    """None when the secret is not this token's, or does not let anybody in."""
    if (
        not hmac.compare_digest(data.get("token-secret", "").encode(), token[2].encode())
        or data.get("token-id") != token[1]
    ):
        return None
    if expiration := data.get("expiration"):
        try:
            if parse_rfc3339(expiration) <= now:
                return None
        except ValueError:
            return None
    if data.get("usage-bootstrap-authentication") != "true":
        return None
    extra = {group for group in data.get("auth-extra-groups", "").split(",") if group}
    if not all(_GROUP.fullmatch(group) for group in extra):
        return None
    return ("system:bootstrappers", *sorted(extra))
