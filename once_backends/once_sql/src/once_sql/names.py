"""How keys and tokens stand in a table, and what stands for a key that is too long for its column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_DIGESTED = re.compile(r"~[0-9a-f]{64}\Z")
_UNSAFE = re.compile(rb"[^a-z0-9.:/~_-]")
_ESCAPED = re.compile(rb"=([0-9a-f]{2})")


def to_bytes(text: str) -> bytes:
    """Return UTF-8: for columns of bytes, which no collation folds and no NUL ends."""
    return text.encode("utf-8", "surrogatepass")


def from_bytes(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")


def to_ascii(text: str) -> str:
    """Return lower-case ASCII, `=41` for an A: two texts are equal by any collation only if they are the same."""
    return _UNSAFE.sub(lambda byte: b"=%02x" % byte[0][0], to_bytes(text)).decode("ascii")


def from_ascii(stored: str) -> str:
    return from_bytes(_ESCAPED.sub(lambda byte: bytes([int(byte[1], 16)]), stored.encode("ascii")))


@dataclass(frozen=True)
class Names:
    """What a dialect's columns take: keys that are up to *longest* when stored, and of others *head* characters."""

    encode: Callable[[str], Any]
    decode: Callable[[Any], str]
    longest: int | None = None
    head: int = 100

    def key(self, key: str) -> Any:
        """Return what stands for *key*: itself, or its head and a digest where it is too long or looks like that."""
        name = self.encode(key)
        if self.longest is None or (len(name) <= self.longest and not _DIGESTED.search(key)):
            return name
        return self.encode(f"{key[: self.head]}~{sha256(to_bytes(key)).hexdigest()}")
