"""Rendezvous hashing (Thaler, Ravishankar, 1998): who of several owns what, without a table.

A member that leaves gives its own away and moves nothing else; one that joins takes an even share.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

_BYTES = 8


def owner_of(subject: str, members: Iterable[str]) -> str | None:
    """The member with the greatest hash together with the subject; None: there is no member."""
    key = blake2b(subject.encode(), digest_size=16).digest()
    return max(members, key=lambda member: (_weight(member, key), member), default=None)


def _weight(member: str, key: bytes) -> bytes:
    return blake2b(member.encode(), key=key, digest_size=_BYTES).digest()
