"""The checksum of stored content: equal fingerprints mean equal bytes."""

from __future__ import annotations

import hashlib


def fingerprint(content: bytes) -> str:
    """SHA-256 in hexadecimal.

    >>> fingerprint(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(content).hexdigest()


__all__ = ["fingerprint"]
