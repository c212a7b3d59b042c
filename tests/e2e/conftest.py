"""One Docker daemon of kubelite for the session; tests keep to namespaces of their own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from tests import images, kubectls
from tests.e2e.daemon import Daemon

HELLO = Path(__file__).parents[2] / "config" / "examples" / "hello.yaml"

_networks = itertools.count(1)


@pytest.fixture(scope="session")
def engine() -> None:
    """A running Docker engine that holds the test image; installs and starts what is missing."""
    anyio.run(images.bring_up_engine)


@pytest.fixture(scope="session")
def kubectl() -> kubectls.Kubectl:
    """The newest kubectl of the machine."""
    return kubectls.find()[-1]


@pytest.fixture(scope="session")
def new_daemon(tmp_path_factory: pytest.TempPathFactory, kubectl: kubectls.Kubectl) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons (not started) with networks of their own; stops and cleans up all of them at the end."""
    made: list[Daemon] = []

    def make(*settings: str) -> Daemon:
        # Several test runs may share the machine, and one that was killed leaves its interfaces, so a free network is looked
        # for, starting by the process; 10.150 and up are those of tests/kubelet.
        taken = {alias.read_text().strip() for alias in Path("/sys/class/net").glob("kl*/ifalias")}
        network = next(
            found
            for number in _networks
            if f"{(found := f'10.{100 + (os.getpid() * 8 + number) % 48}')}.0.0/17" not in taken
        )
        networks = ("--pod-cidr", f"{network}.0.0/17", "--service-cidr", f"{network}.128.0/20")
        daemon = Daemon(tmp_path_factory.mktemp("kubelite") / "data", kubectl.path, *networks, *settings)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.stop()
        daemon.cleanup()


@pytest.fixture(scope="session")
def daemon(engine: None, new_daemon: Callable[..., Daemon]) -> Daemon:
    """The session's daemon with real containers."""
    daemon = new_daemon()
    daemon.start()
    return daemon


@pytest.fixture
def namespace(daemon: Daemon, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, deleted afterwards."""
    name = request.node.originalname.replace("_", "-").lower()[:50].strip("-")
    daemon.kubectl("create", "namespace", name)
    yield name
    daemon.kubectl("delete", "namespace", name, "--wait=true", "--timeout=60s")


@pytest.fixture
def hello(daemon: Daemon, namespace: str) -> str:
    """A namespace in which config/examples/hello.yaml is applied and available."""
    daemon.kubectl("apply", "-n", namespace, "-f", str(HELLO))
    daemon.kubectl("rollout", "status", "-n", namespace, "deployment/hello", "--timeout=60s", timeout_s=70)
    return namespace
