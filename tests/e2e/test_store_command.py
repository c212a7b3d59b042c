"""`python -m kubelite store …` beside a running daemon, and on what it leaves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon


@pytest.fixture
def simulated(new_daemon: Callable[..., Daemon]) -> Daemon:
    return new_daemon("--runtime", "simulated")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kubelite", "store", *words], check=False, capture_output=True, text=True, timeout=60
    )


def store(directory: Path, *words: str) -> str:
    done = run(*words[:1], "--data-dir", str(directory), *words[1:])
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*words: str) -> str:
    done = run(*words)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def status(directory: Path) -> dict[str, int]:
    pairs = (line.split(": ") for line in store(directory, "status").splitlines())
    return {name: int(value) for name, value in pairs}


def test_a_running_store_answers_and_a_stopped_one_alike(simulated: Daemon, tmp_path: Path) -> None:
    simulated.start()
    simulated.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    key = "/registry/configmaps/default/kept"
    (line,) = store(simulated.data_dir, "history", key).splitlines()
    assert "created version 1" in line
    assert '"user":' in line
    running = status(simulated.data_dir)
    assert running["keys"] > 10
    assert running["watchers"] > 10
    assert store(simulated.data_dir, "verify").startswith("ok at revision")
    assert "wrote" in store(simulated.data_dir, "backup", str(tmp_path / "copy.db"))
    assert "compacted" in store(simulated.data_dir, "compact")
    assert store(simulated.data_dir, "history", key) == ""
    assert simulated.get("configmap", "kept")["data"] == {"a": "1"}
    simulated.stop()
    assert not (simulated.data_dir / "store.sock").exists()
    stopped = status(simulated.data_dir)
    assert stopped["watchers"] == 0
    assert stopped["keys"] >= running["keys"] - 5  # leases and events come and go
    assert store(simulated.data_dir, "verify").startswith("ok at revision")


def test_a_backup_made_under_way_is_a_store_to_start_from(simulated: Daemon, tmp_path: Path) -> None:
    simulated.start()
    simulated.kubectl("create", "configmap", "before", "--from-literal=a=1")
    store(simulated.data_dir, "backup", str(tmp_path / "copy.db"))
    simulated.kubectl("create", "configmap", "after", "--from-literal=a=1")
    assert "exists" in refused("restore", "--data-dir", str(simulated.data_dir), str(tmp_path / "copy.db"))
    simulated.stop()
    for file in simulated.data_dir.glob("store.db*"):
        file.unlink()
    assert "restored" in store(simulated.data_dir, "restore", str(tmp_path / "copy.db"))
    simulated.start()
    names = {item["metadata"]["name"] for item in simulated.get("configmaps")["items"]}
    assert "before" in names
    assert "after" not in names


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    directory = ("--data-dir", str(tmp_path))
    assert str(tmp_path / "store.db") in refused("status", *directory)
    (tmp_path / "store.db").write_bytes(b"no database at all, by any standard" * 1000)
    assert "damaged" in refused("verify", *directory)
    (tmp_path / "store.db").unlink()
    assert "absent.db" in refused("restore", *directory, str(tmp_path / "absent.db"))


def test_the_data_directory_is_the_daemons_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELITE_DATA_DIR", str(tmp_path / "elsewhere"))
    assert str(tmp_path / "elsewhere") in refused("status")
