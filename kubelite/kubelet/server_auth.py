"""Who asks the kubelet, and whether he may: the API server is asked, and its answers are kept for a while.

A client certificate of the cluster's authority names its user; a bearer token is put to the API server in a TokenReview; nobody
is refused. Rights are SubjectAccessReviews about this node. Source: pkg/kubelet/server/auth.go, cmd/kubelet/app/auth.go,
pkg/kubelet/apis/config/v1beta1/defaults.go (how long answers are kept)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import sha256
from typing import Generic, TypeVar

from kubelite.actor.clock import Clock
from kubelite.api.authentication_v1 import TokenReview, TokenReviewSpec, UserInfo
from kubelite.api.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from kubelite.api.errors import Forbidden, Unauthorized
from kubelite.client.interface import Client
from kubelite.kubelet.server_routes import rights_of, verb_of

KNOWN_S = 120.0
ALLOWED_S = 300.0
DENIED_S = 30.0
#: Answers kept of each kind.
CAPACITY = 1024
_AUTHENTICATED = "system:authenticated"

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Kept(Generic[K, V]):
    """Values until they expire; the oldest go first when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._values.get(key)
        return found[0] if found is not None and found[1] > self._clock.monotonic() else None

    def put(self, key: K, value: V, for_s: float) -> None:
        self._values[key] = (value, self._clock.monotonic() + for_s)
        self._values.move_to_end(key)
        if len(self._values) > CAPACITY:
            self._values.popitem(last=False)


class NodeAuth:
    """Asks about the node `node`."""

    def __init__(self, node: str, client: Client, clock: Clock) -> None:
        self._node = node
        self._client = client
        self._users: _Kept[bytes, UserInfo] = _Kept(clock)
        self._rights: _Kept[tuple[str, str, tuple[str, ...], str, str], bool] = _Kept(clock)

    async def authenticate(self, authorization: str, peer: UserInfo | None) -> UserInfo:
        """`peer`: whom the client's certificate names. Raises: Unauthorized; StatusError when the API cannot be asked."""
        if peer is not None:
            return UserInfo(username=peer.username, groups=(*peer.groups, _AUTHENTICATED))
        scheme, _, text = authorization.partition(" ")
        token = text.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized()
        key = sha256(token.encode()).digest()
        if (known := self._users.get(key)) is not None:
            return known
        review = await self._client.create(TokenReview(spec=TokenReviewSpec(token=token)))
        if not review.status.authenticated:
            raise Unauthorized()
        self._users.put(key, review.status.user, KNOWN_S)
        return review.status.user

    async def authorize(self, user: UserInfo, method: str, raw_path: str) -> None:
        """Raises: Forbidden; StatusError when the API cannot be asked."""
        verb, rights = verb_of(method), rights_of(raw_path)
        for right in rights:
            if await self._may(user, verb, right):
                return
        asked = f"user={user.username}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(rights)}]"
        raise Forbidden(f"Forbidden ({asked})")

    async def _may(self, user: UserInfo, verb: str, right: str) -> bool:
        key = (user.username, user.uid, user.groups, verb, right)
        if (known := self._rights.get(key)) is not None:
            return known
        asked = ResourceAttributes(verb=verb, version="v1", resource="nodes", subresource=right, name=self._node)
        spec = SubjectAccessReviewSpec(
            resource_attributes=asked, user=user.username, groups=user.groups, uid=user.uid, extra=user.extra
        )
        review = await self._client.create(SubjectAccessReview(spec=spec))
        allowed = review.status.allowed
        self._rights.put(key, allowed, ALLOWED_S if allowed else DENIED_S)
        return allowed
