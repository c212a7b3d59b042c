"""The answers of a real kube-apiserver, replayed against the API server alone: each difference is listed and explained."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import yaml

from kubelite import Cluster
from tests import compatibility
from tests.apiserver.oracle import ORACLE, Listed, ask_oracle, read_listed

pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason=f"the recorded answers are not at {ORACLE}")


class Asker:
    """Asks as the administrator."""

    def __init__(self, server: str, kubeconfig: Path, directory: Path) -> None:
        user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
        self._server = server
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        for name in ("client-certificate", "client-key"):
            (directory / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
        self._context.load_cert_chain(directory / "client-certificate", directory / "client-key")

    async def code(self, path: str, headers: dict[str, str]) -> int:
        def ask() -> int:
            request = urllib.request.Request(self._server + path, headers=headers)
            try:
                with urllib.request.urlopen(request, context=self._context, timeout=20) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        return await anyio.to_thread.run_sync(ask)


async def test_every_difference_from_a_real_server_is_listed_and_the_tables_are_true(tmp_path: Path) -> None:
    listed = read_listed()
    async with Cluster(serve=True, components="apiserver") as cluster:
        assert cluster.kubeconfig is not None
        rows = compatibility.read_rows(cluster.scheme, found := await ask_oracle(cluster.server, cluster.kubeconfig))
        asker = Asker(cluster.server, cluster.kubeconfig, tmp_path)
        for entry in compatibility.read_notes().absent:
            assert (await asker.code(entry.path, entry.headers), entry.what) == (entry.code, entry.what)
    unexplained, unneeded = _explain(listed, found)
    assert not unexplained, "\n".join(unexplained)
    assert not unneeded, "no longer needed"
    again = "run python -m tests.compatibility"
    assert compatibility.LONG.read_text() == compatibility.write_long(rows), again
    assert compatibility.in_readme(compatibility.write_short(rows)) == compatibility.README.read_text(), again


def _explain(listed: list[Listed], found: list[dict[str, Any]]) -> tuple[list[str], list[Listed]]:
    unexplained, needed = [], set()
    for step in found:
        for difference in step["differences"]:
            covering = [entry for entry in listed if entry.covers(step["step"], difference["path"])]
            needed.update(covering)
            if not covering:
                unexplained.append(f"{step['step']} {difference}")
    return unexplained, [entry for entry in listed if entry not in needed]


def test_notes_are_about_what_is_served() -> None:
    from kubelite.api.scheme import Scheme

    kinds = {(resource.group, resource.kind) for resource in Scheme()}
    groups = {group for group, _ in kinds}
    for note in compatibility.read_notes().approximate:
        assert (note.group, note.kind) in kinds or (note.kind == "*" and note.group in groups), note
