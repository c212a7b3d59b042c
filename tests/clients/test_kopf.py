"""kopf: an operator on a custom kind, run as its users run it. Source: https://docs.kopf.dev"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon

OPERATOR = """
import kopf
from kubernetes import client, config

config.load_kube_config()

@kopf.on.create("kubelite.test", "v1", "greetings")
def create(spec, name, namespace, patch, **_):
    body = {"metadata": {"name": name}, "data": {"text": spec["text"]}}
    kopf.adopt(body)
    client.CoreV1Api().create_namespaced_config_map(namespace, body)
    patch.status["said"] = spec["text"]
    return {"made": name}

@kopf.on.update("kubelite.test", "v1", "greetings", field="spec.text")
def update(old, new, name, namespace, patch, **_):
    client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"text": new}})
    patch.status["said"] = new

@kopf.on.delete("kubelite.test", "v1", "greetings")
def delete(name, namespace, **_):
    client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-farewell"}})
"""
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "greetings.kubelite.test"},
    "spec": {
        "group": "kubelite.test",
        "scope": "Namespaced",
        "names": {"plural": "greetings", "singular": "greeting", "kind": "Greeting", "listKind": "GreetingList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"text": {"type": "string"}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
GREETING = {"apiVersion": "kubelite.test/v1", "kind": "Greeting", "metadata": {"name": "hello"}, "spec": {"text": "Hi"}}


@contextmanager
def operator(directory: Path, kubeconfig: str, namespace: str) -> Iterator[Path]:
    """A running operator; gives the file that holds its log."""
    program, log = directory / "operator.py", directory / "operator.log"
    program.write_text(OPERATOR)
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", namespace, str(program)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "KUBECONFIG": kubeconfig, "HOME": str(directory)}
        )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture
def greetings(api: Daemon) -> None:
    api.kubectl("apply", "-f", "-", stdin=json.dumps(DEFINITION))
    api.wait("condition=Established", "crd/greetings.kubelite.test")


def test_an_operator_follows_a_custom_object(
    greetings: None, api: Daemon, kubeconfig: str, namespace: str, tmp_path: Path
) -> None:
    with operator(tmp_path, kubeconfig, namespace) as log:
        api.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(GREETING))
        done = api.run("wait", "-n", namespace, "--for=jsonpath={.status.said}=Hi", "greeting/hello", "--timeout=20s")
        assert done.returncode == 0, done.stderr + log.read_text()
        assert api.get("configmap", "hello", "-n", namespace)["data"] == {"text": "Hi"}
        api.kubectl("patch", "-n", namespace, "greeting/hello", "--type=merge", "-p", '{"spec":{"text":"Ahoy"}}')
        api.wait("jsonpath={.data.text}=Ahoy", "-n", namespace, "configmap/hello", timeout_s=20)
        api.kubectl("delete", "-n", namespace, "greeting/hello", "--timeout=20s")
        assert api.get("configmap", "hello-farewell", "-n", namespace)
