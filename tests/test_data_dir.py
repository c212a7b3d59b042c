from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kubelite.data_dir import DataDir, HostProblem


def test_the_directory_is_made_private_and_names_its_holder(tmp_path: Path) -> None:
    with DataDir(tmp_path / "a" / "b") as held:
        assert stat.S_IMODE(held.path.stat().st_mode) == 0o700
        assert (held.path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_held_directory_is_refused_and_stays_held(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data"):
        for _ in range(2):
            with pytest.raises(HostProblem, match=f"process {os.getpid()}"), DataDir(tmp_path / "data"):
                pass
    with DataDir(tmp_path / "data"):
        pass


def test_a_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostProblem, match=str(tmp_path / "file")), DataDir(tmp_path / "file" / "data"):
        pass
