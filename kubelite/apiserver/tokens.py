"""Service-account tokens: what they say, for whom they are issued, and whether they still hold.

A token holds while its account, and the pod, node or secret that it is bound to, are there with the same uid.
Source: kubernetes pkg/serviceaccount/{claims,jwt}.go, pkg/registry/core/serviceaccount/storage/token.go, KEP-1205, KEP-4193
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import authentication_v1 as authentication, core_v1 as core
from kubelite.api.errors import BadRequest, FieldError, conflict, invalid, not_found
from kubelite.api.meta import Object
from kubelite.api.timestamp import parse_rfc3339, rfc3339
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.interface import User
from kubelite.apiserver.signing import SigningKey, decode

ISSUER = "https://kubernetes.default.svc"
#: Whom tokens address that name no audience: this API server.
API_AUDIENCES = (ISSUER,)
_DEFAULT_S, _LEAST_S, _MOST_S = 3600, 600, 1 << 32
#: The lifetime that marks tokens which every pod gets: they are good for a year, for clients that never read them again.
_INJECTED_S, _EXTENDED_S = 3607, 365 * 86400
#: How far clocks may be apart, and how long a token outlives what it is bound to.
_LEEWAY_S = 60
_VERIFIED = 4096  #: signatures that are remembered
_EXTRA = "authentication.kubernetes.io"
CREDENTIAL_ID = f"{_EXTRA}/credential-id"


class BadToken(Exception):
    """Why a token does not hold."""


class Identity(msgspec.Struct, frozen=True):
    """Whose token it is, and those of the audiences asked for that it is good for."""

    user: User
    audiences: tuple[str, ...]


class Reference(msgspec.Struct, frozen=True):
    name: str
    uid: str


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of Kubernetes' own."""

    namespace: str
    serviceaccount: Reference
    pod: Reference | None = None
    node: Reference | None = None
    secret: Reference | None = None
    warnafter: int | None = None


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: str
    aud: tuple[str, ...]
    exp: int
    iat: int
    nbf: int
    jti: str = ""
    about: About = msgspec.field(name="kubernetes.io")


_BINDABLE: dict[str, type[Object]] = {"Pod": core.Pod, "Node": core.Node, "Secret": core.Secret}


