"""Custom kinds with every kubectl of the machine, and over a restart of the daemon."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests import kubectls
from tests.e2e.daemon import Daemon

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%(group)s}
spec:
  group: %(group)s
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, maximum: 10, description: How big it is.}
              colour: {type: string, enum: [red, blue], default: red}
              replicas: {type: integer}
          status:
            type: object
            properties: {replicas: {type: integer}, phase: {type: string}}
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    selectableFields: [{jsonPath: .spec.colour}]
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
  - name: v1beta1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
WIDGET = """
apiVersion: %(group)s/v1
kind: Widget
metadata: {name: w}
spec: {size: %(size)s, replicas: 1}
"""
OWNED = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: %(group)s
  ownerReferences: [{apiVersion: %(group)s/v1, kind: Widget, name: w, uid: %(uid)s, blockOwnerDeletion: true}]
"""


@pytest.fixture(scope="module")
def simulated(new_daemon: Callable[..., Daemon]) -> Iterator[Daemon]:
    daemon = new_daemon("--runtime", "simulated", "--store", "memory")
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("kubectl_", kubectls.find(), ids=str)
def test_a_custom_kind_is_like_any_other_for(simulated: Daemon, kubectl_: kubectls.Kubectl) -> None:
    group = f"v{kubectl_.version[1]}.example.com"

    def kubectl(*words: str, stdin: str | None = None) -> str:
        return simulated.kubectl(*words, stdin=stdin, version=kubectl_.path)

    def refused(*words: str, stdin: str | None = None) -> str:
        done = simulated.run(*words, stdin=stdin, version=kubectl_.path)
        assert done.returncode != 0
        return done.stderr

    kubectl("apply", "-f", "-", stdin=CRD % {"group": group})
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=10s")
    kubectl("apply", "-f", "-", stdin=WIDGET % {"group": group, "size": 3})
    assert kubectl("get", f"widgets.{group}").split() == ["NAME", "SIZE", "w", "3"]
    assert "How big it is." in kubectl("explain", f"widgets.{group}.spec")
    assert f"widget.{group}/w" in kubectl("get", "all", "-o", "name")
    unknown = (WIDGET % {"group": group, "size": 3}).replace("replicas", "junk")
    assert 'unknown field "spec.junk"' in refused("apply", "-f", "-", stdin=unknown)
    too_big = refused("apply", "-f", "-", stdin=WIDGET % {"group": group, "size": 30})
    assert "spec.size in body should be less than or equal to 10" in too_big
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=WIDGET % {"group": group, "size": 4})
    kubectl("scale", "--replicas=3", f"widgets.{group}/w")
    kubectl("patch", f"widgets.{group}", "w", "--type=merge", "-p", '{"spec":{"colour":"blue"}}')
    strategic = refused("patch", f"widgets.{group}", "w", "-p", "{}")
    assert "application/strategic-merge-patch+json is not supported" in strategic
    status = ("--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Up"}}')
    kubectl("patch", f"widgets.{group}", "w", *status)
    kubectl("wait", "--for=jsonpath={.status.phase}=Up", f"widgets.{group}/w", "--timeout=10s")
    selected = kubectl("get", f"widgets.{group}", "--field-selector=spec.colour=blue", "-o", "json")
    (found,) = json.loads(selected)["items"]
    assert found["spec"] == {"size": 4, "colour": "blue", "replicas": 3}
    other = json.loads(kubectl("get", f"widgets.v1beta1.{group}", "w", "-o", "json"))
    assert other["apiVersion"] == f"{group}/v1beta1"
    for cascade in ("foreground", "background"):
        uid = kubectl("get", f"widgets.{group}", "w", "-o", "jsonpath={.metadata.uid}")
        kubectl("create", "-f", "-", stdin=OWNED % {"group": group, "uid": uid})
        kubectl("delete", f"widgets.{group}", "w", f"--cascade={cascade}", "--timeout=20s")
        kubectl("wait", "--for=delete", f"configmap/{group}", "--timeout=20s")
        kubectl("apply", "-f", "-", stdin=WIDGET % {"group": group, "size": 3})
    kubectl("create", "namespace", f"v{kubectl_.version[1]}")
    kubectl("apply", "-n", f"v{kubectl_.version[1]}", "-f", "-", stdin=WIDGET % {"group": group, "size": 3})
    kubectl("delete", "namespace", f"v{kubectl_.version[1]}", "--timeout=20s")
    assert "NotFound" in refused("get", f"widgets.{group}", "w", "-n", f"v{kubectl_.version[1]}")
    kubectl("delete", "crd", f"widgets.{group}", "--timeout=20s")
    assert "the server doesn't have a resource type" in refused("get", f"widgets.{group}", "--cache-dir=/nonexistent")


def test_definitions_and_objects_survive_a_restart(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--runtime", "simulated")
    daemon.start()
    daemon.kubectl("apply", "-f", "-", stdin=CRD % {"group": "kept.example.com"})
    daemon.wait("condition=Established", "crd/widgets.kept.example.com")
    daemon.kubectl("apply", "-f", "-", stdin=WIDGET % {"group": "kept.example.com", "size": 3})
    uid = daemon.get("widgets.kept.example.com", "w")["metadata"]["uid"]
    daemon.kubectl("create", "-f", "-", stdin=OWNED % {"group": "kept.example.com", "uid": uid})
    daemon.stop()
    daemon.start()
    assert daemon.get("widgets.kept.example.com", "w")["spec"]["size"] == 3
    assert daemon.get("configmap", "kept.example.com")["metadata"]["ownerReferences"][0]["uid"] == uid
    daemon.kubectl("delete", "widgets.kept.example.com", "w", "--cascade=foreground", "--timeout=20s")
    daemon.kubectl("wait", "--for=delete", "configmap/kept.example.com", "--timeout=20s")
    daemon.stop()
    assert "Traceback" not in daemon.log()
