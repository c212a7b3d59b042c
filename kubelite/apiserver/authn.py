"""Who asks: a front proxy's word, client certificates, bearer tokens of several kinds, nobody.

A request with bad credentials is Unauthorized; one without any is system:anonymous, which by the default roles may read
health and version only. Impersonation is checked by the authorizer like any other right.
Source: k8s.io/apiserver pkg/authentication, pkg/endpoints/filters/impersonation.go
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from kubelite.api.errors import Unauthorized
from kubelite.apiserver.answers import Headers, Peer, Request, Subject
from kubelite.apiserver.authz import Attributes, Authorizer, forbidden
from kubelite.apiserver.interface import User
from kubelite.apiserver.signing import decode
from kubelite.apiserver.tokens import API_AUDIENCES, CREDENTIAL_ID, BadToken, Identity

AUTHENTICATED = "system:authenticated"
ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
_EXTRA = "impersonate-extra-"
_API = "authentication.k8s.io/v1"
#: Source: k8s.io/apiserver pkg/authentication/request/websocket/protocol.go
_WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io."


class BadImpersonation(Exception):
    """A request names something of a user to be, but no user."""


class Tokens(Protocol):
    """Knows one kind of token."""

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """The user, without system:authenticated; None when it is no such token. Raises: BadToken."""


class TokenAuthenticator(Tokens, Protocol):
    """Checks service-account tokens."""

    @property
    def jwks(self) -> Any:
        """The keys that sign them, as a JSON Web Key Set."""


class FrontProxy(msgspec.Struct, frozen=True, kw_only=True):
    """Whose word is believed: clients with a certificate of one of `issuers`, of these names if any are given.

    Others are who their certificate says only if it is of one of `client_issuers`: what an authority of proxies has delegated
    makes nobody a client.
    Source: k8s.io/apiserver pkg/authentication/request/headerrequest
    """

    issuers: tuple[Subject, ...]
    client_issuers: tuple[Subject, ...]
    names: tuple[str, ...] = ()
    user_headers: tuple[str, ...] = ("X-Remote-User",)
    group_headers: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)

    def user(self, peer: Peer, headers: Headers) -> User | None:
        """Whom the proxy speaks for, if it does."""
        if self.names and peer.common_name not in self.names:
            return None
        name = next((value for field in self.user_headers if (value := headers.get(field, ""))), "")
        if not name:
            return None
        groups = tuple(value for field in self.group_headers for value in headers.getall(field, []))
        extra: dict[str, tuple[str, ...]] = {}
        for field, value in headers.items():
            for prefix in self.extra_prefixes:
                if field.lower().startswith(prefix.lower()):
                    key = unquote(field[len(prefix) :].lower())
                    extra[key] = (*extra.get(key, ()), value)
        return User(name=name, groups=groups, extra=extra)


class Authenticator:
    """`tokens` are the static ones, each with its user; `service_accounts` and `others` check the others, in this order."""

    def __init__(
        self,
        tokens: Mapping[str, User] | None = None,
        service_accounts: TokenAuthenticator | None = None,
        *,
        others: Sequence[Tokens] = (),
        front_proxy: FrontProxy | None = None,
    ) -> None:
        self._tokens = tokens or {}
        self.service_accounts = service_accounts
        self._kinds: tuple[Tokens, ...] = (*((service_accounts,) if service_accounts else ()), *others)
        self._front_proxy = front_proxy

    async def authenticate(self, request: Request) -> User:
        """Raises: Unauthorized."""
        peer, proxy = request.peer, self._front_proxy
        is_client = peer is not None and (proxy is None or peer.issuer in proxy.client_issuers)
        if peer is not None and proxy is not None and peer.issuer in proxy.issuers:
            if (user := proxy.user(peer, request.headers)) is not None:
                return _authenticated(user)
        elif peer is not None and is_client and peer.common_name:
            return User(
                name=peer.common_name,
                uid=peer.uid,
                groups=(*peer.organizations, AUTHENTICATED),
                extra={CREDENTIAL_ID: (f"X509SHA256={peer.fingerprint}",)},
            )
        if token := _bearer(request.headers):
            try:
                return (await self.authenticate_token(token, API_AUDIENCES)).user
            except BadToken:
                raise Unauthorized from None
        if peer is not None and not is_client:
            raise Unauthorized
        return ANONYMOUS

    async def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity:
        """Raises: BadToken."""
        if (user := self._tokens.get(token)) is not None:  # good for this server, whatever else is asked
            return Identity(_authenticated(user), tuple(each for each in audiences if each in API_AUDIENCES))
        problems = []
        for kind in self._kinds:
            try:
                if (found := await kind.authenticate_token(token, audiences)) is not None:
                    return Identity(_authenticated(found.user), found.audiences)
            except BadToken as error:
                problems.append(str(error))
        raise BadToken(f"[{', '.join(problems)}]" if len(problems) > 1 else "".join(problems) or "invalid bearer token")


def _authenticated(user: User) -> User:
    known = AUTHENTICATED in user.groups or user.name == ANONYMOUS.name
    return user if known else replace(user, groups=(*user.groups, AUTHENTICATED))


def _bearer(headers: Headers) -> str:
    """The token of a request; browsers can send one to a WebSocket only among its protocols."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for offered in headers.getall("Sec-WebSocket-Protocol", []):
        for protocol in offered.split(","):
            if protocol.strip().startswith(_WEBSOCKET_TOKEN):
                try:
                    return decode(protocol.strip().removeprefix(_WEBSOCKET_TOKEN)).decode()
                except ValueError:
                    raise Unauthorized from None
    return ""


async def impersonate(user: User, headers: Headers, authorizer: Authorizer) -> User:
    """Whom `user` acts as by its Impersonate-* headers; itself without any.

    Raises: BadImpersonation; Forbidden when `user` may not.
    """
    if not any(key[:1] in "Ii" and key.lower().startswith("impersonate-") for key, _ in headers.items()):
        return user
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
        if not (decision := await authorizer.authorize(asked)).allowed:
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
