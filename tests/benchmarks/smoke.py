"""Runs a benchmark once, small."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def figures(module: str, *words: str) -> dict[str, Any]:
    """What it reports, by name."""
    command = [sys.executable, "-m", f"benchmarks.{module}", "--rounds", "1", "--json", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}
