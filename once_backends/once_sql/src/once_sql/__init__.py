"""Leases in a SQL table: SQLite for all processes of one machine; PostgreSQL, MariaDB and MySQL over many machines."""

from __future__ import annotations

from collections.abc import Mapping

from once_core import BackendFactory, hookimpl

from .backend import SqlBackend

__all__ = ["SqlBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return dict.fromkeys(("sqlite", "postgresql", "mysql", "mariadb"), SqlBackend)
