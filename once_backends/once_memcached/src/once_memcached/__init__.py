"""Leases in Memcached: each an item that only its token may change, by `gets` and `cas`."""

from __future__ import annotations

from collections.abc import Mapping

from once_core import BackendFactory, hookimpl

from .backend import MemcachedBackend

__all__ = ["MemcachedBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"memcached": MemcachedBackend}
