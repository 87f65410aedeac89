"""What is broken: the memory store, with all abilities or with keys that are encoded, and a store of all processes."""

from __future__ import annotations

from typing import ClassVar

from once_core.backend import Grant, Holder
from once_memory import MemoryBackend

from ..right import AbleBackend, FileBackend


class Broken(MemoryBackend):
    """The memory store, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {"process_local": True}


class EncodesKeys(Broken):
    """The memory store under keys that `encoded` has changed."""

    def encoded(self, key: str) -> str:
        raise NotImplementedError

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return super().acquire(self.encoded(key), token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return super().renew(self.encoded(key), token, ttl)

    def release(self, key: str, token: str) -> bool:
        return super().release(self.encoded(key), token)

    def holder(self, key: str) -> Holder | None:
        return super().holder(self.encoded(key))


class Able(AbleBackend):
    """The memory store with all abilities, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {"process_local": True, "has_aio": True}


class BrokenFile(FileBackend):
    """The store of all processes, to be broken."""

    caught_by: ClassVar[dict[str, int]] = {}
    knobs: ClassVar[dict[str, object]] = {}
