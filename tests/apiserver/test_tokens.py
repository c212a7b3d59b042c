from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from kubelite.api import authentication_v1 as authentication, core_v1 as core
from kubelite.api.errors import BadRequest, Conflict, Invalid, NotFound
from kubelite.apiserver.signing import SigningKey
from kubelite.apiserver.tokens import API_AUDIENCES, BadToken, ServiceAccountTokens
from tests.apiserver.registries import Cluster, cluster, pod


async def ask(c: Cluster, name: str = "default", **spec: object) -> authentication.TokenRequest:
    wanted = authentication.TokenRequest(spec=authentication.TokenRequestSpec(**spec))  # type: ignore[arg-type]
    made = await c.client.create_subresource(wanted, name, "default", plural="serviceaccounts", subresource="token")
    assert isinstance(made, authentication.TokenRequest)
    return made


def bound_to(kind: str, name: str, uid: str = "") -> authentication.BoundObjectReference:
    return authentication.BoundObjectReference(kind=kind, api_version="v1", name=name, uid=uid)


async def test_a_token_is_that_of_its_account() -> None:
    async with cluster() as c:
        made = await ask(c)
        found = await c.registry.tokens.authenticate_token(made.status.token, API_AUDIENCES)
        assert found is not None
        assert found.user.name == "system:serviceaccount:default:default"
        assert found.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
        assert found.audiences == made.spec.audiences == API_AUDIENCES
        assert made.spec.expiration_seconds == 3600


async def test_a_token_bound_to_a_pod_names_it_and_ends_with_it() -> None:
    async with cluster() as c:
        made_pod = await c.client.create(pod())
        token = (await ask(c, bound_object_ref=bound_to("Pod", "web", made_pod.metadata.uid))).status.token
        found = await c.registry.tokens.authenticate_token(token, API_AUDIENCES)
        assert found is not None
        assert found.user.extra["authentication.kubernetes.io/pod-name"] == ("web",)
        await c.client.delete(core.Pod, "web", "default")
        with pytest.raises(BadToken, match="has been invalidated"):
            await c.registry.tokens.authenticate_token(token, API_AUDIENCES)


async def test_a_token_ends_with_its_account() -> None:
    async with cluster() as c:
        token = (await ask(c)).status.token
        await c.client.delete(core.ServiceAccount, "default", "default")
        with pytest.raises(BadToken, match="not found"):
            await c.registry.tokens.authenticate_token(token, API_AUDIENCES)


async def test_a_token_is_good_only_for_its_audiences() -> None:
    async with cluster() as c:
        token = (await ask(c, audiences=("vault", "other"))).status.token
        found = await c.registry.tokens.authenticate_token(token, ("vault", "else"))
        assert found is not None
        assert found.audiences == ("vault",)
        with pytest.raises(BadToken, match='token audiences \\["vault" "other"\\] is invalid'):
            await c.registry.tokens.authenticate_token(token, API_AUDIENCES)


async def test_what_was_tampered_with_or_signed_by_another_is_refused() -> None:
    async with cluster() as c:
        token = (await ask(c)).status.token
        head, _, signature = token.split(".")
        claims = msgspec.json.decode(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        claims["sub"] = "system:serviceaccount:kube-system:admin"
        forged = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
        others = SigningKey().sign(msgspec.json.encode(claims))
        for bad in (f"{head}.{forged}.{signature}", others, token[:-8] + "AAAAAAAA"):
            with pytest.raises(BadToken, match="invalid bearer token"):
                await c.registry.tokens.authenticate_token(bad, API_AUDIENCES)
        assert await c.registry.tokens.authenticate_token("no.web.token", API_AUDIENCES) is None


async def test_an_expired_token_is_refused_after_a_minute_of_grace() -> None:
    class Later:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def now(self) -> float:
            return clock.now() + self.seconds

    async with cluster() as c:
        clock, key = c.registry.clock, c.registry.tokens._key
        token = (await ask(c, expiration_seconds=600)).status.token
        early = ServiceAccountTokens(c.registry, Later(650), key)  # type: ignore[arg-type]  # only its time is read
        assert await early.authenticate_token(token, API_AUDIENCES)
        late = ServiceAccountTokens(c.registry, Later(661), key)  # type: ignore[arg-type]
        with pytest.raises(BadToken, match="has expired"):
            await late.authenticate_token(token, API_AUDIENCES)


async def test_requests_that_make_no_sense_are_refused() -> None:
    async with cluster() as c:
        await c.client.create(pod())
        with pytest.raises(Invalid, match="10 minutes"):
            await ask(c, expiration_seconds=599)
        with pytest.raises(BadRequest, match="cannot bind token to object of type /v1, Kind=ConfigMap"):
            await ask(c, bound_object_ref=bound_to("ConfigMap", "x"))
        with pytest.raises(NotFound, match='pods "gone" not found'):
            await ask(c, bound_object_ref=bound_to("Pod", "gone"))
        with pytest.raises(Conflict, match="UID in the bound object reference"):
            await ask(c, bound_object_ref=bound_to("Pod", "web", "other"))
        with pytest.raises(NotFound):
            await ask(c, "nobody")


async def test_what_pods_are_given_outlives_what_it_says() -> None:
    async with cluster() as c:
        token = (await ask(c, expiration_seconds=3607)).status.token
        claims = msgspec.json.decode(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert claims["exp"] - claims["iat"] == 365 * 86400
        assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607


def test_the_key_pair_is_made_once_and_private(tmp_path: Path) -> None:
    first = SigningKey(tmp_path)
    token = first.sign(b"{}")
    assert SigningKey(tmp_path).verify(token)
    assert SigningKey(tmp_path).jwks == first.jwks
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {"sa.key": 0o600, "sa.pub": 0o600}
