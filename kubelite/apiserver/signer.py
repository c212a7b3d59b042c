"""The cluster's certificate authority for others: reads PKCS #10 requests, and makes certificates of approved ones.

The cryptography library is loaded at the first request. Whether a request may be signed is decided by its approval and by
`api.certificate_signers`. Source: kubernetes pkg/controller/certificates/{authority,signer}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubelite.api.certificate_signers import Asked
from kubelite.api.certificates_v1 import CertificateSigningRequest
from kubelite.apiserver import authz
from kubelite.apiserver.interface import User
from kubelite.apiserver.rbac import Rules

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest as Parsed

_YEAR_S = 365 * 86400
_LEAST_S = 600
#: How far back a certificate is valid already, for clocks that are behind; short ones are not shortened by it.
_BACKDATE_S = 300
_SHORT_S = 8 * 3600
_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}


def read_request(pem: bytes) -> Asked:
    """Raises: ValueError when it is no request, or not signed by its own key."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parsed = _parsed(pem)
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])

    def subject(oid: Any) -> tuple[str, ...]:
        return tuple(str(attribute.value) for attribute in parsed.subject.get_attributes_for_oid(oid))

    return Asked(
        common_name=(*subject(NameOID.COMMON_NAME), "")[0],
        organizations=subject(NameOID.ORGANIZATION_NAME),
        dns_names=tuple(names.get_values_for_type(x509.DNSName)),
        ip_addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        emails=tuple(names.get_values_for_type(x509.RFC822Name)),
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def _parsed(pem: bytes) -> Parsed:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        parsed = x509.load_pem_x509_csr(pem)
        if parsed.is_signature_valid:
            return parsed
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise ValueError(str(error) or "x509: cannot verify signature") from error
    is_rsa = isinstance(parsed.public_key(), RSAPublicKey)
    raise ValueError("crypto/rsa: verification error" if is_rsa else "x509: ECDSA verification failure")


class Signer:
    """The authority in `directory`, whose ca.crt and ca.key it reads at each use. `rules` say who is approved at once."""

    def __init__(self, directory: Path, rules: Rules) -> None:
        self._directory = directory
        self._rules = rules

    read = staticmethod(read_request)

    def may(self, request: CertificateSigningRequest, subresource: str) -> bool:
        """Whether who made the request has the right to `create` that subresource of requests."""
        spec = request.spec
        asked = authz.Attributes(
            user=User(name=spec.username, uid=spec.uid, groups=spec.groups, extra=spec.extra),
            verb="create",
            group="certificates.k8s.io",
            resource="certificatesigningrequests",
            subresource=subresource,
        )
        return authz.MASTERS in spec.groups or self._rules.allow(asked)[0]

    def sign(self, request: CertificateSigningRequest, now: float) -> bytes:
        """The certificate, as PEM text. Raises: ValueError."""
        from datetime import UTC, datetime

        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

        parsed = _parsed(request.spec.request)
        authority = x509.load_pem_x509_certificate((self._directory / "ca.crt").read_bytes())
        key: Any = load_pem_private_key((self._directory / "ca.key").read_bytes(), None)
        begins = now - _BACKDATE_S
        lifetime = min(max(request.spec.expiration_seconds or _YEAR_S, _LEAST_S), _YEAR_S)
        ends = (now if lifetime < _SHORT_S else begins) + lifetime
        builder = (
            x509.CertificateBuilder()
            .subject_name(parsed.subject)
            .issuer_name(authority.subject)
            .public_key(parsed.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(int(begins), UTC))
            .not_valid_after(min(datetime.fromtimestamp(int(ends), UTC), authority.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        for extension, is_critical in _extensions(request.spec.usages, parsed):
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _extensions(usages: tuple[str, ...], parsed: Parsed) -> list[tuple[Any, bool]]:
    """What the certificate is for, and the further names that were asked for; and whether who does not know it must refuse."""
    from cryptography import x509

    found: list[tuple[Any, bool]] = []
    flags = dict.fromkeys(_USAGES.values(), False) | {_USAGES[usage]: True for usage in usages if usage in _USAGES}
    if any(flags.values()):
        flags["key_agreement"] |= flags["encipher_only"] or flags["decipher_only"]
        found.append((x509.KeyUsage(**flags), True))
    if extended := dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED):
        found.append((x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in extended]), False))
    names = (item.value for item in parsed.extensions if isinstance(item.value, x509.SubjectAlternativeName))
    return found + [(value, not list(parsed.subject)) for value in names]
