"""The answers of a real kube-apiserver, replayed against the API server alone: each difference is listed and explained."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import yaml

from kubelite import Cluster

ORACLE = Path(__file__).parents[3] / "shared" / "oracle"
LISTED = Path(__file__).with_name("oracle_differences.yaml")


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A difference that is right, and where that is written."""

    step: str
    path: str
    reason: str
    source: str

    def covers(self, step: str, path: str) -> bool:
        return bool(re.fullmatch(self.step, step) and re.fullmatch(self.path, path))


async def ask_oracle(server: str, kubeconfig: Path) -> list[dict[str, Any]]:
    """Every step with differences."""
    recorded = str(ORACLE / "recorded.jsonl")
    command = [sys.executable, str(ORACLE / "oracle.py"), "check", "--server", server, "--kubeconfig", str(kubeconfig)]
    done = await anyio.run_process([*command, "--json", recorded], check=False, stderr=subprocess.PIPE)
    assert done.stdout, done.stderr.decode()
    found: list[dict[str, Any]] = msgspec.json.decode(done.stdout)["differences"]
    return found


@pytest.mark.skipif(not ORACLE.is_dir(), reason=f"the recorded answers are not at {ORACLE}")
async def test_every_difference_from_a_real_server_is_listed_with_its_reason() -> None:
    listed = msgspec.convert(yaml.safe_load(LISTED.read_text()), list[Listed])
    async with Cluster(serve=True, components="apiserver") as cluster:
        assert cluster.kubeconfig is not None
        found = await ask_oracle(cluster.server, cluster.kubeconfig)
    unexplained, needed = [], set()
    for step in found:
        for difference in step["differences"]:
            covering = [entry for entry in listed if entry.covers(step["step"], difference["path"])]
            needed.update(covering)
            if not covering:
                unexplained.append(f"{step['step']} {difference}")
    assert not unexplained, "\n".join(unexplained)
    assert not [entry for entry in listed if entry not in needed], "no longer needed"
