"""DaemonSets, Jobs and CronJobs on real containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.daemon import Daemon

AGENT = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: kubelite.test/busybox:1
        command: [sleep, "1000"]
        env: [{{name: ROUND, value: "{round}"}}]
"""

INDEXED = """
apiVersion: batch/v1
kind: Job
metadata: {name: indexed}
spec:
  completions: 3
  parallelism: 3
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: "kubelite.test/busybox:1", command: [sh, -c, "echo index $JOB_COMPLETION_INDEX on $(hostname)"]}
"""

FAILING = """
apiVersion: batch/v1
kind: Job
metadata: {name: failing}
spec:
  backoffLimit: 3
  podFailurePolicy:
    rules:
    - {action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "kubelite.test/busybox:1", command: [sh, -c, "exit 42"]}]
"""

NIGHTLY = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    metadata: {labels: {made-by: nightly}}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "kubelite.test/busybox:1", command: [echo, done]}]
"""


def apply(daemon: Daemon, namespace: str, text: str) -> None:
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)


def outcome(job: Any) -> dict[str, str]:
    return {entry["type"]: entry["reason"] for entry in job["status"]["conditions"] if entry["status"] == "True"}


def round_of(daemon: Daemon, namespace: str) -> str:
    return daemon.kubectl("exec", "-n", namespace, "ds/agent", "--", "sh", "-c", "echo $ROUND").strip()


def test_a_daemon_set_has_its_pod_and_rolls(daemon: Daemon, namespace: str) -> None:
    apply(daemon, namespace, AGENT.format(round=1))
    daemon.kubectl("rollout", "status", "-n", namespace, "daemonset/agent", "--timeout=60s")
    (first,) = daemon.pods("app=agent", namespace)
    apply(daemon, namespace, AGENT.format(round=2))
    daemon.kubectl("rollout", "status", "-n", namespace, "daemonset/agent", "--timeout=60s")
    (second,) = daemon.pods("app=agent", namespace)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert round_of(daemon, namespace) == "2"
    assert "1" in daemon.kubectl("rollout", "history", "-n", namespace, "daemonset/agent")
    daemon.kubectl("rollout", "undo", "-n", namespace, "daemonset/agent")
    daemon.kubectl("rollout", "status", "-n", namespace, "daemonset/agent", "--timeout=60s")
    assert round_of(daemon, namespace) == "1"


def test_an_indexed_job_runs_every_index_once(daemon: Daemon, namespace: str) -> None:
    apply(daemon, namespace, INDEXED)
    daemon.wait("condition=Complete", "job/indexed", "-n", namespace)
    job = daemon.get("job", "indexed", "-n", namespace)
    assert (job["status"]["succeeded"], job["status"]["completedIndexes"]) == (3, "0-2")
    assert job["status"]["uncountedTerminatedPods"] == {}
    pods = daemon.get("pods", "-n", namespace, "-l", "job-name=indexed")["items"]
    assert not any("batch.kubernetes.io/job-tracking" in pod["metadata"].get("finalizers", ()) for pod in pods)
    said = {daemon.kubectl("logs", "-n", namespace, pod["metadata"]["name"]).strip() for pod in pods}
    assert said == {f"index {index} on indexed-{index}" for index in range(3)}


def test_a_job_fails_by_its_policy_without_trying_again(daemon: Daemon, namespace: str) -> None:
    apply(daemon, namespace, FAILING)
    daemon.wait("condition=Failed", "job/failing", "-n", namespace)
    job = daemon.get("job", "failing", "-n", namespace)
    assert outcome(job)["Failed"] == "PodFailurePolicy"
    assert job["status"]["failed"] == 1
    events = daemon.get("events", "-n", namespace, "--field-selector", "involvedObject.kind=Job")["items"]
    (told,) = [event for event in events if event["reason"] == "PodFailurePolicy"]
    assert "failed with exit code 42 matching FailJob rule at index 0" in told["message"]


def test_a_cron_jobs_job_can_be_run_at_once(daemon: Daemon, namespace: str) -> None:
    apply(daemon, namespace, NIGHTLY)
    daemon.kubectl("create", "job", "-n", namespace, "--from=cronjob/nightly", "now")
    daemon.wait("condition=Complete", "job/now", "-n", namespace)
    job = daemon.get("job", "now", "-n", namespace)
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert daemon.kubectl("logs", "-n", namespace, "job/now").strip() == "done"
    daemon.kubectl("delete", "cronjob", "nightly", "-n", namespace, "--cascade=foreground")
    assert daemon.get("jobs", "-n", namespace)["items"] == []


def test_a_restart_finds_the_revisions_that_were_there(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--runtime", "simulated")
    daemon.start()
    apply(daemon, "default", AGENT.format(round=1))
    daemon.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    before = daemon.get("controllerrevisions")["items"]
    daemon.stop()
    daemon.start()
    apply(daemon, "default", AGENT.format(round=2))
    daemon.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s")
    after = daemon.get("controllerrevisions")["items"]
    assert len(after) == len(before) + 1 == 2
