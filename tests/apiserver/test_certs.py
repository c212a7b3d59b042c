"""Certificates are made once, hold the names asked for, and are private; the kubeconfig embeds them."""

from __future__ import annotations

import base64
import json
import ssl
import stat
import subprocess
import sys
from pathlib import Path

from kubelite.apiserver.certs import FRONT_PROXY, FRONT_PROXY_CA, KUBELET_CLIENT, Pki
from kubelite.apiserver.kubeconfig import write_kubeconfig

NOW = 1_700_000_000.0
YEAR_S = 365 * 86400


def names(path: Path) -> set[tuple[str, str]]:
    info = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]  # the parser of ssl itself
    return set(info["subjectAltName"])


def test_serving_certificate_holds_every_name_and_files_are_private(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure(("10.96.0.1", "myhost"), NOW)
    found = names(pki.path("apiserver.crt"))
    wanted = {("DNS", "kubernetes.default.svc.cluster.local"), ("DNS", "myhost"), ("IP Address", "10.96.0.1")}
    assert wanted <= found
    assert {stat.S_IMODE(file.stat().st_mode) for file in pki.path("").iterdir()} == {0o600}
    assert pki.server_context().verify_mode == ssl.CERT_OPTIONAL


def test_later_start_keeps_what_is_good_and_renews_what_is_not(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure((), NOW)
    first, authority = pki.path("apiserver.crt").read_bytes(), pki.authority.read_bytes()
    pki.ensure((), NOW + YEAR_S / 2)
    assert pki.path("apiserver.crt").read_bytes() == first
    pki.ensure(("new.example",), NOW + 60)
    assert ("DNS", "new.example") in names(pki.path("apiserver.crt"))
    assert pki.authority.read_bytes() == authority
    pki.ensure(("new.example",), NOW + YEAR_S)
    assert pki.path("apiserver.crt").read_bytes() != first


def test_a_directory_of_an_older_version_gets_what_is_missing_and_keeps_its_authority(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure((), NOW)
    authority = pki.authority.read_bytes()
    for name in (FRONT_PROXY_CA, FRONT_PROXY, KUBELET_CLIENT):
        for kind in ("crt", "key"):
            pki.path(f"{name}.{kind}").unlink()
    pki.ensure((), NOW + 60)
    assert pki.authority.read_bytes() == authority
    for name in (FRONT_PROXY, KUBELET_CLIENT):
        assert pki.client_context(name, authority=authority.decode()).verify_mode == ssl.CERT_REQUIRED


def test_later_start_does_not_import_the_cryptography_library(tmp_path: Path) -> None:
    Pki(tmp_path).ensure((), NOW)
    code = (
        "import sys, pathlib; from kubelite.apiserver.certs import Pki; p = Pki(pathlib.Path(sys.argv[1]));"
        f"p.ensure((), {NOW}); p.server_context(); sys.exit('cryptography' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_a_kubelets_certificate_is_kept_until_it_is_old_or_lacks_a_name(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure((), NOW)
    file = pki.path("kubelet-node-1.crt")
    assert pki.kubelet_context("node-1", ("10.0.0.1",), NOW).verify_mode == ssl.CERT_OPTIONAL
    assert names(file) == {("DNS", "node-1"), ("IP Address", "10.0.0.1")}
    made = file.read_bytes()
    pki.kubelet_context("node-1", ("10.0.0.1",), NOW + YEAR_S / 2)
    assert file.read_bytes() == made
    pki.kubelet_context("node-1", ("10.0.0.2",), NOW)
    assert ("IP Address", "10.0.0.2") in names(file)
    made = file.read_bytes()
    pki.kubelet_context("node-1", ("10.0.0.2",), NOW + YEAR_S)
    assert file.read_bytes() != made


def test_kubeconfig_embeds_the_certificates_and_is_private(tmp_path: Path) -> None:
    Pki(tmp_path / "pki").ensure((), NOW)
    path = tmp_path / "deep" / "kubeconfig"
    write_kubeconfig(path, "https://127.0.0.1:6443", tmp_path / "pki")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = json.loads(path.read_bytes())
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == (tmp_path / "pki" / "admin.key").read_bytes()
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert [file.name for file in path.parent.iterdir()] == ["kubeconfig"]
