"""What the API server answers per second: pods over TLS, with a service account's token and RBAC, at 64 connections.

    python -m benchmarks.apiserver_requests [--pods 3000] [--connections 64] [--rounds 3] [--store sqlite]

The server is a daemon of its own that runs nothing but the API, the load is this process: both share the machine. Each round
creates the pods, gets and patches each (merge patch), lists all of them, and deletes them. The limits are twice what upstream
1.20 with etcd did on 2 such cores, loaded by client-go. `CPU` is the server's for each request; where other work disturbs the
machine it is the steadier figure. Watches: see api_watch. Needs nothing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import yaml

from benchmarks.figures import Figure, arguments, progress, show

PODS = "/api/v1/namespaces/default/pods"
LISTS = 4
MERGE = "application/merge-patch+json"
#: Per second, twice upstream's. Source: the measurement named above
FLOORS = {"create": 2700.0, "get": 7600.0, "list (objects)": 39000.0, "patch": 1830.0}


class Connection:
    """A bare HTTP/1.1 client on one TLS connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self.reader, self._writer = reader, writer
        self._fixed = f"Host: x\r\nAuthorization: Bearer {token}\r\n" if token else "Host: x\r\n"

    async def ask(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> bytes:
        """The body of the answer, which must be a success."""
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        if b"chunked" in answer:
            return b""
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        said = await self.reader.readexactly(int(length))
        if answer[9:12] not in (b"200", b"201"):
            raise RuntimeError(f"{method} {path}: {said.decode()}")
        return said

    def close(self) -> None:
        self._writer.close()


class Server:
    """The daemon's address and process, and the administrator's certificate."""

    def __init__(self, kubeconfig: Path, directory: Path, pid: int) -> None:
        self.pid = pid
        said = yaml.safe_load(kubeconfig.read_text())
        url = urlsplit(said["clusters"][0]["cluster"]["server"])
        self.address = (url.hostname or "", url.port or 443)
        authority = base64.b64decode(said["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self._plain = ssl.create_default_context(cadata=authority)
        self._certified = ssl.create_default_context(cadata=authority)
        for name in ("client-certificate", "client-key"):
            (directory / name).write_bytes(base64.b64decode(said["users"][0]["user"][f"{name}-data"]))
        self._certified.load_cert_chain(directory / "client-certificate", directory / "client-key")

    async def connect(self, token: str = "") -> Connection:
        context = self._plain if token else self._certified
        return Connection(*await asyncio.open_connection(*self.address, ssl=context, limit=1 << 22), token)

    @asynccontextmanager
    async def connections(self, count: int, token: str) -> AsyncIterator[list[Connection]]:
        made = [await self.connect(token) for _ in range(count)]
        try:
            yield made
        finally:
            for connection in made:
                connection.close()

    async def token(self) -> str:
        """A token of a service account that may do everything, by way of RBAC."""
        admin = await self.connect()
        namespace = "/api/v1/namespaces/default/serviceaccounts"
        for path, body in (
            (namespace, {"metadata": {"name": "load"}}),
            (
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                {
                    "metadata": {"name": "load"},
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": "cluster-admin",
                    },
                    "subjects": [{"kind": "ServiceAccount", "name": "load", "namespace": "default"}],
                },
            ),
        ):
            await admin.ask("POST", path, json.dumps(body).encode())
        said = json.loads(await admin.ask("POST", f"{namespace}/load/token", b"{}"))
        admin.close()
        return str(said["status"]["token"])


@contextmanager
def daemon(store: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="kubelite-bench-") as directory:
        data = Path(directory) / "data"
        command = [
            sys.executable,
            "-m",
            "kubelite",
            "--data-dir",
            str(data),
            "--runtime",
            "simulated",
            "--store",
            store,
        ]
        command += ["--secure-port", "0", "--bind-address", "127.0.0.1", "--components", "apiserver"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield Server(data / "admin.kubeconfig", Path(directory), process.pid)
            finally:
                process.terminate()


def cpu_s(pid: int) -> float:
    """The CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pod(name: str) -> bytes:
    container = {
        "name": "main",
        "image": "registry.example/app:1.2.3",
        "env": [{"name": f"KEY_{number}", "value": "x" * 16} for number in range(4)],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    # Without the account's token every pod is what its manifest says.
    spec = {"serviceAccountName": "load", "containers": [container], "automountServiceAccountToken": False}
    return json.dumps({"metadata": {"name": name, "labels": {"app": "load"}}, "spec": spec}).encode()


async def spread(connections: list[Connection], requests: Iterable[tuple[Any, ...]]) -> float:
    """Carries the requests out, each connection one at a time; gives the seconds it took."""
    left = iter(requests)

    async def work(connection: Connection) -> None:
        for request in left:
            await connection.ask(*request)

    begun = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for connection in connections:
            tasks.start_soon(work, connection)
    return time.perf_counter() - begun


async def measure(options: Any) -> list[Figure]:
    names = [f"pod-{number}" for number in range(options.pods)]
    samples: dict[str, list[float]] = {name: [] for name in ("create", "get", "list (objects)", "patch")}
    samples["delete"] = []
    spent: dict[str, list[float]] = {}
    patch = b'{"metadata":{"labels":{"patched":"yes"}}}'
    with daemon(options.store) as server:
        token = await server.token()
        async with server.connections(options.connections, token) as connections:
            for number in range(options.rounds):
                progress(f"round {number + 1} of {options.rounds}")

                begun = cpu_s(server.pid)

                def rate(name: str, seconds: float, count: int = options.pods) -> None:
                    nonlocal begun
                    now = cpu_s(server.pid)
                    samples[name].append(count / seconds)
                    spent.setdefault(name, []).append((now - begun) / count * 1e6)
                    begun = now

                rate("create", await spread(connections, (("POST", PODS, pod(name)) for name in names)))
                rate("get", await spread(connections, (("GET", f"{PODS}/{name}") for name in names)))
                lists = await spread(connections[:2], [("GET", PODS)] * LISTS)
                rate("list (objects)", lists, LISTS * options.pods)
                rate("patch", await spread(connections, (("PATCH", f"{PODS}/{name}", patch, MERGE) for name in names)))
                gone = (("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0") for name in names)
                rate("delete", await spread(connections, gone))
    rates = [Figure(name, "1/s", tuple(found), FLOORS.get(name), at_least=True) for name, found in samples.items()]
    return [*rates, *(Figure(f"{name}: CPU", "us", tuple(found)) for name, found in spent.items())]


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--pods", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--store", default="sqlite", help="sqlite or memory (default: sqlite)")
    options = parser.parse_args()
    show(asyncio.run(measure(options)), as_json=options.json)


if __name__ == "__main__":
    main()
