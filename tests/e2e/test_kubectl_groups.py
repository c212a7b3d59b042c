"""Every command group of kubectl, with several kubectl versions, on a simulated daemon."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.kubectls import Kubectl, find

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "%s"}]}
"""
APPLIED, CHANGED = MANIFEST % "app:1", MANIFEST % "app:2"
GENERATORS = """
configmap made --from-literal=a=b
secret generic made --from-literal=a=b
secret docker-registry registry --docker-username=u --docker-password=p
serviceaccount made
role made --verb=get,list --resource=pods,deployments.apps
rolebinding made --role=made --serviceaccount={namespace}:made
clusterrole {namespace} --verb=get --resource=nodes --resource-name=node-1
clusterrolebinding {namespace} --clusterrole={namespace} --user=somebody
deployment made --image=app:1 --replicas=2 --port=80
job made --image=app:1 -- true
cronjob made --image=app:1 --schedule=@daily
job started --from=cronjob/made
ingress made --rule=example.test/path*=made:80
quota made --hard=pods=50
poddisruptionbudget made --selector=app=made --min-available=1
priorityclass {namespace} --value=10
service clusterip cluster --tcp=80:80
service nodeport node --tcp=80:80
service loadbalancer balancer --tcp=80:80
service externalname outside --external-name=example.test
"""
#: The oldest, the last that speaks SPDY, and the newest; with KUBELITE_EVERY_KUBECTL=1 all that there are.
_ALL = find()
_CHOSEN = [each for each in _ALL if each in (_ALL[0], _ALL[-1]) or each.version == (1, 29)]
each = pytest.mark.parametrize("version", _ALL if os.environ.get("KUBELITE_EVERY_KUBECTL") else _CHOSEN, ids=str)
_numbers = itertools.count(1)

#: Runs kubectl in the test's namespace; it must succeed.
Shell = Callable[..., str]


@pytest.fixture(scope="module")
def api(new_daemon: Callable[..., Daemon]) -> Daemon:
    daemon = new_daemon("--runtime", "simulated", "--store", "memory", "--nodes", "2")
    daemon.start()
    return daemon


@pytest.fixture
def within(api: Daemon) -> Iterator[str]:
    name = f"group-{next(_numbers)}"
    api.kubectl("create", "namespace", name)
    yield name
    api.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def shell(api: Daemon, within: str, version: Kubectl) -> Shell:
    def run(*words: str, stdin: str | None = None) -> str:
        return api.kubectl("-n", within, *words, stdin=stdin, version=version.path)

    return run


@pytest.fixture
def refused(api: Daemon, within: str, version: Kubectl) -> Shell:
    """Runs kubectl, which must fail; gives what it said on both streams."""

    def run(*words: str, stdin: str | None = None) -> str:
        done = api.run("-n", within, *words, stdin=stdin, version=version.path)
        assert done.returncode != 0
        return done.stdout + done.stderr

    return run


def applied(shell: Shell) -> None:
    shell("apply", "-f", "-", stdin=APPLIED)
    shell("rollout", "status", "deployment/web", "--timeout=20s")