class ServiceAccountTokens:
    """Implements `authn.TokenAuthenticator`, and issues what it authenticates."""

    def __init__(self, finder: Finder, clock: Clock, key: SigningKey) -> None:
        self._finder = finder
        self._clock = clock
        self._key = key
        self._read = lru_cache(_VERIFIED)(self._verified_claims)

    @property
    def jwks(self) -> Any:
        return self._key.jwks

    # -- issuing -------------------------------------------------------------------------------------------------------

    async def issue(
        self, account: core.ServiceAccount, request: authentication.TokenRequest
    ) -> authentication.TokenRequest:
        """The request with its token. Raises: Invalid, BadRequest, NotFound, Conflict."""
        now = int(self._clock.now())
        spec = request.spec
        lifetime = _DEFAULT_S if spec.expiration_seconds is None else spec.expiration_seconds
        _check_lifetime(lifetime)
        spec = replace(spec, expiration_seconds=lifetime, audiences=spec.audiences or API_AUDIENCES)
        is_injected = lifetime == _INJECTED_S and set(spec.audiences) <= set(API_AUDIENCES)
        meta = account.metadata
        about = About(namespace=meta.namespace, serviceaccount=Reference(meta.name, meta.uid))
        about = await self._bound(about, spec.bound_object_ref)
        if is_injected:
            about = replace(about, warnafter=now + lifetime)
        claims = Claims(
            iss=ISSUER,
            sub=f"system:serviceaccount:{meta.namespace}:{meta.name}",
            aud=spec.audiences,
            exp=now + (_EXTENDED_S if is_injected else lifetime),
            iat=now,
            nbf=now,
            jti=self._clock.uid(),
            about=about,
        )
        token = self._key.sign(msgspec.json.encode(claims))
        status = authentication.TokenRequestStatus(token=token, expiration_timestamp=rfc3339(now + lifetime))
        named = replace(request.metadata, name=meta.name, namespace=meta.namespace, creation_timestamp=rfc3339(now))
        return replace(request, metadata=named, spec=spec, status=status)

    async def _bound(self, about: About, ref: authentication.BoundObjectReference | None) -> About:
        if ref is None:
            return about
        if ref.kind not in _BINDABLE or ref.api_version != "v1":
            group, _, version = ref.api_version.rpartition("/")
            raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={ref.kind}")
        found = await self._find(ref.kind, ref.name, about.namespace)
        if found is None:
            raise not_found("", f"{ref.kind.lower()}s", ref.name)
        if isinstance(found, core.Pod) and found.spec.service_account_name != about.serviceaccount.name:
            what = f'cannot bind token for serviceaccount "{about.serviceaccount.name}" to pod running with '
            raise BadRequest(f'{what}different serviceaccount name "{found.spec.service_account_name}"')
        if ref.uid and ref.uid != found.metadata.uid:
            why = f"the UID in the bound object reference ({ref.uid}) does not match the UID in record. "
            raise conflict("", ref.kind, ref.name, f"{why}The object might have been deleted and then recreated")
        bound = Reference(ref.name, found.metadata.uid)
        if ref.kind != "Pod":
            return replace(about, **{ref.kind.lower(): bound})
        node = await self._finder.find(core.Node, found.spec.node_name) if found.spec.node_name else None
        named = Reference(found.spec.node_name, node.metadata.uid if node else "") if found.spec.node_name else None
        return replace(about, pod=bound, node=named)

    async def _find(self, kind: str, name: str, namespace: str) -> Any:
        return await self._finder.find(_BINDABLE[kind], name, "" if kind == "Node" else namespace)

    # -- authenticating ------------------------------------------------------------------------------------------------

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """None when it is not one of these tokens. Raises: BadToken."""
        claims = self._read(token)
        if claims is None:
            return None
        now = self._clock.now()
        if now > claims.exp + _LEEWAY_S:
            raise BadToken("service account token has expired")
        if now < claims.nbf - _LEEWAY_S:
            raise BadToken("service account token is not valid yet")
        shared = tuple(audience for audience in claims.aud if audience in audiences)
        if not shared:
            raise BadToken(
                f"token audiences {_quoted(claims.aud)} is invalid for the target audiences {_quoted(audiences)}"
            )
        await self._check_account(claims.about, now)
        return Identity(_user(claims), shared)

    def _verified_claims(self, token: str) -> Claims | None:
        """None when it is no JSON Web Token of this issuer. Raises: BadToken."""
        try:
            _, payload, _ = token.split(".")
            claims = msgspec.json.decode(decode(payload), type=Claims)
        except (ValueError, msgspec.DecodeError):
            return None
        if claims.iss != ISSUER:
            return None
        if not self._key.verify(token):
            raise BadToken("invalid bearer token")
        return claims

    async def _check_account(self, about: About, now: float) -> None:
        """Raises: BadToken when the account or what the token is bound to is gone."""
        account, who = about.serviceaccount, f"{about.namespace}/{about.serviceaccount.name}"
        found = await self._finder.find(core.ServiceAccount, account.name, about.namespace)
        if found is None:
            raise BadToken(f'serviceaccounts "{account.name}" not found')
        if _is_gone(found, now):
            raise BadToken(f"service account {who} has been deleted")
        if found.metadata.uid != account.uid:
            raise BadToken(f"service account UID ({found.metadata.uid}) does not match claim ({account.uid})")
        for kind, bound in (("Secret", about.secret), ("Pod", about.pod), ("Node", about.node)):
            if bound is None or (kind == "Node" and about.pod is not None):
                continue
            found = await self._find(kind, bound.name, about.namespace)
            if found is None or _is_gone(found, now):
                raise BadToken("service account token has been invalidated")
            if found.metadata.uid != bound.uid:
                what = f"{kind if kind != 'Secret' else 'secret'} UID ({found.metadata.uid}) does not match service account"
                raise BadToken(f"{what} {kind.lower()} ref claim ({bound.uid})")


def _is_gone(obj: Any, now: float) -> bool:
    deleted = obj.metadata.deletion_timestamp
    return deleted is not None and parse_rfc3339(deleted) < now - _LEEWAY_S


def _user(claims: Claims) -> User:
    about = claims.about
    extra = {CREDENTIAL_ID: (f"JTI={claims.jti}",)} if claims.jti else {}
    for name, bound in (("node", about.node), ("pod", about.pod)):
        if bound is not None:
            extra[f"{_EXTRA}/{name}-name"] = (bound.name,)
            if bound.uid:
                extra[f"{_EXTRA}/{name}-uid"] = (bound.uid,)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{about.namespace}")
    return User(name=claims.sub, uid=about.serviceaccount.uid, groups=groups, extra=extra)


def _check_lifetime(lifetime: int) -> None:
    """Raises: Invalid."""
    why = ""
    if lifetime < _LEAST_S:
        why = "may not specify a duration less than 10 minutes"
    elif lifetime > _MOST_S:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        problem = FieldError("FieldValueInvalid", "spec.expirationSeconds", f"Invalid value: {lifetime}: {why}")
        raise invalid("authentication.k8s.io", "TokenRequest", "", [problem])


def _quoted(audiences: Sequence[str]) -> str:
    return "[" + " ".join(f'"{audience}"' for audience in audiences) + "]"
