"""Leases in Coconut: `coconut://localhost`."""

from __future__ import annotations

from collections.abc import Mapping

from once_core import BackendFactory, hookimpl

from .backend import CoconutBackend

__all__ = ["CoconutBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"coconut": CoconutBackend}
