"""Static pods come from files and go with them; the API shows a mirror of each, whatever happens to that."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import Node, Pod
from kubelite.api.errors import BadRequest
from kubelite.api.meta import DeleteOptions
from kubelite.kubelet.observed import MIRROR, is_static
from kubelite.kubelet.static_pods import HASH, parse_static
from tests.kubelet.nodes import NODE, bench, is_ready, running

MANIFEST = b"""
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: app, image: "busybox:1", imagePullPolicy: IfNotPresent}]}
"""


def test_a_manifest_is_the_pods_identity() -> None:
    (made,) = parse_static(MANIFEST, NODE, "2025-01-01T00:00:00Z")
    meta = made.metadata
    assert (meta.name, meta.namespace, made.spec.node_name) == (f"web-{NODE}", "default", NODE)
    assert meta.annotations[HASH] == meta.uid
    assert is_static(made)
    (again,) = parse_static(MANIFEST, NODE, "2025-02-02T00:00:00Z")
    (edited,) = parse_static(MANIFEST.replace(b"busybox:1", b"busybox:2"), NODE, "2025-01-01T00:00:00Z")
    assert again.metadata.uid == meta.uid
    assert edited.metadata.uid != meta.uid
    mirror = replace(made, metadata=replace(meta, annotations={**meta.annotations, MIRROR: meta.uid}))
    assert not is_static(mirror)


def test_a_manifest_of_something_else_is_refused() -> None:
    with pytest.raises(BadRequest, match="a static manifest holds pods, not ConfigMap"):
        parse_static(b"{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}", NODE, "")


async def test_the_mirror_tells_the_status_and_comes_back_while_the_containers_stay(tmp_path: Path) -> None:
    name = f"web-{NODE}"
    async with bench() as node, running(node.kubelet(static_pods=tmp_path)):
        (tmp_path / "broken.yaml").write_text("{")
        (tmp_path / "web.yaml").write_bytes(MANIFEST)
        before = await node.until(name, is_ready)
        owner = before.metadata.owner_references[0]
        assert (owner.kind, owner.uid) == ("Node", (await node.client.get(Node, NODE)).metadata.uid)
        await node.client.delete(Pod, name, "default", options=DeleteOptions(grace_period_seconds=0))
        after = await node.until(name, lambda each: is_ready(each) and each.metadata.uid != before.metadata.uid)
        assert after.status.container_statuses == before.status.container_statuses
        await node.delete(name)
        again = await node.until(name, lambda each: is_ready(each) and each.metadata.uid != after.metadata.uid)
        assert again.status.container_statuses == before.status.container_statuses
        (tmp_path / "web.yaml").unlink()
        await node.until_gone(name)
