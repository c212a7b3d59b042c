"""Who may do what, as kubectl shows it: certificates, tokens, rights, pod security, the audit log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests import kubectls
from tests.e2e.daemon import Daemon
from tests.kubectls import Kubectl

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: Request, verbs: [create], resources: [{resources: [pods]}]}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  containers: [{name: app, image: "app:1"}]
"""
RESTRICTED = (
    'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false),'
    ' unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]),'
    ' runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true),'
    ' seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or'
    ' "Localhost")'
)


class Rights:
    """A daemon with users of the test's own in its kubeconfig."""

    def __init__(self, daemon: Daemon, directory: Path) -> None:
        self.daemon = daemon
        self._directory = directory
        self.audit = directory / "audit.log"

    def add_user(self, name: str, *words: str) -> None:
        self.daemon.kubectl("config", "set-credentials", name, *words)

    def key_and_request(self, subject: str, *organizations: str) -> tuple[Path, str]:
        """A new key, and a request for a certificate of it as a manifest has it."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._directory / f"{subject.replace(':', '-')}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
        names.append(x509.NameAttribute(NameOID.COMMON_NAME, subject))
        made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, SHA256())
        return path, base64.b64encode(made.public_bytes(Encoding.PEM)).decode()

    def certificate(self, name: str) -> Path:
        """The one that was issued, once it is there."""
        self.daemon.kubectl("wait", "csr", name, "--for=jsonpath={.status.certificate}", "--timeout=30s")
        path = self._directory / f"{name}.crt"
        found = self.daemon.kubectl("get", "csr", name, "-o", "jsonpath={.status.certificate}")
        path.write_bytes(base64.b64decode(found))
        return path


def request(name: str, text: str, *, signer: str = "kube-apiserver-client", usages: str = "client auth") -> str:
    return f"""
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: {name}}}
spec: {{request: {text}, signerName: kubernetes.io/{signer}, usages: [{usages}], expirationSeconds: 3600}}
"""


@pytest.fixture(scope="module")
def rights(new_daemon: Callable[..., Daemon], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rights]:
    directory = tmp_path_factory.mktemp("rights")
    (directory / "policy.yaml").write_text(POLICY)
    (directory / "tokens.csv").write_text("janes-token,jane,7,devs\n")
    settings = {
        "--token-auth-file": directory / "tokens.csv",
        "--audit-policy-file": directory / "policy.yaml",
        "--audit-log-path": directory / "audit.log",
    }
    words = [str(word) for pair in settings.items() for word in pair]
    daemon = new_daemon("--runtime", "simulated", "--store", "memory", *words)
    daemon.start()
    made = Rights(daemon, directory)
    made.add_user("jane", "--token=janes-token")
    yield made
    daemon.stop()


@pytest.mark.parametrize("version", kubectls.find(), ids=str)
def test_an_approved_request_becomes_a_certificate_that_is_its_user(rights: Rights, version: Kubectl) -> None:
    def kubectl(*words: str, stdin: str | None = None) -> str:
        return rights.daemon.kubectl(*words, stdin=stdin, version=version.path)

    name = f"bob{version.version[1]}"
    key, text = rights.key_and_request(name, "devs")
    kubectl("create", "-f", "-", stdin=request(name, text))
    assert "Pending" in kubectl("get", "csr", name)
    approved = f"certificatesigningrequest.certificates.k8s.io/{name} approved\n"
    assert kubectl("certificate", "approve", name) == approved
    certificate = rights.certificate(name)
    assert "Approved,Issued" in kubectl("get", "csr", name)
    rights.add_user(name, f"--client-certificate={certificate}", f"--client-key={key}")
    refused = rights.daemon.run(f"--user={name}", "get", "secrets", version=version.path)
    assert f'User "{name}" cannot list resource "secrets"' in refused.stderr
    whoami = rights.daemon.kubectl(f"--user={name}", "auth", "whoami")
    fingerprint = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(SHA256()).hex()
    assert [line.rsplit(maxsplit=1) for line in whoami.splitlines()] == [
        ["ATTRIBUTE", "VALUE"],
        ["Username", name],
        ["Groups                                              [devs", "system:authenticated]"],
        ["Extra: authentication.kubernetes.io/credential-id", f"[X509SHA256={fingerprint}]"],
    ]


def test_a_denied_request_stays_without_a_certificate(rights: Rights) -> None:
    kubectl = rights.daemon.kubectl
    _, text = rights.key_and_request("mallory", "devs")
    kubectl("create", "-f", "-", stdin=request("mallory", text))
    kubectl("certificate", "deny", "mallory")
    assert "Denied" in kubectl("get", "csr", "mallory")
    refused = rights.daemon.run("certificate", "approve", "mallory")
    assert "is already Denied" in refused.stderr or "mutually exclusive" in refused.stderr
    assert kubectl("get", "csr", "mallory", "-o", "jsonpath={.status.certificate}") == ""


def test_a_request_that_its_signer_does_not_sign_fails(rights: Rights) -> None:
    kubectl = rights.daemon.kubectl
    _, text = rights.key_and_request("server", "devs")
    kubectl("create", "-f", "-", stdin=request("server", text, usages="server auth"))
    kubectl("certificate", "approve", "server")
    kubectl("wait", "csr", "server", "--for=condition=Failed", "--timeout=30s")
    message = kubectl("get", "csr", "server", "-o", "jsonpath={.status.conditions[?(@.type=='Failed')].message}")
    assert message == "invalid usage for client certificate: server auth"
    _, text = rights.key_and_request("root", "system:masters")
    refused = rights.daemon.run("create", "-f", "-", stdin=request("root", text))
    why = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    assert why in refused.stderr


def test_a_machine_with_a_bootstrap_token_becomes_a_node(rights: Rights) -> None:
    kubectl = rights.daemon.kubectl
    literals = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
    }
    secret = [f"--from-literal={key}={value}" for key, value in literals.items()]
    where = ("-n", "kube-system", "bootstrap-token-abcdef")
    kubectl("create", "secret", "generic", "--type=bootstrap.kubernetes.io/token", *where, *secret)
    for role in ("node-bootstrapper", "certificates.k8s.io:certificatesigningrequests:nodeclient"):
        granted = (f"--clusterrole=system:{role}", "--group=system:bootstrappers")
        kubectl("create", "clusterrolebinding", role, *granted)
    rights.add_user("machine", "--token=abcdef.0123456789abcdef")
    key, text = rights.key_and_request("system:node:joined", "system:nodes")
    manifest = request("joined", text, signer="kube-apiserver-client-kubelet", usages="digital signature, client auth")
    kubectl("--user=machine", "create", "-f", "-", stdin=manifest)
    certificate = rights.certificate("joined")  # nobody had to approve it
    rights.add_user("joined", f"--client-certificate={certificate}", f"--client-key={key}")
    kubectl("create", "secret", "generic", "private", "--from-literal=a=b")
    refused = rights.daemon.run("--user=joined", "get", "secret", "private")
    assert "no relationship found between node 'joined' and this object" in refused.stderr
    assert "all nodes, only its own Node object" in rights.daemon.run("--user=joined", "get", "nodes").stderr


def test_rights_are_listed_and_reconciled(rights: Rights) -> None:
    kubectl = rights.daemon.kubectl
    assert kubectl("auth", "can-i", "--list").splitlines()[1].split() == ["*.*", "[]", "[]", "[*]"]
    before = kubectl("--user=jane", "auth", "can-i", "--list", "--no-headers")
    assert "selfsubjectrulesreviews.authorization.k8s.io" in before
    assert "[/openapi/*]" in before
    assert "pods" not in before
    assert rights.daemon.run("--user=jane", "auth", "can-i", "list", "pods").stdout == "no\n"
    manifest = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: readers, namespace: default}
rules: [{apiGroups: [""], resources: [pods, pods/log], verbs: [get, list], resourceNames: []}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: readers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}]
"""
    assert "role.rbac.authorization.k8s.io/readers reconciled" in kubectl(
        "auth", "reconcile", "-f", "-", stdin=manifest
    )
    wider = manifest.replace("[get, list]", "[get, list, watch]")
    kubectl("auth", "reconcile", "-f", "-", stdin=wider)
    assert rights.daemon.run("--user=jane", "auth", "can-i", "list", "pods").stdout == "yes\n"
    after = [line.split() for line in kubectl("--user=jane", "auth", "can-i", "--list", "--no-headers").splitlines()]
    assert ["pods", "[]", "[]", "[get", "list", "watch]"] in after
    assert ["pods/log", "[]", "[]", "[get", "list", "watch]"] in after
    refused = rights.daemon.run("--user=jane", "create", "role", "x", "--verb=delete", "--resource=pods")
    assert 'User "jane" cannot create resource "roles"' in refused.stderr
    whoami = kubectl("--user=jane", "auth", "whoami")
    assert [line.split(maxsplit=1) for line in whoami.splitlines()] == [
        ["ATTRIBUTE", "VALUE"],
        ["Username", "jane"],
        ["UID", "7"],
        ["Groups", "[devs system:authenticated]"],
    ]


