"""lightkube: server-side apply, chunked lists, waits and watches. Source: https://lightkube.readthedocs.io"""

from __future__ import annotations

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from tests.clients.manifests import deployment


@pytest.fixture
def client(kubeconfig: str, namespace: str) -> Client:
    return Client(config=KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="one")


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name), data=data)


def test_server_side_apply_shares_forces_and_gives_up_fields(client: Client) -> None:
    assert client.apply(config_map("a", k="1", mine="x")).data == {"k": "1", "mine": "x"}
    with pytest.raises(ApiError) as refused:
        client.apply(config_map("a", k="2"), field_manager="two")
    status = refused.value.status
    assert (status.code, status.reason) == (409, "Conflict")
    assert status.details is not None
    assert status.details.causes is not None
    assert [(cause.field, cause.reason) for cause in status.details.causes] == [(".data.k", "FieldManagerConflict")]
    assert client.apply(config_map("a", k="2"), field_manager="two", force=True).data == {"k": "2", "mine": "x"}
    assert client.apply(config_map("a"), field_manager="one").data == {"k": "2"}


def test_patches_and_chunked_lists(client: Client) -> None:
    for name in ("a", "b", "c"):
        client.create(config_map(name, k="1"))
    assert client.patch(ConfigMap, "a", {"data": {"q": "1"}}).data == {"k": "1", "q": "1"}
    operations = [{"op": "remove", "path": "/data/k"}]
    assert client.patch(ConfigMap, "a", operations, patch_type=PatchType.JSON).data == {"q": "1"}
    names = [each.metadata.name for each in client.list(ConfigMap, chunk_size=1) if each.metadata]
    assert names == ["a", "b", "c", "kube-root-ca.crt"]


def test_a_deployment_is_waited_for_scaled_and_read(client: Client) -> None:
    web = Deployment.from_dict(deployment("web"))
    assert isinstance(web, Deployment)
    client.create(web)
    ready = client.wait(Deployment, "web", for_conditions=["Available"])
    assert ready.status is not None
    assert ready.status.readyReplicas == 1
    scaled = client.patch(Deployment.Scale, "web", {"spec": {"replicas": 3}})
    assert scaled.spec is not None
    assert scaled.spec.replicas == 3
    name = next(iter(client.list(Pod, labels={"app": "web"}))).metadata
    assert name is not None
    assert name.name is not None
    assert list(client.log(name.name)) == ["Started simulated container main\n"]


async def test_a_watch_in_async_code_sees_changes(kubeconfig: str, namespace: str) -> None:
    client = AsyncClient(config=KubeConfig.from_file(kubeconfig), namespace=namespace)
    await client.create(config_map("a", k="1"))
    await client.replace(config_map("a", k="2"))
    async for change, seen in client.watch(ConfigMap, fields={"metadata.name": "a"}):
        assert (change, seen.data) == ("ADDED", {"k": "2"})
        break
    await client.close()
