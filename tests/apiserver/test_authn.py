"""Every way to say who asks, against a server with the settings for it."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from kubelite import Cluster
from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import Secret
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.oidc import Issuer, OidcTokens, user_of
from kubelite.apiserver.token_file import parse_token_file
from kubelite.apiserver.tokens import API_AUDIENCES, BadToken
from kubelite.config import ConfigError
from tests.apiserver.authorities import Authority, trust

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


async def whoami(
    cluster: Cluster, *, token: str = "", certificate: Path | None = None, headers: dict[str, str] | None = None
) -> Any:
    """(user name, groups) as the server sees it, or the status code."""
    root = cluster.kubeconfig
    assert root is not None
    authority = base64.b64decode(
        msgspec.yaml.decode(root.read_bytes())["clusters"][0]["cluster"]["certificate-authority-data"]
    )
    sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
    context = trust(authority.decode(), certificate)
    url = f"{cluster.server}/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=REVIEW, headers=sent, ssl=context) as answer,
    ):
        if answer.status != 201:
            return answer.status
        user = (await answer.json())["status"]["userInfo"]
        return user["username"], user.get("groups", [])


async def test_a_static_token_is_its_user(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text('secret1,jane,42,"devs,ops"\nsecret2,bob,43\n')
    async with Cluster(serve=True, components="apiserver", token_auth_file=str(file)) as cluster:
        assert await whoami(cluster, token="secret1") == ("jane", ["devs", "ops", "system:authenticated"])
        assert await whoami(cluster, token="secret2") == ("bob", ["system:authenticated"])
        assert await whoami(cluster, token="secret3") == 401
        protocol = base64.urlsafe_b64encode(b"secret2").rstrip(b"=").decode()
        browser = {"Sec-WebSocket-Protocol": f"base64url.bearer.authorization.k8s.io.{protocol}, v4.channel.k8s.io"}
        assert await whoami(cluster, headers=browser) == ("bob", ["system:authenticated"])


def test_a_static_token_needs_three_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2 needs at least 3 columns"):
        parse_token_file("# ours\nsecret,jane\n")


async def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("a,b")
    for setting, file, says in (
        ("token_auth_file", "short.csv", "tokenAuthFile.*at least 3 columns"),
        ("token_auth_file", "none.csv", "tokenAuthFile: cannot read"),
        ("requestheader_client_ca_file", "short.csv", "requestheaderClientCaFile.*holds no certificates"),
    ):
        settings: dict[str, Any] = {setting: str(tmp_path / file)}
        with pytest.raises(ConfigError, match=says):
            async with Cluster(serve=True, components="apiserver", **settings):
                raise AssertionError


def bootstrap_token(name: str, **data: str) -> Secret:
    fields = {
        "token-id": name,
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        **{key.replace("_", "-"): value for key, value in data.items()},
    }
    return Secret(
        metadata=ObjectMeta(name=f"bootstrap-token-{name}", namespace="kube-system"),
        type="bootstrap.kubernetes.io/token",
        data={key: value.encode() for key, value in fields.items()},
    )


async def test_a_bootstrap_token_is_a_bootstrapper_while_its_secret_says_so() -> None:
    secret = "0123456789abcdef"
    async with Cluster(serve=True, components="apiserver") as cluster:
        extra = "system:bootstrappers:kubeadm:default-node-token"
        for made in (
            bootstrap_token("aaaaaa", auth_extra_groups=extra, expiration="2999-01-01T00:00:00Z"),
            bootstrap_token("bbbbbb", expiration="2020-01-01T00:00:00Z"),
            bootstrap_token("cccccc", usage_bootstrap_authentication="false"),
            bootstrap_token("dddddd", auth_extra_groups="system:masters"),
        ):
            await cluster.client.create(made)
        groups = ["system:bootstrappers", extra, "system:authenticated"]
        assert await whoami(cluster, token=f"aaaaaa.{secret}") == ("system:bootstrap:aaaaaa", groups)
        for token in (f"aaaaaa.{secret[::-1]}", f"bbbbbb.{secret}", f"cccccc.{secret}", f"dddddd.{secret}"):
            assert await whoami(cluster, token=token) == 401


async def test_a_front_proxy_speaks_for_others_and_is_nobody_itself(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "proxies")
    proxy, stranger = authority.issue("front-proxy-client"), authority.issue("stranger")
    word = {"X-Remote-User": "jane", "X-Remote-Group": "devs", "X-Remote-Extra-Scopes": "view"}
    settings: dict[str, Any] = {
        "requestheader_client_ca_file": str(authority.path),
        "requestheader_allowed_names": "front-proxy-client",
    }
    async with Cluster(serve=True, components="apiserver", **settings) as cluster:
        assert await whoami(cluster, certificate=proxy, headers=word) == ("jane", ["devs", "system:authenticated"])
        assert await whoami(cluster, certificate=proxy) == 401
        assert await whoami(cluster, certificate=stranger, headers=word) == 401
        assert await whoami(cluster, headers=word) == 403  # anonymous, whatever it says


# -- OpenID Connect ----------------------------------------------------------------------------------------------------


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Provider:
    """A small issuer: discovery and keys over HTTPS."""

    def __init__(self, certificate: Path) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self._certificate = certificate

    def add_key(self, name: str) -> None:
        self.keys[name] = rsa.generate_private_key(65537, 2048)

    def token(self, kid: str = "one", key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        head = {"alg": "RS256", "kid": kid}
        body = {"iss": self.url, "aud": "kube", "sub": "jane", "exp": SystemClock().now() + 60, **claims}
        signed = f"{encoded(head)}.{encoded(body)}"
        signature = (key or self.keys[kid]).sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return f"{signed}.{encoded(signature)}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        keys = []
        for name, key in self.keys.items():
            numbers = key.public_key().public_numbers()
            n, e = (encoded(part.to_bytes((part.bit_length() + 7) // 8, "big")) for part in (numbers.n, numbers.e))
            keys.append({"kty": "RSA", "use": "sig", "kid": name, "alg": "RS256", "n": n, "e": e})
        return web.json_response({"keys": keys})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Provider]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        self.add_key("one")
        try:
            yield self
        finally:
            await runner.cleanup()


async def test_an_issuers_token_is_its_subject_with_groups(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "issuer")
    async with Provider(authority.issue("127.0.0.1")).running() as provider:
        settings: dict[str, Any] = {
            "oidc_issuer_url": provider.url,
            "oidc_client_id": "kube",
            "oidc_groups_claim": "groups",
            "oidc_groups_prefix": "oidc:",
            "oidc_ca_file": str(authority.path),
        }
        async with Cluster(serve=True, components="apiserver", **settings) as cluster:
            assert provider.asked == []
            token = provider.token(groups=["devs"])
            for _ in range(2):
                assert await whoami(cluster, token=token) == (
                    f"{provider.url}#jane",
                    ["oidc:devs", "system:authenticated"],
                )
            assert provider.asked == ["/.well-known/openid-configuration", "/keys"]
            forged = provider.token(key=rsa.generate_private_key(65537, 2048))
            for bad in (
                provider.token(aud="other"),
                provider.token(aud=7),
                provider.token(exp=1),
                forged,
                token[:-9] + "AAAAAAAAA",
            ):
                assert await whoami(cluster, token=bad) == 401


async def test_new_keys_are_fetched_but_not_for_every_unknown_one(tmp_path: Path) -> None:
    class Later(SystemClock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    authority, clock = Authority(tmp_path, "issuer"), Later()
    async with Provider(authority.issue("127.0.0.1")).running() as provider:
        issuer = Issuer(url=provider.url, client_id="kube", authorities=authority.path.read_text())
        tokens = OidcTokens(issuer, clock)
        assert await tokens.authenticate_token(provider.token(), API_AUDIENCES)
        provider.add_key("two")
        for _ in range(3):
            with pytest.raises(BadToken, match="failed to verify signature"):
                await tokens.authenticate_token(provider.token("two"), API_AUDIENCES)
        assert len(provider.asked) == 2
        clock.ahead = 60.0
        assert await tokens.authenticate_token(provider.token("two"), API_AUDIENCES)
        assert await tokens.authenticate_token(provider.token(iss="https://elsewhere"), API_AUDIENCES) is None


@pytest.mark.parametrize(
    ("claims", "settings", "name"),
    [
        ({"sub": "jane"}, {}, "https://a#jane"),
        ({"sub": "jane"}, {"username_prefix": "-"}, "jane"),
        ({"sub": "jane"}, {"username_prefix": "o:"}, "o:jane"),
        ({"email": "j@x", "email_verified": True}, {"username_claim": "email"}, "j@x"),
        ({"email": "j@x", "email_verified": False}, {"username_claim": "email"}, None),
        ({"sub": "jane"}, {"username_claim": "name"}, None),
        ({"sub": "jane", "groups": [1]}, {"groups_claim": "groups"}, None),
        ({"sub": "jane", "groups": 1}, {"groups_claim": "groups"}, None),
        ({"sub": 7}, {}, None),
    ],
)
def test_claims_become_a_name(claims: dict[str, Any], settings: dict[str, str], name: str | None) -> None:
    issuer = Issuer(url="https://a", client_id="kube", **settings)
    if name is None:
        with pytest.raises(BadToken):
            user_of(claims, issuer)
    else:
        assert user_of(claims, issuer).name == name