def test_a_restricted_namespace_refuses_pods_and_warns_of_deployments(rights: Rights) -> None:
    kubectl, run = rights.daemon.kubectl, rights.daemon.run
    kubectl("create", "namespace", "tight")
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", "tight", label)
    kubectl("wait", "-n", "tight", "--for=create", "serviceaccount/default", "--timeout=30s")
    refused = run("apply", "-n", "tight", "-f", "-", stdin=POD % "loose")
    expected = f'pods "loose" is forbidden: violates PodSecurity "restricted:latest": {RESTRICTED}'
    assert refused.stderr.endswith(f'Error from server (Forbidden): error when creating "STDIN": {expected}\n')
    warned = run("create", "deployment", "-n", "tight", "app", "--image=app:1")
    assert warned.returncode == 0
    assert warned.stderr == f'Warning: would violate PodSecurity "restricted:latest": {RESTRICTED}\n'
    kubectl("create", "namespace", "wide")
    kubectl("wait", "-n", "wide", "--for=create", "serviceaccount/default", "--timeout=30s")
    kubectl("apply", "-n", "wide", "-f", "-", stdin=POD % "here")
    tried = run("label", "namespace", "wide", label, "--dry-run=server")
    assert tried.stderr.splitlines()[:2] == [
        'Warning: existing pods in namespace "wide" violate the new PodSecurity enforce level "restricted:latest"',
        "Warning: here: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile",
    ]
    bad = run("label", "namespace", "tight", "pod-security.kubernetes.io/warn=much")
    assert "must be one of privileged, baseline, restricted" in bad.stderr


