"""A machine that goes down tells its daemon by SIGPWR."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.e2e.daemon import Daemon

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: app
    image: kubelite.test/busybox:1
    command: [sh, -c, "trap 'exit 3' TERM; while true; do sleep 1000 & wait; done"]
"""


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("how", "words"), [(signal.SIGPWR, ()), (signal.SIGTERM, ("--shutdown-on-stop",))])
def test_pods_have_ended_when_the_daemon_has(
    new_daemon: Callable[..., Daemon], how: signal.Signals, words: tuple[str, ...]
) -> None:
    daemon = new_daemon("--shutdown-grace-period", "20", *words)
    daemon.start()
    daemon.wait("condition=Ready", "node", "--all")
    daemon.kubectl("apply", "-f", "-", stdin=POD)
    daemon.wait("condition=Ready", "pod/web")
    assert daemon.stop(how) < 15
    assert daemon.exit_code == 0
    daemon.start()
    status = daemon.get("pod", "web")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    daemon.wait("condition=Ready", "node", "--all")
