"""One simulated daemon for all client libraries; each test has a namespace of its own."""

from __future__ import annotations

import gc
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kubectls
from tests.e2e.daemon import Daemon
from tests.packages import program

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What client libraries leave behind or call deprecated is theirs, and shows up in whichever test runs then."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for kind in ("ResourceWarning", "DeprecationWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that needs neither Docker nor root."""
    directory = tmp_path_factory.mktemp("clients")
    daemon = Daemon(directory / "data", kubectls.find()[-1].path, "--runtime", "simulated", "--store", "memory")
    daemon.start()
    yield daemon
    daemon.stop()
    daemon.cleanup()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a library left open ends with its own test, where its warnings are ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def kubeconfig(api: Daemon) -> str:
    return str(api.kubeconfig)


@pytest.fixture
def namespace(api: Daemon) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"clients-{next(_numbers)}"
    api.kubectl("create", "namespace", name)
    yield name
    api.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which Node finds @kubernetes/client-node; installs Debian's Node.js if there is none."""
    if shutil.which("npm") is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "nodejs", "npm"], check=True, capture_output=True)
    directory = tmp_path_factory.mktemp("npm")
    command = [program("npm"), "install", "--no-audit", "--no-fund", "--loglevel=error", "@kubernetes/client-node@^1"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=120)
    return directory