def test_the_audit_log_holds_what_the_policy_says(rights: Rights) -> None:
    kubectl = rights.daemon.kubectl
    kubectl("create", "secret", "generic", "audited", "--from-literal=password=hunter2")
    kubectl("create", "-f", "-", stdin=POD % "audited")
    rights.daemon.run("--user=jane", "get", "secret", "audited")
    events = [json.loads(line) for line in rights.audit.read_text().splitlines()]
    mine = [event for event in events if event["objectRef"].get("name") == "audited"]
    found = [
        (event["user"]["username"], event["verb"], event["objectRef"]["resource"], event["level"]) for event in mine
    ]
    assert ("kubernetes-admin", "create", "secrets", "Metadata") in found
    assert ("kubernetes-admin", "create", "pods", "Request") in found
    refused = next(event for event in mine if event["user"]["username"] == "jane")
    assert refused["responseStatus"]["code"] == 403
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    created = next(event for event in mine if event["objectRef"]["resource"] == "pods")
    assert created["requestObject"]["spec"]["containers"][0]["image"] == "app:1"
    assert created["annotations"]["pod-security.kubernetes.io/enforce-policy"] == "privileged:latest"
    assert "hunter2" not in rights.audit.read_text()
    assert {event["objectRef"]["resource"] for event in events} == {"secrets", "pods"}
