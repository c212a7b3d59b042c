"""Claim: the daemon serves its API within 0.5 s of its start, and its node is Ready within 1.5 s.

Run as root with a Docker engine: `python -m benchmarks.start`. With `--runtime simulated` neither is needed.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, arguments, progress, show

API_LIMIT_S = 0.5
READY_LIMIT_S = 1.5


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def serves(port: int) -> bool:
    """Whether /readyz answers 200."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 1) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def once(data_dir: Path, runtime: str) -> tuple[float, float]:
    """(seconds to API ready, seconds to node Ready) of one start on `data_dir`."""
    port = free_port()
    command = [sys.executable, "-m", "kubelite", "--data-dir", str(data_dir), "--secure-port", str(port)]
    command += [
        "--kubelet-port",
        "0",
        "--runtime",
        runtime,
        "--pod-cidr",
        "10.251.0.0/16",
        "--service-cidr",
        "10.252.0.0/16",
    ]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:
        while not serves(port):
            time.sleep(0.005)
        api_s = time.monotonic() - begun
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        ready_s = time.monotonic() - begun
        daemon.terminate()
    return api_s, ready_s


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--runtime", default="docker", choices=("docker", "simulated"))
    options = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        first = once(data_dir, options.runtime)
        again = []
        for number in range(options.rounds):
            progress(f"start {number + 1} of {options.rounds}")
            again.append(once(data_dir, options.runtime))
        subprocess.run([sys.executable, "-m", "kubelite", "cleanup", "--data-dir", str(data_dir), "--all"], check=True)
    for name, index, limit in (("API ready", 0, API_LIMIT_S), ("node Ready", 1, READY_LIMIT_S)):
        figures.append(Figure(f"{name}, first start", "s", (first[index],)))
        figures.append(Figure(f"{name}, later starts", "s", tuple(each[index] for each in again), limit))
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
