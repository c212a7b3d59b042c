"""The key pair that signs service-account tokens: JSON Web Signatures by ES256, and the public key as clients ask for it.

Here alone is the cryptography of tokens; what they say is decided by `tokens`. The library is loaded, and a key made, at the
first use. Source: RFC 7515, RFC 7517, RFC 7518 §3.4; kubernetes pkg/serviceaccount/{jwt,openidmetadata}.go
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kubelite.apiserver.kubeconfig import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM = "ES256"
_SIZE = 32  #: bytes of a coordinate of P-256


class SigningKey:
    """Made once: kept in `directory` as sa.key and sa.pub, or in memory if there is none."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory

    def sign(self, payload: bytes) -> str:
        """The token: header, payload and signature."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        signed = f"{self._header}.{_encode(payload)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_encode(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"

    def verify(self, token: str) -> bool:
        """Whether this key has signed it."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        signed, _, signature = token.rpartition(".")
        if signed.partition(".")[0] != self._header:
            return False
        try:
            raw = decode(signature)
            pair = encode_dss_signature(int.from_bytes(raw[:_SIZE], "big"), int.from_bytes(raw[_SIZE:], "big"))
            self._key.public_key().verify(pair, signed.encode(), ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return len(raw) == 2 * _SIZE

    @cached_property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public key as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        x, y = (_encode(number.to_bytes(_SIZE, "big")) for number in (numbers.x, numbers.y))
        key = {"use": "sig", "kty": "EC", "kid": self._key_id, "crv": "P-256", "alg": ALGORITHM, "x": x, "y": y}
        return {"keys": [key]}

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
            load_pem_private_key,
        )

        if self._directory is None:
            return ec.generate_private_key(ec.SECP256R1())
        file = self._directory / "sa.key"
        if file.exists():
            found = load_pem_private_key(file.read_bytes(), None)
            assert isinstance(found, ec.EllipticCurvePrivateKey)
            return found
        made = ec.generate_private_key(ec.SECP256R1())
        public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_private(self._directory / "sa.pub", public)
        write_private(file, made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        return made

    @cached_property
    def _key_id(self) -> str:
        from cryptography.hazmat.primitives.hashes import SHA256, Hash
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        digest = Hash(SHA256())
        digest.update(self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        return _encode(digest.finalize())

    @cached_property
    def _header(self) -> str:
        return _encode(msgspec.json.encode({"alg": ALGORITHM, "kid": self._key_id}))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """A part of a token. Raises: ValueError.

    >>> decode("e30")
    b'{}'
    """
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