@each
def test_create_with_every_generator(shell: Shell, within: str) -> None:
    for line in GENERATORS.strip().format(namespace=within).splitlines():
        assert shell("create", *line.split()).endswith(" created\n")
    token = shell("create", "token", "made").strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == f"system:serviceaccount:{within}:made"
    assert json.loads(shell("get", "job/started", "-o", "json"))["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    shell("delete", "clusterrole,clusterrolebinding,priorityclass", within)


@each
def test_apply_and_diff_on_both_sides(shell: Shell, refused: Shell, api: Daemon, within: str, version: Kubectl) -> None:
    assert shell("apply", "-f", "-", stdin=APPLIED) == "deployment.apps/web created\n"
    assert shell("apply", "-f", "-", stdin=APPLIED) == "deployment.apps/web unchanged\n"
    shown = api.run("-n", within, "diff", "-f", "-", stdin=CHANGED, version=version.path)
    assert (shown.returncode, "-      - image: app:1" in shown.stdout) == (1, True)
    assert "+      - image: app:2" in shown.stdout
    assert (
        shell("apply", "-f", "-", "--dry-run=server", stdin=CHANGED)
        == "deployment.apps/web configured (server dry run)\n"
    )
    assert shell("apply", "-f", "-", stdin=CHANGED) == "deployment.apps/web configured\n"
    assert "image: app:2" in shell("apply", "view-last-applied", "deployment/web")
    assert "serverside-applied" in shell("apply", "--server-side", "-f", "-", stdin=CHANGED)
    conflict = refused("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=APPLIED)
    assert '.spec.template.spec.containers[name="main"].image' in conflict
    forced = ("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-")
    assert "serverside-applied" in shell(*forced, stdin=APPLIED)
    assert shell("diff", "--server-side", "--field-manager=other", "-f", "-", stdin=APPLIED) == ""


@each
def test_edit_patch_and_replace(shell: Shell, refused: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    applied(shell)
    monkeypatch.setenv("EDITOR", "sed -i s/replicas:.1/replicas:\\ 2/")
    assert shell("edit", "deployment/web") == "deployment.apps/web edited\n"
    monkeypatch.setenv("EDITOR", "sed -i s/replicas:.2/replicas:\\ -2/")
    assert "must be greater than or equal to 0" in refused("edit", "deployment/web") + refused(
        "patch", "deployment/web", "-p", '{"spec":{"replicas":-2}}'
    )
    for type_, patch in (
        ("strategic", '{"spec":{"replicas":3}}'),
        ("merge", '{"spec":{"replicas":4}}'),
        ("json", '[{"op":"replace","path":"/spec/replicas","value":5}]'),
    ):
        assert shell("patch", "deployment/web", f"--type={type_}", "-p", patch) == "deployment.apps/web patched\n"
    assert (
        shell("patch", "deployment/web", "-p", '{"spec":{"replicas":5}}') == "deployment.apps/web patched (no change)\n"
    )
    assert shell("get", "deployment/web", "-o", "jsonpath={.spec.replicas}") == "5"
    manifest = tmp_path / "web.yaml"
    manifest.write_text(CHANGED)
    assert shell("replace", "-f", str(manifest)) == "deployment.apps/web replaced\n"
    before = shell("get", "deployment/web", "-o", "jsonpath={.metadata.uid}")
    assert "replaced" in shell("replace", "--force", "-f", str(manifest))
    assert shell("get", "deployment/web", "-o", "jsonpath={.metadata.uid}") != before


@each
def test_get_in_every_form(shell: Shell, refused: Shell, within: str) -> None:
    for name in ("b", "a", "c"):
        shell("create", "configmap", name, f"--from-literal=k={name}")
    shell("label", "configmap/a", "mine=yes")
    assert shell("get", "configmaps", "-o", "name").split()[:3] == ["configmap/a", "configmap/b", "configmap/c"]
    assert shell("get", "cm/a", "-o", "jsonpath={.data.k}") == "a"
    assert "  k: a\n" in shell("get", "cm/a", "-o", "yaml")
    assert shell("get", "cm/a", "-o", "go-template={{.data.k}}") == "a"
    columns = shell("get", "cm", "a", "-o", "custom-columns=N:.metadata.name,K:.data.k").splitlines()
    assert [line.split() for line in columns] == [["N", "K"], ["a", "a"]]
    assert "mine=yes" in shell("get", "cm/a", "--show-labels")
    assert shell("get", "cm/a", "-L", "mine", "--no-headers").split()[-1] == "yes"
    assert shell("get", "cm", "-l", "mine=yes", "-o", "name") == "configmap/a\n"
    listed = shell("get", "cm", "--chunk-size=1", "--sort-by=.data.k", "--no-headers").splitlines()
    assert [line.split()[0] for line in listed] == ["kube-root-ca.crt", "a", "b", "c"]
    everywhere = shell("get", "cm", "-A", "--field-selector=metadata.name=a", "--no-headers")
    assert everywhere.split()[:2] == [within, "a"]
    assert "NAMESPACE" in shell("get", "cm,secret", "-A", "-o", "wide")
    assert 'configmaps "none" not found' in refused("get", "cm", "none")
    assert shell("get", "cm", "none", "--ignore-not-found") == ""
    assert "the server doesn't have a resource type" in refused("get", "nonsense")
    assert json.loads(shell("get", "--raw", f"/api/v1/namespaces/{within}/configmaps/a"))["data"] == {"k": "a"}


@each
def test_get_watches(api: Daemon, within: str, version: Kubectl, shell: Shell) -> None:
    shell("create", "configmap", "before")
    watch = ("get", "cm", "-w", "--output-watch-events", "--no-headers")
    command = api.kubectl_command("-n", within, *watch, version=version.path)
    only = [*command, "--watch-only"]
    with (
        subprocess.Popen(command, env=api.environment(), stdout=subprocess.PIPE, text=True) as watching,
        subprocess.Popen(only, env=api.environment(), stdout=subprocess.PIPE, text=True) as watching_only,
    ):
        assert watching.stdout is not None
        assert watching_only.stdout is not None
        first = [watching.stdout.readline().split()[:2] for _ in range(2)]
        assert ["ADDED", "before"] in first
        for number in range(3):  # the second watch begins at some time
            shell("label", "cm/before", f"number={number}", "--overwrite")
        assert watching.stdout.readline().split()[:2] == ["MODIFIED", "before"]
        assert watching_only.stdout.readline().split()[1] == "before"
        watching.kill()
        watching_only.kill()


@each
def test_wait_rollout_and_scale(shell: Shell, refused: Shell) -> None:
    applied(shell)
    shell("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    shell("wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "app=web", "--timeout=20s")
    assert "timed out" in refused("wait", "--for=condition=Never", "deployment/web", "--timeout=1s")
    assert shell("rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    assert shell("rollout", "resume", "deployment/web") == "deployment.apps/web resumed\n"
    assert shell("set", "image", "deployment/web", "main=app:2") == "deployment.apps/web image updated\n"
    shell("rollout", "status", "deployment/web", "--timeout=20s")
    assert "app:2" in shell("rollout", "history", "deployment/web", "--revision=2")
    assert shell("rollout", "undo", "deployment/web", "--to-revision=1") == "deployment.apps/web rolled back\n"
    assert shell("get", "deployment/web", "-o", "jsonpath={..image}") == "app:1"
    assert shell("rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    shell("rollout", "status", "deployment/web", "--timeout=20s")
    assert shell("scale", "deployment/web", "--replicas=3") == "deployment.apps/web scaled\n"
    assert "xpected replicas to be 5" in refused("scale", "deployment/web", "--current-replicas=5", "--replicas=1")
    shell("delete", "deployment/web", "--timeout=20s")


@each
def test_label_annotate_set_autoscale_expose_and_run(shell: Shell, refused: Shell) -> None:
    applied(shell)
    shell("label", "deployment/web", "a=b")
    assert "already has a value" in refused("label", "deployment/web", "a=c")
    assert shell("label", "deployment/web", "a=c", "--overwrite") == "deployment.apps/web labeled\n"
    assert shell("label", "deployment/web", "a-") == "deployment.apps/web unlabeled\n"
    assert "deployment.apps/web annotate" in shell("annotate", "deployment/web", "note=text")
    shell("set", "env", "deployment/web", "KEY=value")
    assert "KEY=value" in shell("set", "env", "deployment/web", "--list")
    shell("set", "resources", "deployment/web", "--limits=cpu=1", "--requests=cpu=500m")
    assert json.loads(shell("get", "deployment/web", "-o", "jsonpath={..resources}")) == {
        "limits": {"cpu": "1"},
        "requests": {"cpu": "500m"},
    }
    assert "autoscaled" in shell("autoscale", "deployment/web", "--min=1", "--max=3", "--cpu-percent=80")
    assert shell("get", "hpa", "--no-headers").split()[:2] == ["web", "Deployment/web"]
    assert shell("expose", "deployment/web", "--port=80") == "service/web exposed\n"
    assert shell("get", "service/web", "-o", "jsonpath={.spec.selector}") == '{"app":"web"}'
    assert shell("run", "one", "--image=app:1", "--labels=a=b") == "pod/one created\n"
    assert "Scaled up replica set" in shell("events", "--for", "deployment/web")
    assert "Scaled up replica set" in shell("describe", "deployment/web")


@each
def test_nodes_are_tainted_cordoned_and_drained(shell: Shell, api: Daemon, within: str) -> None:
    applied(shell)
    assert shell("taint", "nodes", "node-2", "k=v:NoSchedule") == "node/node-2 tainted\n"
    assert shell("taint", "nodes", "node-2", "k-") == "node/node-2 untainted\n"
    node = shell("get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
    assert shell("cordon", node) == f"node/{node} cordoned\n"
    assert "SchedulingDisabled" in shell("get", "node", node)
    assert "evicting pod" in shell(
        "drain", node, "--ignore-daemonsets", "--force", "--pod-selector=app=web", "--timeout=20s"
    )
    assert shell("uncordon", node) == f"node/{node} uncordoned\n"


@each
def test_explain_discovery_rights_and_metrics(shell: Shell, refused: Shell, version: Kubectl) -> None:
    assert "rollingUpdate" in shell("explain", "deployment.spec.strategy")
    assert re.search(r"containerPort\t<integer>", shell("explain", "pods", "--recursive"))
    named = shell("api-resources", "--namespaced=false", "--verbs=list", "-o", "name").split()
    assert {"nodes", "namespaces", "clusterroles.rbac.authorization.k8s.io"} <= set(named)
    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v2"} <= set(shell("api-versions").split())
    assert shell("auth", "can-i", "create", "pods") == "yes\n"
    assert "no" in refused("auth", "can-i", "create", "pods", "--as=nobody")
    assert "[*]" in shell("auth", "can-i", "--list")
    if version.version >= (1, 28):
        assert "kubernetes-admin" in shell("auth", "whoami")
    assert "node-1" in shell("top", "nodes")
    assert "is running at" in shell("cluster-info")
    assert "kubelite" in shell("config", "get-contexts")
    assert "v1.33" in shell("version")


@each
def test_fields_are_explained_in_words(shell: Shell) -> None:
    assert "run together on one node" in shell("explain", "pod")
    assert "number of equal pods running" in shell("explain", "deployment")
    assert "How many pods may be missing" in shell("explain", "deployment.spec.strategy.rollingUpdate")
    assert "Names and values by which the object" in shell("explain", "configmap.metadata")
    assert "at certain times" in shell("explain", "cronjobs", "--api-version=batch/v1")


@each
def test_state_subresources_are_shown_and_written(shell: Shell) -> None:
    applied(shell)
    scale = shell("get", "deployment/web", "--subresource=scale").splitlines()
    assert [line.split()[:3] for line in scale] == [["NAME", "DESIRED", "AVAILABLE"], ["web", "1", "1"]]
    assert "1/1" in shell("get", "deployment/web", "--subresource=status")
    scaled = shell("patch", "deployment/web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    assert "patched" in scaled
    shell("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web", "--timeout=20s")
    shown = json.loads(shell("get", "deployment/web", "-o", "json"))
    shown["spec"]["replicas"] = 7  # is no part of the status
    assert "replaced" in shell("replace", "--subresource=status", "-f", "-", stdin=json.dumps(shown))
    assert shell("get", "deployment/web", "-o", "jsonpath={.spec.replicas}") == "2"


@each
def test_edit_with_the_editor_of_kubectl(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("create", "configmap", "edited", "--from-literal=k=before")
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/before/after/")
    assert shell("edit", "configmap/edited") == "configmap/edited edited\n"
    assert shell("get", "cm/edited", "-o", "jsonpath={.data.k}") == "after"
    monkeypatch.setenv("KUBE_EDITOR", "true")
    shell("edit", "configmap/edited")  # nothing changed, nothing written
    assert shell("get", "cm/edited", "-o", "jsonpath={.data.k}") == "after"


@each
def test_the_rest_of_get_and_the_cluster(shell: Shell, refused: Shell, within: str, tmp_path: Path) -> None:
    shell("create", "configmap", "a", "--from-literal=k=v")
    template = tmp_path / "columns"
    template.write_text("NAME VALUE\n.metadata.name .data.k\n")
    assert shell("get", "cm/a", "-o", f"custom-columns-file={template}").split() == ["NAME", "VALUE", "a", "v"]
    template.write_text("{.data.k}")
    assert shell("get", "cm/a", "-o", f"jsonpath-file={template}") == "v"
    assert shell("get", "cm/a", "-o", "jsonpath-as-json={.data.k}").split() == ["[", '"v"', "]"]
    template.write_text("{{.data.k}}")
    assert shell("get", "cm/a", "-o", f"go-template-file={template}") == "v"
    assert "managedFields" in shell("get", "cm/a", "-o", "yaml", "--show-managed-fields")
    assert "Healthy" in shell("get", "componentstatuses", "scheduler")
    assert "Local" in shell("get", "apiservices", "v1.apps")
    wide = shell("api-resources", "-o", "wide", "--api-group=apps")
    assert "create,delete,deletecollection,get,list,patch,update,watch" in wide
    shell("cluster-info", "dump", f"--namespaces={within}", f"--output-directory={tmp_path}")
    assert (tmp_path / within / "events.json").exists()
    role = {
        "kind": "Role",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "r", "namespace": within},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    assert "reconciled" in shell("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    assert "is simulated" in refused("get", "--raw", _proxied(shell, within))


def _proxied(shell: Shell, within: str) -> str:
    shell("run", "one", "--image=app:1", "--port=80")
    shell("wait", "--for=condition=Ready", "pod/one", "--timeout=20s")
    return f"/api/v1/namespaces/{within}/pods/one/proxy/"


@each
def test_kustomize(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(APPLIED)
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\nnamePrefix: my-\n")
    assert "name: my-web" in shell("kustomize", str(tmp_path))
    assert shell("apply", "-k", str(tmp_path)) == "deployment.apps/my-web created\n"
    assert "deleted" in shell("delete", "-k", str(tmp_path))


@each
def test_pods_are_entered_debugged_and_read(shell: Shell) -> None:
    shell("run", "one", "--image=app:1")
    shell("wait", "--for=condition=Ready", "pod/one", "--timeout=20s")
    assert shell("exec", "one", "--", "echo", "hi") == "hi\n"
    assert shell("logs", "one", "--tail=1") == "Started simulated container one\n"
    shell("debug", "one", "--image=app:2", "--target=one", "--", "true")
    assert shell("get", "pod/one", "-o", "jsonpath={.spec.ephemeralContainers[*].image}") == "app:2"
    shell("debug", "one", "--image=app:2", "--copy-to=copy")
    assert shell("get", "pod/copy", "-o", "jsonpath={.spec.containers[*].image}") == "app:1 app:2"
    assert "force deleted" in shell("delete", "pod/one", "--force", "--grace-period=0")


@each
def test_proxy(api: Daemon, within: str, version: Kubectl) -> None:
    command = api.kubectl_command("proxy", "--port=0", version=version.path)
    with subprocess.Popen(command, env=api.environment(), stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().rpartition(" ")[2].strip()
        with urllib.request.urlopen(f"http://{address}/api/v1/namespaces/{within}", timeout=10) as answer:
            assert json.load(answer)["metadata"]["name"] == within
        proxy.kill()
