"""The cluster's certificates: an authority, the server's, and the clients'. Made once, kept in `<data-dir>/pki`.

A later start loads files and does not import the cryptography library: `stamp.json` says which names the serving certificate
holds and until when everything is valid; what is missing, too old or lacks a name is made again. Files are 0600 and atomic.
Source: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kubelite.apiserver.kubeconfig import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

_YEAR_S = 365 * 86400
#: Renewed when less than this is left.
_RENEW_S = 30 * 86400
ADMIN = "admin"
#: name -> (common name, organizations). Source: kubeadm phases/certs
CLIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ADMIN: ("kubernetes-admin", ("system:masters",)),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
}
_SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)


class _Stamp(msgspec.Struct, frozen=True):
    expires: float
    names: tuple[str, ...]


class Pki:
    """The certificates in a directory. Call `ensure` first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        return self._directory / name

    @property
    def authority(self) -> Path:
        return self.path("ca.crt")

    def ensure(self, names: Iterable[str], now: float) -> None:
        """Makes what is missing or about to expire at `now`. `names` are the serving certificate's further names and IPs.

        Raises: OSError.
        """
        wanted = tuple(sorted({*_SERVICE_NAMES, "127.0.0.1", "::1", *names}))
        files = [self.path(f"{name}.{ext}") for name in ("ca", "apiserver", *CLIENTS) for ext in ("crt", "key")]
        stamp = self._stamp()
        present = stamp is not None and all(file.exists() for file in files)
        if present and stamp is not None and stamp.expires > now + _RENEW_S and set(wanted) <= set(stamp.names):
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make(wanted, now, keep_authority=present and stamp is not None and stamp.expires > now + _RENEW_S)

    def server_context(self) -> ssl.SSLContext:
        """TLS for the server; clients may present a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.path("apiserver.crt"), self.path("apiserver.key"))
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _stamp(self) -> _Stamp | None:
        try:
            return msgspec.json.decode(self.path("stamp.json").read_bytes(), type=_Stamp)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _make(self, names: tuple[str, ...], now: float, *, keep_authority: bool) -> None:
        maker = _Maker(self._directory, now, keep_authority=keep_authority)
        maker.issue("apiserver", "kube-apiserver", names=names)
        for name, (common_name, organizations) in CLIENTS.items():
            maker.issue(name, common_name, organizations=organizations)
        expires = now + _YEAR_S
        if keep_authority and (stamp := self._stamp()) is not None:
            expires = min(expires, stamp.expires)
        write_private(self.path("stamp.json"), msgspec.json.encode(_Stamp(expires, names)))


class _Maker:
    """Everything that needs the cryptography library."""

    def __init__(self, directory: Path, now: float, *, keep_authority: bool) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self._directory = directory
        self._now = now
        self._key: EllipticCurvePrivateKey
        self._certificate: Certificate
        if keep_authority:
            key: Any = load_pem_private_key((directory / "ca.key").read_bytes(), None)
            self._key = key
            self._certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        else:
            self._key = _new_key()
            self._certificate = self._authority()
            self._write("ca", self._certificate, self._key)

    def issue(
        self, file: str, common_name: str, *, organizations: tuple[str, ...] = (), names: tuple[str, ...] = ()
    ) -> None:
        """A serving certificate if it has `names`, else a client's."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = _new_key()
        usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            self._builder(_name(common_name, organizations), key, _YEAR_S)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(authority, critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        self._write(file, builder.sign(self._key, hashes.SHA256()), key)

    def _authority(self) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        made: Certificate = (
            self._builder(_name("kubernetes"), self._key, 10 * _YEAR_S)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return made

    def _builder(self, subject: Any, key: EllipticCurvePrivateKey, lifetime_s: float) -> Any:
        from datetime import UTC, datetime

        from cryptography import x509

        issuer = self._certificate.subject if hasattr(self, "_certificate") else subject
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(self._now - 300, UTC))
            .not_valid_after(datetime.fromtimestamp(self._now + lifetime_s, UTC))
        )

    def _write(self, name: str, certificate: Certificate, key: EllipticCurvePrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        write_private(self._directory / f"{name}.key", private)
        write_private(self._directory / f"{name}.crt", certificate.public_bytes(Encoding.PEM))


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str, organizations: tuple[str, ...] = ()) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, entry) for entry in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> Any:
    from ipaddress import ip_address

    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
