"""The daemon as a process: what it refuses, in one line with exit code 2, and what it leaves alone."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon


def refused(*words: str) -> str:
    """Runs a command that must be refused; returns the line."""
    done = subprocess.run(
        [sys.executable, "-m", "kubelite", *words], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def simulated(new_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon that needs neither Docker nor root."""
    return new_daemon("--runtime", "simulated")


def test_the_ready_line_names_address_and_kubeconfig_and_the_kubeconfig_is_private(simulated: Daemon) -> None:
    simulated.start()
    assert "https://" in simulated.ready_line
    assert str(simulated.kubeconfig) in simulated.ready_line
    assert stat.S_IMODE(simulated.kubeconfig.stat().st_mode) == 0o600
    for file in simulated.data_dir.rglob("*"):
        if file.is_file():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert "Ready" in simulated.kubectl("get", "nodes")
    assert simulated.stop() < 2
    assert simulated.exit_code == 0


def test_a_second_daemon_on_the_same_data_directory_is_refused(simulated: Daemon) -> None:
    simulated.start()
    line = refused("--runtime", "simulated", "--secure-port", "0", "--data-dir", str(simulated.data_dir))
    assert str(simulated.data_dir) in line
    assert "Ready" in simulated.kubectl("get", "nodes")


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--runtime", "simulated", "--secure-port", str(port), "--data-dir", str(tmp_path / "data"))
    assert str(port) in line


def test_a_corrupt_data_directory_is_refused_and_not_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("store.db",):
        (data / name).write_bytes(b"this is not a database, whatever its name says" * 100)
    before = (data / "store.db").read_bytes()
    line = refused("--runtime", "simulated", "--secure-port", "0", "--data-dir", str(data))
    assert "store.db" in line
    assert (data / "store.db").read_bytes() == before


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert str(file) in refused("--runtime", "simulated", "--secure-port", "0", "--data-dir", str(file / "data"))


def test_a_missing_engine_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    line = refused(
        "--docker-socket", str(tmp_path / "none.sock"), "--secure-port", "0", "--data-dir", str(tmp_path / "d")
    )
    assert "--install-engine" in line
    assert "docker.io" in line
    assert "--runtime simulated" in line


def test_what_was_stored_is_there_after_a_restart(simulated: Daemon) -> None:
    simulated.start()
    simulated.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    before = simulated.get("configmap", "kept")
    simulated.stop()
    simulated.start()
    assert simulated.get("configmap", "kept") == before


@pytest.mark.usefixtures("engine")
def test_two_daemons_on_one_machine_do_not_disturb_each_other(
    daemon: Daemon, new_daemon: Callable[..., Daemon]
) -> None:
    other = new_daemon()
    other.start()
    for each in (daemon, other):
        each.kubectl("run", "same", "--image=kubelite.test/busybox:1", "--", "httpd", "-f")
        each.kubectl("expose", "pod", "same", "--port=80")
    for each in (daemon, other):
        each.wait("condition=Ready", "pod/same")
        address = each.get("service", "same")["spec"]["clusterIP"]
        each.wait("jsonpath={.subsets[0].addresses[0].targetRef.name}=same", "endpoints/same")
        with socket.create_connection((address, 80), 5):
            pass
    other.stop()
    other.cleanup()
    with socket.create_connection((daemon.get("service", "same")["spec"]["clusterIP"], 80), 5):
        pass
    daemon.kubectl("delete", "pod,service", "same", "--grace-period=0", "--force")
