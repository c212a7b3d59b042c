"""The hash of a pod template that names ReplicaSets and ControllerRevisions. Pure.

Upstream's alphabet and length, an own stable hash: nothing but equality is promised about it.
Source: k8s.io/apimachinery pkg/util/rand (SafeEncodeString), kubectl's pod-template-hash label
"""

from __future__ import annotations

import msgspec

#: Source: k8s.io/apimachinery pkg/util/rand (alphanums)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

_ENCODER = msgspec.json.Encoder(order="sorted")


def safe_hash(value: object, salt: int | None = None) -> str:
    """Up to ten letters and digits that no word appears in; `salt` tells colliding values apart."""
    import hashlib

    digest = hashlib.blake2b(_ENCODER.encode(value), digest_size=4, salt=b"" if salt is None else b"%d" % salt)
    number = int.from_bytes(digest.digest(), "big")
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))
