"""Leases in this process's memory: the shortest backend there is, and the one to read first.

It does not reach beyond the process: another process, a forked child included, has stores of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from once_core import BackendFactory, hookimpl
from once_core.errors import ConfigurationError

from .backend import MemoryBackend

__all__ = ["MemoryBackend"]

_stores: dict[str, MemoryBackend] = {}


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"memory": named_store}


def named_store(url: str) -> MemoryBackend:
    """Return the process's store of that name; `memory://` is the one with the empty name."""
    parts = urlsplit(url)
    if parts.path or parts.query or parts.fragment:
        raise ConfigurationError(f"{url!r}: a memory store has a name and no options; write memory:// or memory://name")
    return _stores.setdefault(parts.netloc, MemoryBackend())
