"""Claim: from `kubectl apply` to all available, image present: 10 pods within 2.5 s, 30 pods within 6 s.

Upstream 1.20 on the same Docker and machine needed 6.5 s and 22.8 s. Then, with 10 pods idle: at most 120 MB resident and 1%
of one core. Run as root with a Docker engine, kubectl on PATH and the example's image: `python -m benchmarks.pods`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, arguments, progress, show

LIMITS_S = {10: 2.5, 30: 6.0}
IDLE_S = 30
IDLE_MB = 120
IDLE_PERCENT = 1.0


def deployment(replicas: int) -> str:
    labels = {"app": "bench"}
    container = {"name": "main", "image": "kubelite.test/busybox:1", "command": ["sleep", "100000"]}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bench"}, "spec": spec})


def processes(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes(int(child)))]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Bench:
    """A daemon on a data directory of its own."""

    def __init__(self, directory: str) -> None:
        self.data_dir = str(Path(directory) / "data")
        command = [
            sys.executable,
            "-m",
            "kubelite",
            "--data-dir",
            self.data_dir,
            "--secure-port",
            "0",
            "--kubelet-port",
            "0",
        ]
        command += ["--pod-cidr", "10.251.0.0/16", "--service-cidr", "10.252.0.0/16"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline()
        self.environment = {**os.environ, "KUBECONFIG": f"{self.data_dir}/admin.kubeconfig"}

    def kubectl(self, *words: str, stdin: str = "") -> None:
        subprocess.run(
            ["kubectl", *words], check=True, env=self.environment, input=stdin.encode(), stdout=subprocess.DEVNULL
        )

    def start(self, replicas: int) -> float:
        """Seconds from apply to all available."""
        begun = time.monotonic()
        self.kubectl("apply", "-f", "-", stdin=deployment(replicas))
        self.kubectl(
            "wait", f"--for=jsonpath={{.status.availableReplicas}}={replicas}", "deployment/bench", "--timeout=120s"
        )
        return time.monotonic() - begun

    def delete(self) -> None:
        self.kubectl("delete", "deployment", "bench")
        self.kubectl("wait", "--for=delete", "pod", "-l", "app=bench", "--timeout=120s")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        subprocess.run([sys.executable, "-m", "kubelite", "cleanup", "--data-dir", self.data_dir, "--all"], check=True)


def main() -> None:
    options = arguments(__doc__ or "", rounds=3).parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(directory)
        try:
            bench.start(1)
            bench.delete()
            for replicas, limit in LIMITS_S.items():
                samples = []
                for number in range(options.rounds):
                    progress(f"{replicas} pods, round {number + 1} of {options.rounds}")
                    samples.append(bench.start(replicas))
                    bench.delete()
                figures.append(Figure(f"{replicas} pods, apply to all available", "s", tuple(samples), limit))
            progress(f"idle for {IDLE_S} s")
            bench.start(10)
            time.sleep(5)
            pids = processes(bench.process.pid)
            before = sum(map(cpu_s, pids))
            time.sleep(IDLE_S)
            used = 100 * (sum(map(cpu_s, pids)) - before) / IDLE_S
            figures.append(Figure("idle with 10 pods, CPU of one core", "%", (used,), IDLE_PERCENT))
            figures.append(Figure("idle with 10 pods, resident", "MB", (resident_mb(pids[0]),), IDLE_MB))
            figures.append(Figure("  the same with the store's writer", "MB", (sum(map(resident_mb, pids)),)))
        finally:
            bench.close()
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
