"""README's commands and programs are what a newcomer runs; they are run here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_block_is_the_two_commands() -> None:
    commands = blocks("sh")[0].splitlines()
    assert len(commands) == 2
    assert "--install-engine" in commands[0]
    assert "-m pytest" in commands[1]


def test_every_program_in_readme_runs() -> None:
    programs = blocks("python")
    assert programs
    for program in programs:
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
        assert "3 replicas" in done.stdout
