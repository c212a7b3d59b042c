"""Service-account tokens over HTTPS: who they are, and how others can check them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kubelite import Cluster
from kubelite.api import authentication_v1 as authentication
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ConfigMap, Pod, ServiceAccount

HELLO = Path(__file__).parents[2] / "config" / "examples" / "hello.yaml"


async def get(cluster: Cluster, path: str, token: str = "") -> tuple[int, Any]:
    root = await cluster.wait_for(ConfigMap, "kube-root-ca.crt")
    trust = ssl.create_default_context(cadata=root.data["ca.crt"])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(cluster.server + path, headers=headers, ssl=trust) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def issue(cluster: Cluster) -> str:
    await cluster.wait_for(ServiceAccount, "default")
    made = await cluster.client.create_subresource(
        authentication.TokenRequest(), "default", "default", plural="serviceaccounts", subresource="token"
    )
    return str(made.status.token)


async def test_a_token_identifies_its_account_and_nobody_else() -> None:
    async with Cluster(serve=True, components="apiserver,controllers") as cluster:
        token = await issue(cluster)
        status, body = await get(cluster, "/api/v1/namespaces/default/pods", token)
        assert status == 403
        assert 'User "system:serviceaccount:default:default" cannot list' in body["message"]
        assert (await get(cluster, "/api/v1/namespaces/default/pods", token + "x"))[0] == 401


async def test_the_issuer_publishes_its_keys_to_service_accounts() -> None:
    async with Cluster(serve=True, components="apiserver,controllers") as cluster:
        token = await issue(cluster)
        status, issuer = await get(cluster, "/.well-known/openid-configuration", token)
        assert status == 200
        assert issuer["id_token_signing_alg_values_supported"] == ["ES256"]
        keys = (await get(cluster, issuer["jwks_uri"].removeprefix(cluster.server), token))[1]["keys"]
        assert keys[0]["kty"] == "EC"
        assert (await get(cluster, "/openid/v1/jwks"))[0] == 403


@pytest.mark.parametrize("serve", [True, False])
async def test_every_pod_gets_its_accounts_token(serve: bool) -> None:
    async with Cluster(serve=serve) as cluster:
        await cluster.apply(HELLO)
        await cluster.wait_for(Deployment, "hello", lambda deployment: deployment.status.replicas == 3)
        pods = (await cluster.client.list(Pod, "default")).items
        assert len(pods) == 3
        for pod in pods:
            volume = pod.spec.volumes[-1]
            assert volume.name.startswith("kube-api-access-")
            mount = pod.spec.containers[0].volume_mounts[-1]
            assert (mount.name, mount.mount_path) == (volume.name, "/var/run/secrets/kubernetes.io/serviceaccount")
