"""Whatever arrives over HTTPS is answered, in time, and never by an error that nobody foresaw."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, urlsplit

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from tests import kubectls
from tests.e2e.daemon import Daemon

TIMEOUT_S = 5.0
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Target:
    """A daemon's address, and what an administrator connects with."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        said = yaml.safe_load(kubeconfig.read_text())
        url = urlsplit(said["clusters"][0]["cluster"]["server"])
        user = said["users"][0]["user"]
        self._address = (url.hostname, url.port)
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        for name in ("client-certificate", "client-key"):
            (directory / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
        self._context.load_cert_chain(directory / "client-certificate", directory / "client-key")

    def ask(self, raw: bytes) -> bytes:
        """The head of the answer and what came with it; empty when the server closed. Raises: TimeoutError."""
        with (
            socket.create_connection(self._address, TIMEOUT_S) as plain,
            self._context.wrap_socket(plain) as connection,
        ):
            connection.sendall(raw)
            answer = b""
            while b"\r\n\r\n" not in answer and (data := connection.recv(65536)):
                answer += data
            return answer


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("fuzz")
    settings = ("--runtime", "simulated", "--store", "memory", "--components", "apiserver")
    daemon = Daemon(directory / "data", kubectls.find()[-1].path, *settings)
    daemon.start()
    yield Target(daemon.kubeconfig, directory)
    daemon.stop()
    daemon.cleanup()
    assert "Request failed" not in daemon.log()


def code_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert found, answer[:200]
    return int(found[1])


_SEGMENTS = """
api apis v1 apps namespaces default pods configmaps services deployments status scale log exec binding eviction watch proxy
rbac.authorization.k8s.io clusterroles openapi v2 v3 healthz readyz metrics version . .. nodes a kube-root-ca.crt
"""
_PARAMETERS = """
watch limit continue labelSelector fieldSelector resourceVersion resourceVersionMatch timeoutSeconds dryRun fieldManager force
gracePeriodSeconds propagationPolicy sendInitialEvents container tailLines command allowWatchBookmarks fieldValidation
"""
known = st.sampled_from(_SEGMENTS.split())
segment = st.one_of(
    known,
    known,
    known,
    st.text(max_size=8).map(lambda text: quote(text, safe="")),
    st.binary(max_size=6).map(quote_from_bytes),
)
roots = st.sampled_from(
    [
        "",
        "/api/v1",
        "/api/v1/namespaces/default/pods",
        "/api/v1/namespaces/default/configmaps",
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/openapi",
    ]
)
paths = st.builds(lambda root, rest: "/".join([root, *rest]) or "/", roots, st.lists(segment, max_size=4))
parameter = st.sampled_from(_PARAMETERS.split())
value = st.one_of(
    st.text(max_size=8), st.integers().map(str), st.sampled_from(["true", "All", "0", "-1", "Exact", "a=b"])
)
queries = st.dictionaries(parameter, value, max_size=4).map(
    lambda found: "&".join(f"{name}={quote(text, safe='')}" for name, text in found.items())
)
json_bodies = st.sampled_from(
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}',
        b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":1},"data":[]}',
        b'{"metadata":{"labels":{"\\u0000":null}}}',
        b'[{"op":"add","path":"/metadata/labels/x","value":"y"}]',
        b'[{"op":"move","path":"","from":"/spec"}]',
        b'{"spec":' * 200,
    ]
)
media_types = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/json-patch+json",
        "application/apply-patch+yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
    ]
)
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "NONSENSE"])


@FEW
@given(raw=st.binary(min_size=1, max_size=300).filter(lambda raw: raw.strip(b"\r\n")))  # empty lines precede a request
def test_random_bytes_are_refused(target: Target, raw: bytes) -> None:
    answer = target.ask(raw + b"\r\n\r\n")
    assert not answer or 400 <= code_of(answer) < 500


@FEW
@given(
    method=methods,
    path=paths,
    query=queries,
    body=st.one_of(json_bodies, st.binary(max_size=100)),
    media=media_types,
    accept=st.one_of(st.just("*/*"), st.text("abc/*;=,+.q01", max_size=20), media_types),
)
def test_random_requests_are_answered(
    target: Target, method: str, path: str, query: str, body: bytes, media: str, accept: str
) -> None:
    head = f"{method} {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {media}\r\nAccept: {accept}\r\n"
    answer = target.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    # 504 is what upstream says of a resourceVersion that does not exist yet.
    assert code_of(answer) < 500 or code_of(answer) == 504, answer


_FIELDS = """
Accept Accept-Encoding Content-Type Transfer-Encoding Expect Upgrade Connection Impersonate-User Sec-WebSocket-Key Range
Sec-WebSocket-Version Sec-WebSocket-Protocol X-Remote-User If-None-Match
"""
names = st.one_of(
    st.sampled_from(_FIELDS.split()),
    st.from_regex(r"[A-Za-z-]{1,12}", fullmatch=True),
)
values = st.one_of(
    st.sampled_from(["websocket", "Upgrade", "SPDY/3.1", "chunked", "gzip", "100-continue", "13", "bytes=0-1", "*"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
proxied = st.builds(
    "/api/v1/{}/{}/proxy{}".format,
    st.sampled_from(["namespaces/default/pods", "namespaces/default/services", "nodes"]),
    st.text(max_size=8).map(lambda text: quote(text, safe=":") or ":"),
    st.lists(segment, max_size=2).map(lambda parts: "".join(f"/{part}" for part in parts)),
)


@FEW
@given(
    path=st.one_of(paths, proxied),
    method=methods,
    fields=st.lists(st.tuples(names, values), max_size=5),
    is_watch=st.booleans(),
)
def test_random_header_fields_are_answered(
    target: Target, path: str, method: str, fields: list[tuple[str, str]], is_watch: bool
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    query = "?watch=1&timeoutSeconds=1" if is_watch else ""
    answer = target.ask(f"{method} {path}{query} HTTP/1.1\r\nHost: x\r\n{lines}\r\n0\r\n\r\n".encode())
    # Nothing is behind a proxy here; upstream says 503 of that.
    assert not answer or code_of(answer) < 500 or code_of(answer) in (503, 504), answer


@FEW
@given(head=st.binary(max_size=60), times=st.integers(1, 3000))
def test_heads_of_any_length_end(target: Target, head: bytes, times: int) -> None:
    line = b"X-" + bytes(byte for byte in head if byte not in b"\r\n")
    answer = target.ask(b"GET /version HTTP/1.1\r\nHost: x\r\n" + (line + b": y\r\n") * times + b"\r\n")
    assert not answer or code_of(answer) < 500
