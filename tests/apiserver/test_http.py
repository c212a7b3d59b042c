"""The served API as a client sees it: codes, forms, watches, the end of the server."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import time
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import msgspec
import pytest
from anyio.abc import TaskStatus
from prometheus_client.parser import text_string_to_metric_families

from kubelite.api import core_v1 as core
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.http import MAX_BODY_BYTES
from tests.apiserver.registries import cluster, config, pod
from tests.apiserver.serving import ADMIN, ALICE, Served, make_server, served
from tests.apiserver.streams import FakeStreams

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {ADMIN}"}


async def test_objects_are_created_read_patched_and_deleted() -> None:
    async with served() as s:
        body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "1"}}
        status, made = await s.ask("POST", MAPS, json=body)
        assert (status, made["kind"], made["data"]) == (201, "ConfigMap", {"k": "1"})
        headers = {"Content-Type": "application/merge-patch+json"}
        status, patched = await s.ask("PATCH", f"{MAPS}/a", headers=headers, data=b'{"data":{"k":"2"}}')
        assert (status, patched["data"]) == (200, {"k": "2"})
        status, listed = await s.ask("GET", MAPS)
        assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
        assert "kind" not in listed["items"][0]
        status, gone = await s.ask("DELETE", f"{MAPS}/a")
        assert (status, gone["status"], gone["details"]["name"]) == (200, "Success", "a")
        assert (await s.ask("GET", f"{MAPS}/a"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "options", "code", "message"),
    [
        ("POST", MAPS, {"data": b'{"kind":', "headers": JSON}, 400, "couldn't get version/kind; json parse error"),
        ("POST", MAPS, {"data": b"[1]", "headers": JSON}, 400, "cannot unmarshal array"),
        ("POST", MAPS, {"data": b"\xff\xfe", "headers": JSON}, 400, "json parse error"),
        (
            "POST",
            MAPS,
            {"data": b"k8s\0\xff", "headers": {"Content-Type": "application/vnd.kubernetes.protobuf"}},
            400,
            "",
        ),
        ("POST", MAPS, {"data": b"a=b", "headers": {"Content-Type": "x/form"}}, 415, "accepted media types include"),
        ("PATCH", f"{MAPS}/a", {"data": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "415"),
        ("PATCH", f"{MAPS}/a?force=1", {"headers": {"Content-Type": "application/merge-patch+json"}}, 422, "force"),
        ("GET", MAPS, {"headers": {"Accept": "text/html"}}, 406, "406: Not Acceptable"),
        ("GET", f"{MAPS}?limit=many", {}, 400, 'parsing "many"'),
        ("GET", f"{MAPS}?labelSelector=((", {}, 400, "found '('"),
        ("GET", f"{MAPS}?watch=1&resourceVersion=99999999", {}, 504, "Too large resource version"),
        ("PUT", MAPS, {"data": b"{}"}, 405, "does not allow this method"),
        ("TRACE", MAPS, {}, 405, "does not allow this method"),
        ("GET", "/api/v1/pods/web", {}, 404, "could not find the requested resource"),
        ("GET", "/apis/apps/v9/deployments", {}, 404, "could not find the requested resource"),
        ("GET", "/api/v1/namespaces/default/pods/p/exec", {}, 404, 'pods "p" not found'),
        ("GET", "/api/v1/watch", {}, 400, "unable to determine kind"),
        ("GET", f"{MAPS}?includeObject=All", {"headers": {"Accept": TABLE}}, 400, "includeObject"),
    ],
)
async def test_bad_request_is_refused_with_a_status(
    method: str, path: str, options: dict[str, Any], code: int, message: str
) -> None:
    async with served() as s:
        status, body = await s.ask(method, path, **options)
        assert (status, body["kind"], body["code"]) == (code, "Status", code)
        assert message in body["message"]


async def test_body_above_the_limit_is_413_announced_or_not() -> None:
    async with served() as s:
        assert (await s.ask("POST", MAPS, data=io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))))[0] == 413

        async def chunks() -> Any:
            for _ in range(4):
                yield b"x" * 1024 * 1024

        assert (await s.ask("POST", MAPS, data=chunks()))[0] == 413


async def test_garbage_on_the_socket_is_answered_and_the_server_lives() -> None:
    async with served() as s:
        for data in (b"\x00\x01garbage\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: nope\r\n\r\n"):
            async with await anyio.connect_tcp("127.0.0.1", s.server.port) as stream:
                await stream.send(data)
                assert b" 400 " in await stream.receive()
        assert (await s.ask("GET", "/healthz"))[0] == 200


async def test_anonymous_reads_health_and_nothing_else_and_bad_token_is_unauthorized() -> None:
    async with served() as s:
        assert await s.ask("GET", "/healthz", token="") == (200, "ok")
        status, body = await s.ask("GET", MAPS, token="")
        assert (status, body["reason"]) == (403, "Forbidden")
        assert 'User "system:anonymous" cannot list resource "configmaps"' in body["message"]
        status, body = await s.ask("GET", "/healthz", token="wrong")
        assert (status, body["message"], "details" in body) == (401, "Unauthorized", False)


@pytest.mark.parametrize(
    ("line", "more", "stays"),
    [
        ("GET /healthz HTTP/1.1", "", True),
        ("GET /healthz HTTP/1.1", "Connection: close", False),
        ("GET /healthz HTTP/1.0", "", False),
        ("GET /healthz HTTP/1.0", "Connection: keep-alive", True),
        ("HEAD /healthz HTTP/1.1", "", True),
    ],
)
async def test_every_kind_of_client_gets_the_same_header_and_keeps_its_connection_if_it_may(
    line: str, more: str, stays: bool
) -> None:
    fixed = [line, "Host: x", f"Authorization: Bearer {ADMIN}"]
    asked = "\r\n".join([*fixed, *([more] if more else []), "", ""]).encode()
    async with served() as s, await anyio.connect_tcp("127.0.0.1", s.server.port) as stream:
        for _ in range(2 if stays else 1):
            await stream.send(asked)
            answer = b""
            while not answer.endswith(b"\r\n\r\n" if line.startswith("HEAD") else b"ok"):
                answer += await stream.receive()
            head = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            fields = {field.partition(":")[0] for field in head[1:]} - {"Connection", "Server"}
            assert head[0].endswith(" 200 OK")
            assert fields >= {"Audit-Id", "Cache-Control", "Content-Length", "Content-Type", "Date"}
        if not stays:
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with served() as s, await anyio.connect_tcp("127.0.0.1", s.server.port) as stream:
        paths = ("/healthz", "/version", "/healthz")
        await stream.send(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths))
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < len(paths) or not answers.endswith(b"ok"):
            answers += await stream.receive()
        assert b'"gitVersion"' in answers.split(b"HTTP/1.1 200 OK")[2]


async def test_forms_yaml_table_partial_and_pretty() -> None:
    async with served() as s:
        await s.cluster.client.create(config(k="v"))
        path = f"{MAPS}/settings"
        _, text = await s.ask("GET", path, headers={"Accept": "application/yaml"})
        assert "data:\n  k: v\n" in text
        _, table = await s.ask("GET", MAPS, headers={"Accept": f"{TABLE},application/json"})
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert table["rows"][0]["cells"][:2] == ["settings", 1]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        _, partial = await s.ask("GET", path, headers={"Accept": TABLE.replace("Table", "PartialObjectMetadata")})
        assert sorted(partial) == ["apiVersion", "kind", "metadata"]
        async with s.session.get(s.url(f"{path}?pretty=true"), headers=BEARER) as answer:
            assert '\n  "kind": "ConfigMap"' in await answer.text()
        body = b"metadata:\n  name: y\ndata:\n  t: '2020-01-01'\n"
        headers = {"Content-Type": "application/yaml"}
        assert (await s.ask("POST", MAPS, data=body, headers=headers))[1]["data"] == {"t": "2020-01-01"}


async def test_long_answer_is_compressed_when_accepted() -> None:
    async with served() as s:
        await s.cluster.client.create(config(k="v" * 200_000))
        for accept, encoding in (("gzip", "gzip"), ("identity", None)):
            headers = {**BEARER, "Accept-Encoding": accept}
            async with (
                aiohttp.ClientSession(auto_decompress=False) as raw,
                raw.get(s.url(MAPS), headers=headers) as answer,
            ):
                body = await answer.read()
            assert answer.headers.get("Content-Encoding") == encoding
            assert json.loads(gzip.decompress(body) if encoding else body)["kind"] == "ConfigMapList"


async def events(s: Served, path: str, count: int, headers: dict[str, str] | None = None) -> list[Any]:
    found: list[Any] = []
    async with s.session.get(s.url(path), headers={**BEARER, **(headers or {})}) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            found.append(json.loads(line))
            if len(found) == count:
                break
    return found


async def test_watch_delivers_present_state_changes_and_the_end_of_its_time() -> None:
    async with served() as s:
        await s.cluster.client.create(config("one"))
        async with s.session.get(s.url(f"{MAPS}?watch=1&timeoutSeconds=1"), headers=BEARER) as answer:
            first = json.loads(await answer.content.readline())
            await s.cluster.client.create(config("two"))
            second = json.loads(await answer.content.readline())
            rest = await answer.content.read()
        names = [(event["type"], event["object"]["metadata"]["name"]) for event in (first, second)]
        assert names == [("ADDED", "one"), ("ADDED", "two")]
        assert rest == b""


async def test_streaming_list_ends_with_the_marked_bookmark() -> None:
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    async with served() as s:
        await s.cluster.client.create(config("one"))
        found = await events(s, f"{MAPS}?{query}", 2)
        assert [event["type"] for event in found] == ["ADDED", "BOOKMARK"]
        metadata = found[1]["object"]["metadata"]
        assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(metadata["resourceVersion"]) >= int(found[0]["object"]["metadata"]["resourceVersion"])


async def test_table_watch_names_its_columns_once() -> None:
    async with served() as s:
        for name in ("one", "two"):
            await s.cluster.client.create(config(name))
        found = await events(s, f"{MAPS}?watch=1", 2, {"Accept": TABLE})
        assert [bool(event["object"]["columnDefinitions"]) for event in found] == [True, False]
        assert [event["object"]["rows"][0]["cells"][0] for event in found] == ["one", "two"]


async def test_watch_from_a_compacted_revision_is_gone() -> None:
    async with served() as s:
        for name in ("one", "two", "three"):
            await s.cluster.client.create(config(name))
        await events(s, f"{MAPS}?watch=1", 3)  # by now everybody's watch has seen them
        await s.cluster.store.compact(s.cluster.store.revision)
        status, body = await s.ask("GET", f"{MAPS}?watch=1&resourceVersion=1")
        assert (status, body["reason"]) == (410, "Expired")


async def test_client_that_reads_late_hinders_nobody_and_loses_nothing() -> None:
    async with served() as s:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", s.server.port))
            request = (
                f"GET {MAPS}?watch=1&timeoutSeconds=3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\r\n"
            )
            slow.sendall(request.encode())
            async with s.session.get(s.url(f"{MAPS}?watch=1"), headers=BEARER) as healthy:
                for number in range(100):
                    await s.cluster.client.create(config(f"big-{number}", k="x" * 90_000))
                    assert f'"big-{number}"' in (await _line(healthy))[:300]
            slow.settimeout(5)
            received = await anyio.to_thread.run_sync(_read_watch, slow)
    names = re.findall(rb'"name":"(big-\d+)"', received)
    assert names == [f"big-{number}".encode() for number in range(100)]
    assert received.endswith(b"\r\n0\r\n\r\n")


async def _line(answer: aiohttp.ClientResponse) -> str:
    line = b""
    while not line.endswith(b"\n"):
        line += await answer.content.readany()
    return line.decode()


def _read_watch(sock: socket.socket) -> bytes:
    """Everything up to the last chunk."""
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        received += sock.recv(1 << 20)
    return bytes(received)


async def test_server_stops_at_once_with_open_watches_which_end_cleanly() -> None:
    ends: list[bytes] = []
    async with cluster() as behind, aiohttp.ClientSession() as session, anyio.create_task_group() as clients:
        _, server = make_server(behind, FakeStreams())

        async def watch(*, task_status: TaskStatus[None]) -> None:
            url = f"http://127.0.0.1:{server.port}{MAPS}?watch=1"
            async with session.get(url, headers=BEARER) as answer:
                task_status.started()
                ends.append(await answer.content.read())

        async with anyio.create_task_group() as tasks:
            await tasks.start(server.run)
            for _ in range(5):
                await clients.start(watch)
            started = time.monotonic()
            tasks.cancel_scope.cancel()
        assert time.monotonic() - started < 0.5
    assert ends == [b""] * 5


async def test_protobuf_body_of_a_typed_client_is_understood() -> None:
    message = bytes([10, 3, 10, 1]) + b"p" + bytes([18, 6, 10, 1]) + b"k" + bytes([18, 1]) + b"v"
    meta = bytes([10, 2]) + b"v1" + bytes([18, 9]) + b"ConfigMap"
    body = b"k8s\0" + bytes([10, len(meta)]) + meta + bytes([18, len(message)]) + message
    async with served() as s:
        headers = {
            "Content-Type": "application/vnd.kubernetes.protobuf",
            "Accept": "application/vnd.kubernetes.protobuf,*/*",
        }
        status, made = await s.ask("POST", MAPS, data=body, headers=headers)
        assert (status, made["metadata"]["name"], made["data"]) == (201, "p", {"k": "v"})


async def test_impersonation_needs_the_right_and_changes_who_asks() -> None:
    async with served() as s:
        as_alice = {"Impersonate-User": "alice"}
        status, body = await s.ask("GET", MAPS, headers=as_alice)
        assert (status, body["message"][:40]) == (403, 'configmaps is forbidden: User "alice" ca')
        status, body = await s.ask("GET", MAPS, token=ALICE, headers={"Impersonate-User": "root"})
        assert 'cannot impersonate resource "users"' in body["message"]


async def test_access_reviews_follow_the_roles() -> None:
    async with served() as s:
        group = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
        assert (await s.ask("POST", f"{group}/roles", json={"metadata": {"name": "r"}, "rules": rules}))[0] == 201
        binding = {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "devs"}],
        }
        assert (await s.ask("POST", f"{group}/rolebindings", json=binding))[0] == 201
        with anyio.fail_after(2):
            while (await s.ask("GET", MAPS, token=ALICE))[0] != 200:
                await anyio.lowlevel.checkpoint()
        asked = {"spec": {"resourceAttributes": {"namespace": "default", "verb": "list", "resource": "configmaps"}}}
        reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        _, review = await s.ask("POST", reviews, token=ALICE, json=asked)
        reason = 'RBAC: allowed by RoleBinding "b/default" of Role "r" to Group "devs"'
        assert review["status"] == {"allowed": True, "reason": reason}
        _, me = await s.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", token=ALICE, json={})
        assert me["status"]["userInfo"] == {"username": "alice", "groups": ["devs", "system:authenticated"]}


async def test_binding_and_eviction_answer_with_a_status() -> None:
    async with served() as s:
        await s.cluster.client.create(pod())
        await s.cluster.client.create(core.Node(metadata=ObjectMeta(name="n1")))
        body = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}}
        status, answer = await s.ask("POST", "/api/v1/namespaces/default/pods/web/binding", json=body)
        assert (status, answer["status"], answer["code"]) == (201, "Success", 201)
        bound = await s.cluster.client.get(core.Pod, "web", "default")
        assert bound.spec.node_name == "n1"


async def test_warnings_of_a_write_are_headers() -> None:
    async with served() as s:
        body = msgspec.json.encode({"metadata": {"name": "w"}, "elf": 1})
        async with s.session.post(
            s.url(f"{MAPS}?fieldValidation=Warn"), data=body, headers={**BEARER, **JSON}
        ) as answer:
            assert answer.status == 201
            assert answer.headers["Warning"] == '299 - "unknown field \\"elf\\""'


async def test_metrics_tell_of_requests_and_of_the_store() -> None:
    async with served() as s:
        await s.cluster.client.create(config())
        code, text = await s.ask("GET", "/metrics")
        assert code == 200
        found = {each.name: each for each in text_string_to_metric_families(text)}
        counts = {sample.labels["resource"]: sample.value for sample in found["apiserver_storage_objects"].samples}
        assert counts["configmaps"] >= 1
        assert found["kubelite_store_keys"].samples[0].value >= 1
        assert "apiserver_request_sli_duration_seconds" in found
        assert found["kubernetes_build_info"].samples[0].labels["git_version"].startswith("v1.33")


async def test_protobuf_is_refused_alone_and_answered_with_json_beside_it() -> None:
    protobuf = "application/vnd.kubernetes.protobuf"
    async with served() as s:
        assert (await s.ask("GET", MAPS, headers={"Accept": protobuf}))[0] == 406
        code, listed = await s.ask("GET", MAPS, headers={"Accept": f"{protobuf},application/json"})
        assert (code, listed["kind"]) == (200, "ConfigMapList")
        body = {"Content-Type": f"{protobuf};stream=watch"}
        assert (await s.ask("POST", "/apis/nonsense.test/v1/things", data=b"k8s\0", headers=body))[0] == 404


async def test_the_scale_of_a_workload_is_a_table_too() -> None:
    async with served() as s:
        wanted = {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        }
        root = "/apis/apps/v1/namespaces/default/deployments"
        assert (await s.ask("POST", root, json=wanted))[0] == 201
        accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        code, table = await s.ask("GET", f"{root}/web/scale", headers=accept)
        assert code == 200
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
        assert table["rows"][0]["cells"][:3] == ["web", 3, 0]


async def test_component_statuses_are_listed_with_a_warning() -> None:
    async with served() as s:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with s.session.get(s.url("/api/v1/componentstatuses"), headers=headers) as answer:
            listed = await answer.json()
            assert "v1 ComponentStatus is deprecated in v1.19+" in answer.headers["Warning"]
        names = [item["metadata"]["name"] for item in listed["items"]]
        assert names == ["controller-manager", "scheduler", "etcd-0"]
        assert (await s.ask("GET", "/api/v1/componentstatuses/scheduler"))[1]["conditions"][0]["status"] == "True"
        assert (await s.ask("GET", "/api/v1/componentstatuses/none"))[0] == 404
