"""Bringing up an engine, shown with small programs in the place of apt-get and dockerd; and the lines for what is missing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelite.kubelet.engine import EngineMissing, engine_problem, install_engine

DOCKERD = """#!{python}
import os, signal, socket, sys
open({pid!r}, "w").write(str(os.getpid()))
path = sys.argv[sys.argv.index("--host") + 1].removeprefix("unix://")
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""
FAILING = "#!/bin/sh\necho 'failed to start daemon: no space left' >&2\nexit 1\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory whose programs come before the system's; a dockerd that is started from it ends with the test."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    yield directory
    if (tmp_path / "pid").exists():
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_a_missing_engine_is_one_line_that_names_the_ways_out(tmp_path: Path) -> None:
    problem = engine_problem(str(tmp_path / "docker.sock"))
    for word in ("--install-engine", "docker.io", "--runtime simulated"):
        assert word in problem
    assert "\n" not in problem


async def test_an_installed_engine_is_started_and_outlives_the_call(tmp_path: Path, programs: Path) -> None:
    put(programs / "dockerd", DOCKERD.format(python=sys.executable, pid=str(tmp_path / "pid")))
    said: list[str] = []
    socket = str(tmp_path / "docker.sock")
    await install_engine(socket, say=said.append)
    assert said == ["Starting dockerd (its log is /var/log/dockerd.log)"]
    assert engine_problem(socket) == ""
    pid = int((tmp_path / "pid").read_text())
    assert os.getsid(pid) != os.getsid(0)
    await install_engine(socket, say=said.append)
    assert len(said) == 1


async def test_a_missing_engine_is_installed_first(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "dockerd"
    put(ready, DOCKERD.format(python=sys.executable, pid=str(tmp_path / "pid")))
    put(
        programs / "apt-get",
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\ncase "$*" in *" install "*) /bin/cp {ready} {programs}/dockerd;; esac\n',
    )
    for tool in ("iptables", "setsid", "systemctl"):
        put(programs / tool, '#!/bin/sh\nshift\n"$@" &\n')
    monkeypatch.setenv("PATH", str(programs))
    said: list[str] = []
    await install_engine(str(tmp_path / "docker.sock"), say=said.append)
    assert said[0] == "Installing docker.io ca-certificates with apt-get"
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends docker.io ca-certificates")


async def test_an_engine_that_cannot_start_says_why(tmp_path: Path, programs: Path) -> None:
    put(programs / "dockerd", FAILING)
    with pytest.raises(EngineMissing, match="dockerd did not start: failed to start daemon: no space left"):
        await install_engine(str(tmp_path / "docker.sock"), say=lambda line: None)


async def test_a_failing_apt_get_is_quoted(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "apt-get", "#!/bin/sh\necho 'E: Unable to locate package docker.io' >&2\nexit 100\n")
    put(programs / "iptables", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(EngineMissing, match=r"apt-get could not install docker\.io .*Unable to locate"):
        await install_engine(str(tmp_path / "docker.sock"), say=lambda line: None)
