"""ID tokens of an OpenID Connect issuer: whose they are, by the issuer's keys, which are fetched for the first of them.

Keys are asked for again when a token names one that is not known, but not more often than `_REFRESH_S`. The cryptography
library is loaded with the first token of the issuer.
Source: k8s.io/apiserver plugin/pkg/authenticator/token/oidc, OpenID Connect Discovery 1.0, RFC 7517,
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import msgspec

from kubelite.actor.clock import Clock
from kubelite.apiserver.interface import User
from kubelite.apiserver.signing import decode
from kubelite.apiserver.tokens import API_AUDIENCES, BadToken, Identity

_REFRESH_S = 10.0
_TIMEOUT_S = 10.0
_MOST_BYTES = 1024 * 1024


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, as kube-apiserver's flags have them. `authorities`: PEM text of whom its HTTPS is trusted by."""

    url: str
    client_id: str
    username_claim: str = "sub"
    username_prefix: str = ""
    groups_claim: str = ""
    groups_prefix: str = ""
    authorities: str = ""

    @property
    def user_prefix(self) -> str:
        """What goes before a name; "-" as a setting is nothing."""
        if self.username_prefix:
            return "" if self.username_prefix == "-" else self.username_prefix
        return "" if self.username_claim == "email" else f"{self.url}#"


class OidcTokens:
    """Implements `authn.Tokens`."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._fetched = float("-inf")
        self._fetching = anyio.Lock()

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """None when it is of another issuer. Raises: BadToken."""
        try:
            header, payload, signature = token.split(".")
            claims = msgspec.json.decode(decode(payload), type=dict[str, Any])
            head = msgspec.json.decode(decode(header), type=dict[str, Any])
            signed = decode(signature)
        except (ValueError, msgspec.DecodeError):
            return None
        if claims.get("iss") != self._issuer.url:
            return None
        await self._verify(head, f"{header}.{payload}".encode(), signed)
        _check_claims(claims, self._issuer.client_id, self._clock.now())
        user = user_of(claims, self._issuer)
        return Identity(user, tuple(audience for audience in audiences if audience in API_AUDIENCES))

    async def _verify(self, head: Mapping[str, Any], signed: bytes, signature: bytes) -> None:
        """Raises: BadToken."""
        if head.get("alg") != "RS256":
            raise BadToken(f'oidc: verify token: id token signed with unsupported algorithm, got "{head.get("alg")}"')
        wanted = str(head.get("kid", ""))
        if wanted not in self._keys:
            await self._fetch(wanted)
        candidates = [self._keys[wanted]] if wanted in self._keys else list(self._keys.values()) if not wanted else []
        if not any(_holds(key, signed, signature) for key in candidates):
            raise BadToken("oidc: verify token: failed to verify signature: failed to verify id token signature")

    async def _fetch(self, wanted: str) -> None:
        """Raises: BadToken when the issuer cannot be asked."""
        async with self._fetching:
            if wanted in self._keys or self._clock.monotonic() - self._fetched < _REFRESH_S:
                return
            self._fetched = self._clock.monotonic()
            try:
                self._keys = await self._fetched_keys()
            except (OSError, ValueError, TimeoutError, msgspec.DecodeError) as error:
                raise BadToken(f"oidc: fetching keys: {error}") from error

    async def _fetched_keys(self) -> dict[str, Any]:
        """Raises: OSError, ValueError, TimeoutError, DecodeError."""
        found = await self._get(f"{self._issuer.url.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer.url:
            raise ValueError(f'issuer did not match, expected "{self._issuer.url}" got "{found.get("issuer")}"')
        keys = (await self._get(str(found.get("jwks_uri", "")))).get("keys", ())
        return {str(key.get("kid", "")): _public_key(key) for key in keys if key.get("kty") == "RSA"}

    async def _get(self, url: str) -> dict[str, Any]:
        import aiohttp

        context = ssl.create_default_context(cadata=self._issuer.authorities or None)
        try:
            with anyio.fail_after(_TIMEOUT_S):
                async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
                    if answer.status != 200:
                        raise ValueError(f"{url}: {answer.status} {answer.reason}")
                    body = await answer.content.read(_MOST_BYTES)
        except aiohttp.ClientError as error:
            raise ValueError(f"{url}: {error}") from error
        return msgspec.json.decode(body, type=dict[str, Any])


def _public_key(key: Mapping[str, Any]) -> Any:
    """Raises: ValueError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    n, e = (int.from_bytes(decode(str(key.get(part, ""))), "big") for part in ("n", "e"))
    return RSAPublicNumbers(e, n).public_key()


def _holds(key: Any, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _check_claims(claims: Mapping[str, Any], client_id: str, now: float) -> None:
    """Raises: BadToken."""
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise BadToken(f'oidc: verify token: expected audience "{client_id}" got {audience}')
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or expires < now:
        raise BadToken("oidc: verify token: token is expired")
    if not isinstance(begins, int | float) or begins > now + 300:
        raise BadToken("oidc: verify token: current time is before the nbf (not before) time")


def user_of(claims: Mapping[str, Any], issuer: Issuer) -> User:
    """
    >>> user_of({"sub": "jane"}, Issuer(url="https://a", client_id="k")).name
    'https://a#jane'

    Raises: BadToken.
    """
    name = claims.get(issuer.username_claim)
    if not isinstance(name, str) or not name:
        raise BadToken(f'oidc: parse username claims "{issuer.username_claim}": claim not present')
    if issuer.username_claim == "email" and claims.get("email_verified", True) is not True:
        raise BadToken("oidc: email not verified")
    claimed = claims.get(issuer.groups_claim, []) if issuer.groups_claim else []
    groups = claimed if isinstance(claimed, list) else [claimed]
    if not all(isinstance(group, str) for group in groups):
        raise BadToken(f'oidc: parse groups claim "{issuer.groups_claim}": not a text or a list of texts')
    return User(name=issuer.user_prefix + name, groups=tuple(issuer.groups_prefix + group for group in groups))
