"""Leases in a SQL table, asked through SQLAlchemy's engine: SQLite, for all processes of one machine."""

from __future__ import annotations

from collections.abc import Mapping

from once_core import BackendFactory, hookimpl

from .backend import SqlBackend

__all__ = ["SqlBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"sqlite": SqlBackend}
