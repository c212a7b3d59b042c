"""@kubernetes/client-node on Node.js: the assertions are in client_node.mjs. Source: https://github.com/kubernetes-client/javascript"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).with_name("client_node.mjs")


def test_the_javascript_client_works_with_every_kind_of_request(
    node_modules: Path, kubeconfig: str, namespace: str
) -> None:
    done = subprocess.run(
        ["node", str(PROGRAM), namespace],
        cwd=node_modules,
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
