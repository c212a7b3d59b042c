"""Point 8: bad input gets upstream's Status, printed readably by kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.daemon import Daemon


@pytest.fixture(scope="module")
def api(new_daemon: Callable[..., Daemon]) -> Daemon:
    daemon = new_daemon("--runtime", "simulated", "--store", "memory")
    daemon.start()
    return daemon


def pod(**spec: Any) -> dict[str, Any]:
    body = {"containers": [{"name": "main", "image": "busybox"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "namespace": "default"}, "spec": body}


def said(api: Daemon, manifest: Any, *words: str) -> str:
    """What kubectl prints on stderr for a manifest that must be refused."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    done = api.run("create", *words, "-f", "-", stdin=text)
    assert done.returncode != 0
    return done.stderr


def test_a_wrong_type(api: Daemon) -> None:
    message = said(api, pod(hostNetwork="yes"), "--validate=false")
    assert "BadRequest" in message
    assert "hostNetwork" in message


def test_an_unknown_field_by_server_side_validation(api: Daemon) -> None:
    message = said(api, pod(replicas=3), "--validate=strict")
    assert 'strict decoding error: unknown field "spec.replicas"' in message


def test_an_unknown_field_is_only_a_warning_when_asked_for(api: Daemon) -> None:
    done = api.run("create", "--validate=warn", "--dry-run=server", "-f", "-", stdin=json.dumps(pod(replicas=3)))
    assert done.returncode == 0
    assert 'Warning: unknown field "spec.replicas"' in done.stderr


def test_missing_required_fields_are_all_named(api: Daemon) -> None:
    message = said(api, pod(containers=[{"name": "Main"}, {"image": "busybox"}]))
    assert 'The Pod "bad" is invalid' in message
    assert "spec.containers[0].image: Required value" in message
    assert "spec.containers[1].name: Required value" in message
    assert 'spec.containers[0].name: Invalid value: "Main"' in message


def test_a_duplicate_name(api: Daemon) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "twice"}}
    api.kubectl("create", "-f", "-", stdin=json.dumps(config))
    assert "Error from server (AlreadyExists)" in said(api, config)
    assert 'configmaps "twice" already exists' in said(api, config)


def test_an_immutable_change(api: Daemon) -> None:
    deployment = api.kubectl("create", "deployment", "fixed", "--image=busybox", "--dry-run=client", "-o", "json")
    api.kubectl("create", "-f", "-", stdin=deployment)
    patch = '{"spec": {"selector": {"matchLabels": {"app": "other"}}}}'
    done = api.run("patch", "deployment", "fixed", "-p", patch)
    assert done.returncode != 0
    assert "field is immutable" in done.stderr
    assert "spec.selector" in done.stderr


def test_a_body_that_is_not_json(api: Daemon) -> None:
    with subprocess.Popen(
        api.kubectl_command("proxy", "--port=0"), stdout=subprocess.PIPE, text=True, env=api.environment()
    ) as proxy:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().rpartition(" ")[2].strip()
        answer = subprocess.run(
            [
                *["curl", "-s", "-X", "POST", "-d", "{not_json", "-H", "Content-Type:application/json"],
                f"http://{address}/api/v1/namespaces/default/pods",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        proxy.terminate()
    status = json.loads(answer)
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 400, "BadRequest")


def test_what_is_not_there(api: Daemon) -> None:
    done = api.run("get", "pod", "nowhere")
    assert done.stderr.strip() == 'Error from server (NotFound): pods "nowhere" not found'
