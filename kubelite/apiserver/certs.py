"""The cluster's certificates: an authority, the server's, and the clients'. Made once, kept in `<data-dir>/pki`.

A later start loads files and does not import the cryptography library: `stamp.json` says which names the serving certificate
holds and until when everything is valid; what is missing, too old or lacks a name is made again. Files are 0600 and atomic.
Source: https://kubernetes.io/docs/setup/best-practices/certificates/
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from hashlib import sha256
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
#: Whom the server is to kubelets, and to the API servers behind it: those trust an authority of its own for that.
KUBELET_CLIENT, FRONT_PROXY = "apiserver-kubelet-client", "front-proxy-client"
FRONT_PROXY_CA = "front-proxy-ca"
#: name -> (common name, organizations). Source: kubeadm phases/certs
CLIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    ADMIN: ("kubernetes-admin", ("system:masters",)),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    KUBELET_CLIENT: ("kube-apiserver-kubelet-client", ("system:masters",)),
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
        names_of_files = ("ca", "apiserver", FRONT_PROXY_CA, FRONT_PROXY, *CLIENTS)
        files = [self.path(f"{name}.{ext}") for name in names_of_files for ext in ("crt", "key")]
        stamp = self._stamp()
        is_fresh = stamp is not None and stamp.expires > now + _RENEW_S
        if is_fresh and stamp is not None and set(wanted) <= set(stamp.names) and all(file.exists() for file in files):
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make(wanted, now, keep_authority=is_fresh)

    def server_context(self) -> ssl.SSLContext:
        """TLS for the server; clients may present a certificate of the authority."""
        return self._serving_context("apiserver")

    def client_context(self, name: str, *, authority: str | None = None) -> ssl.SSLContext:
        """TLS towards another server, as the client `name`. `authority` is the PEM text of whom it trusts; if that is

        empty the system's, with None anybody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if authority is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif authority:
            context.load_verify_locations(cadata=authority)
        else:
            context.load_default_certs()
        context.load_cert_chain(self.path(f"{name}.crt"), self.path(f"{name}.key"))
        return context

    def kubelet_context(self, node: str, names: Iterable[str], now: float) -> ssl.SSLContext:
        """TLS for the API of a node's kubelet, reached by `names`; its certificate is made when it is missing or old.

        Raises: OSError. Source: kubernetes.io/kubelet-serving, https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/
        """
        file, wanted = f"kubelet-{node}", (*sorted({node, *names}), sha256(self.authority.read_bytes()).hexdigest())
        stamp = self._stamp(f"{file}.json")
        if stamp is None or stamp.expires < now + _RENEW_S or stamp.names != wanted:
            maker = _Maker(self._directory, now, keep_authority=True)
            maker.issue(file, f"system:node:{node}", organizations=("system:nodes",), names=wanted[:-1])
            write_private(self.path(f"{file}.json"), msgspec.json.encode(_Stamp(now + _YEAR_S, wanted)))
        return self._serving_context(file)

    def _serving_context(self, file: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.path(f"{file}.crt"), self.path(f"{file}.key"))
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _stamp(self, file: str = "stamp.json") -> _Stamp | None:
        try:
            return msgspec.json.decode(self.path(file).read_bytes(), type=_Stamp)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _make(self, names: tuple[str, ...], now: float, *, keep_authority: bool) -> None:
        maker = _Maker(self._directory, now, keep_authority=keep_authority)
        maker.issue("apiserver", "kube-apiserver", names=names)
        for name, (common_name, organizations) in CLIENTS.items():
            maker.issue(name, common_name, organizations=organizations)
        proxying = _Maker(self._directory, now, keep_authority=keep_authority, authority=FRONT_PROXY_CA)
        proxying.issue(FRONT_PROXY, FRONT_PROXY)
        expires = now + _YEAR_S
        if keep_authority and (stamp := self._stamp()) is not None:
            expires = min(expires, stamp.expires)
        write_private(self.path("stamp.json"), msgspec.json.encode(_Stamp(expires, names)))


class _Maker:
    """Everything that needs the cryptography library."""

    def __init__(self, directory: Path, now: float, *, keep_authority: bool, authority: str = "ca") -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self._directory = directory
        self._now = now
        self._key: EllipticCurvePrivateKey
        self._certificate: Certificate
        if keep_authority and (directory / f"{authority}.key").exists():
            key: Any = load_pem_private_key((directory / f"{authority}.key").read_bytes(), None)
            self._key = key
            self._certificate = x509.load_pem_x509_certificate((directory / f"{authority}.crt").read_bytes())
        else:
            self._key = _new_key()
            self._certificate = self._authority("kubernetes" if authority == "ca" else authority)
            self._write(authority, self._certificate, self._key)

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

    def _authority(self, name: str) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        made: Certificate = (
            self._builder(_name(name), self._key, 10 * _YEAR_S)
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
