"""The replay of a real API server's recorded answers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec
import yaml

LISTED = Path(__file__).with_name("oracle_differences.yaml")
ORACLE = Path(__file__).parents[3] / "shared" / "oracle"


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A difference that is right, and where that is written."""

    step: str
    path: str
    reason: str
    source: str

    def covers(self, step: str, path: str) -> bool:
        return bool(re.fullmatch(self.step, step) and re.fullmatch(self.path, path))


def read_listed() -> list[Listed]:
    return msgspec.convert(yaml.safe_load(LISTED.read_text()), list[Listed])


async def ask_oracle(server: str, kubeconfig: Path) -> list[dict[str, Any]]:
    """Every step with differences."""
    recorded = str(ORACLE / "recorded.jsonl")
    command = [sys.executable, str(ORACLE / "oracle.py"), "check", "--server", server, "--kubeconfig", str(kubeconfig)]
    done = await anyio.run_process([*command, "--json", recorded], check=False, stderr=subprocess.PIPE)
    assert done.stdout, done.stderr.decode()
    found: list[dict[str, Any]] = msgspec.json.decode(done.stdout)["differences"]
    return found
