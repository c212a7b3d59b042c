"""Who asks: client certificates, bearer tokens, service-account tokens, nobody.

A request with bad credentials is Unauthorized; one without any is system:anonymous, which by the default roles may read
health and version only. Impersonation is checked by the authorizer like any other right.
Source: k8s.io/apiserver pkg/authentication, pkg/endpoints/filters/impersonation.go
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from msgspec.structs import replace

from kubelite.api.errors import Unauthorized
from kubelite.apiserver.answers import Headers, Request
from kubelite.apiserver.authz import Attributes, Authorizer, forbidden
from kubelite.apiserver.interface import User
from kubelite.apiserver.tokens import API_AUDIENCES, BadToken, Identity

AUTHENTICATED = "system:authenticated"
ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
_EXTRA = "impersonate-extra-"
_API = "authentication.k8s.io/v1"


class BadImpersonation(Exception):
    """A request names something of a user to be, but no user."""


class TokenAuthenticator(Protocol):
    """Checks service-account tokens."""

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """The user, without system:authenticated; None when it is no such token. Raises: BadToken."""

    @property
    def jwks(self) -> Any:
        """The keys that sign them, as a JSON Web Key Set."""


class Authenticator:
    """`tokens` are the static ones, each with its user; `service_accounts` checks the others."""

    def __init__(
        self, tokens: Mapping[str, User] | None = None, service_accounts: TokenAuthenticator | None = None
    ) -> None:
        self._tokens = tokens or {}
        self.service_accounts = service_accounts

    async def authenticate(self, request: Request) -> User:
        """Raises: Unauthorized."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            try:
                return (await self.authenticate_token(token.strip(), API_AUDIENCES)).user
            except BadToken:
                raise Unauthorized from None
        if request.peer is not None and request.peer.common_name:
            peer = request.peer
            return User(name=peer.common_name, groups=(*peer.organizations, AUTHENTICATED))
        return ANONYMOUS

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity:
        """Raises: BadToken."""
        found: Identity | None = None
        if (user := self._tokens.get(token)) is not None:  # good for this server, whatever else is asked
            found = Identity(user, tuple(audience for audience in audiences if audience in API_AUDIENCES))
        elif self.service_accounts is not None:
            found = await self.service_accounts.authenticate_token(token, audiences)
        if found is None:
            raise BadToken("invalid bearer token")
        return Identity(replace(found.user, groups=(*found.user.groups, AUTHENTICATED)), found.audiences)


def impersonate(user: User, headers: Headers, authorizer: Authorizer) -> User:
    """Whom `user` acts as by its Impersonate-* headers; itself without any.

    Raises: BadImpersonation; Forbidden when `user` may not.
    """
    name, uid = headers.get("Impersonate-User", ""), headers.get("Impersonate-Uid", "")
    groups = tuple(headers.getall("Impersonate-Group", []))
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in headers.items():
        if key.lower().startswith(_EXTRA):
            field = unquote(key[len(_EXTRA) :].lower())
            extra[field] = (*extra.get(field, ()), value)
    if not (name or uid or groups or extra):
        return user
    if not name:
        wanted = [f"{{Group  {group}    }}" for group in groups]
        wanted += [f"{{UserExtra  {value}  {_API}  {key}}}" for key, values in extra.items() for value in values]
        wanted += [f"{{UID  {uid}  {_API}  }}"] if uid else []
        raise BadImpersonation(f"requested [{' '.join(wanted)}] without impersonating a user")
    for asked in _questions(user, name, uid, groups, extra):
        if not (decision := authorizer.authorize(asked)).allowed:
            raise forbidden(asked, decision.reason)
    account = name.split(":")
    if not groups and name.startswith("system:serviceaccount:") and len(account) == 4:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[2]}")
    if name == ANONYMOUS.name:
        groups = groups or ANONYMOUS.groups
    elif AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(name=name, uid=uid, groups=groups, extra=extra)


def _questions(
    user: User, name: str, uid: str, groups: tuple[str, ...], extra: Mapping[str, tuple[str, ...]]
) -> Iterator[Attributes]:
    def ask(resource: str, name: str, *, group: str = "", namespace: str = "", subresource: str = "") -> Attributes:
        return Attributes(
            user=user,
            verb="impersonate",
            group=group,
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=name,
        )

    account = name.split(":")
    if name.startswith("system:serviceaccount:") and len(account) == 4:
        yield ask("serviceaccounts", account[3], namespace=account[2])
    else:
        yield ask("users", name)
    for group in groups:
        yield ask("groups", group)
    if uid:
        yield ask("uids", uid, group="authentication.k8s.io")
    for key, values in extra.items():
        for value in values:
            yield ask("userextras", value, group="authentication.k8s.io", subresource=key)
