"""Certificate requests: who may write which part of them, and the certificates that come of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec.structs import replace

from kubelite.api import certificates_v1 as certificates, errors
from kubelite.api.certificate_signers import CLIENT, NODE_CLIENT, NODE_SERVING, Asked, problem_of
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.certs import Pki
from kubelite.apiserver.interface import User
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.signer import Signer, read_request
from tests.apiserver.registries import Cluster, cluster

NOW = 1_700_000_000.0
Request = certificates.CertificateSigningRequest


def pem(name: str = "jane", *organizations: str, dns: str = "") -> bytes:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()).public_bytes(Encoding.PEM)


def request(text: bytes = b"", **spec: object) -> Request:
    fields = {"signer_name": CLIENT, "usages": ("client auth",), "request": text or pem(), **spec}
    return Request(metadata=ObjectMeta(name="a"), spec=certificates.CertificateSigningRequestSpec(**fields))  # type: ignore[arg-type]


def decided(found: Request, *types: str, status: str = "True") -> Request:
    conditions = tuple(
        certificates.CertificateSigningRequestCondition(type=type_, status=status, reason="Test") for type_ in types
    )
    return replace(found, status=replace(found.status, conditions=conditions))


def certified(found: Request, certificate: bytes) -> Request:
    return replace(found, status=replace(found.status, certificate=certificate))


CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


async def test_a_request_names_who_made_it() -> None:
    async with cluster() as c:
        jane = LocalClient(c.registry, User(name="jane", uid="7", groups=("devs",), extra={"a": ("b",)}))
        made = await jane.create(request(username="root", groups=("system:masters",)))
        assert (made.spec.username, made.spec.uid, made.spec.groups) == ("jane", "7", ("devs",))
        changed = await c.client.update(replace(made, spec=replace(made.spec, username="root")))
        assert changed.spec.username == "jane"


async def test_approval_writes_conditions_and_status_the_certificate() -> None:
    async with cluster() as c:
        made = await c.client.create(request())
        plain = await c.client.update(decided(made, "Approved"))
        assert plain.status.conditions == ()
        approved = await c.client.update(certified(decided(made, "Approved"), CERTIFICATE), subresource="approval")
        [condition] = approved.status.conditions
        assert condition.type == "Approved"
        assert condition.last_update_time == condition.last_transition_time
        assert condition.last_update_time is not None
        assert approved.status.certificate == b""
        issued = await c.client.update(certified(approved, CERTIFICATE), subresource="status")
        assert issued.status.certificate == CERTIFICATE
        assert issued.status.conditions == approved.status.conditions


@pytest.mark.parametrize(
    ("subresource", "types", "certificate", "says"),
    [
        ("status", ("Approved", "Denied"), b"", 'updates may not add a condition of type "Denied"'),
        ("status", (), b"", 'updates may not remove a condition of type "Approved"'),
        ("approval", ("Approved", "Denied"), b"", "Approved and Denied conditions are mutually exclusive"),
        ("approval", (), b"", 'updates may not remove a condition of type "Approved"'),
        ("status", ("Approved",), b"no", "must contain at least one CERTIFICATE PEM block"),
        ("status", ("Approved",), CERTIFICATE + b"x", "updates may not modify existing certificate content"),
    ],
)
async def test_what_was_decided_stays(subresource: str, types: tuple[str, ...], certificate: bytes, says: str) -> None:
    async with cluster() as c:
        made = await c.client.update(decided(await c.client.create(request()), "Approved"), subresource="approval")
        if says.endswith("content"):
            made = await c.client.update(certified(made, CERTIFICATE), subresource="status")
        with pytest.raises(errors.Invalid) as caught:
            await c.client.update(certified(decided(made, *types), certificate), subresource=subresource)
        assert says in caught.value.message


async def test_only_who_may_act_for_a_signer_approves_and_signs() -> None:
    async with cluster() as c:
        made = await c.client.create(request())
        jane = LocalClient(c.registry, User(name="jane", groups=("devs",)))
        with pytest.raises(errors.Forbidden, match=f'not permitted to approve requests with signerName "{CLIENT}"'):
            await jane.update(decided(made, "Approved"), subresource="approval")
        with pytest.raises(errors.Forbidden, match=f'not permitted to sign requests with signerName "{CLIENT}"'):
            await jane.update(certified(made, CERTIFICATE), subresource="status")


async def test_requests_that_cannot_be_meant_are_refused() -> None:
    async def refused(c: Cluster, wrong: Request) -> str:
        with pytest.raises(errors.StatusError) as caught:
            await c.client.create(wrong)
        return caught.value.message

    async with cluster() as c:
        assert "use of kubernetes.io/kube-apiserver-client signer with system:masters" in await refused(
            c, request(pem("root", "system:masters"))
        )
        other, good = read_lines(pem()), read_lines(pem())
        forged = b"\n".join([*good[:-2], other[-2], good[-1]])  # another one's signature, or the end of it
        assert "spec.request" in await refused(c, request(forged))


def read_lines(text: bytes) -> list[bytes]:
    return text.strip().split(b"\n")


NODE = Asked(common_name="system:node:a", organizations=("system:nodes",))
SERVES = ("digital signature", "server auth")


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "problem"),
    [
        (CLIENT, Asked(), ("client auth", "digital signature", "key encipherment"), ""),
        (CLIENT, Asked(), ("digital signature",), "missing required usage for client certificate: client auth"),
        (NODE_CLIENT, NODE, ("digital signature", "client auth"), ""),
        (NODE_CLIENT, replace(NODE, organizations=("a",)), (), "subject organization is not system:nodes"),
        (NODE_CLIENT, replace(NODE, dns_names=("a",)), (), "DNS subjectAltNames are not allowed"),
        (NODE_CLIENT, replace(NODE, common_name="a"), (), "subject common name does not begin with system:node:"),
        (NODE_CLIENT, NODE, SERVES, "usages did not match [client auth digital signature key encipherment]"),
        (NODE_SERVING, NODE, SERVES, "DNS or IP subjectAltName is required"),
        (NODE_SERVING, replace(NODE, ip_addresses=("::1",)), SERVES, ""),
        (NODE_SERVING, replace(NODE, dns_names=("a",), uris=("u",)), SERVES, "URI subjectAltNames are not allowed"),
    ],
)
def test_each_signer_signs_what_it_is_for(signer: str, asked: Asked, usages: tuple[str, ...], problem: str) -> None:
    assert problem_of(signer, asked, usages) == problem


def test_a_certificate_is_of_the_authority_for_the_time_and_use_asked_for(tmp_path: Path) -> None:
    Pki(tmp_path).ensure((), NOW)
    text = pem("system:node:a", "system:nodes", dns="a.example")
    assert read_request(text).dns_names == ("a.example",)
    wanted = request(text, usages=("digital signature", "key encipherment", "server auth"), expiration_seconds=3600)
    signer = Signer(tmp_path, Rules())
    made = x509.load_pem_x509_certificate(signer.sign(wanted, NOW))
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    made.verify_directly_issued_by(authority)
    assert made.not_valid_before_utc.timestamp() == NOW - 300
    assert made.not_valid_after_utc.timestamp() == NOW + 3600
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    long = x509.load_pem_x509_certificate(signer.sign(request(text, expiration_seconds=10**9), NOW))
    assert long.not_valid_after_utc.timestamp() == NOW - 300 + 365 * 86400
