"""Event ids for facts that our own clients and collector mint, once. Foreign facts get theirs from what they carry."""

import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID


def uuid7(now: datetime, random_bits: Callable[[int], int] = secrets.randbits) -> UUID:
    """RFC 9562 version 7: milliseconds, then 74 random bits. Python's own comes with 3.14."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | 7 << 76 | random_bits(12) << 64 | 2 << 62 | random_bits(62)
    return UUID(int=value)
