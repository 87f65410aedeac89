"""A URL and the options in it: read and checked, without connecting."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from once_core.errors import ConfigurationError

from .connection import WRONG_OPTION, shown, wrong_options

EXAMPLES = "sqlite:///jobs.db, postgresql://user:password@host/database or mysql://user:password@host/database"
OPTIONS = ("table", "timeout", "durable")

_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_TABLE = re.compile(r"[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?", re.ASCII)
_BOOLEANS = {"true": True, "false": False, True: True, False: False}


def read(text: str) -> tuple[URL, dict[str, Any]]:
    """Return the URL for the driver, and the options that are ours."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{_without_password(text)!r} is no database URL: write {EXAMPLES}") from None
    ours = {name: value for name, value in url.query.items() if name in OPTIONS}
    for name, value in url.query.items():
        if (name not in ours and url.get_backend_name() == "sqlite") or not isinstance(value, str):
            raise ConfigurationError(
                f"{shown(url)}: {name!r} is no option, or given twice: there are {', '.join(OPTIONS)}"
            )
    return url.difference_update_query(OPTIONS), ours


def private_engine(url: URL, timeout: float) -> Engine:
    """Return an engine without a pool for *url*."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        from .sqlite import private_engine

        return private_engine(url, timeout)
    if kind not in _DRIVERS or url.drivername not in (kind, _DRIVERS[kind]):
        try:
            url.get_dialect()
        except NoSuchModuleError as error:
            raise ConfigurationError(
                f"{shown(url)} is no database that SQLAlchemy knows: install its dialect, or write {EXAMPLES}"
            ) from error
        raise ConfigurationError(
            f"{shown(url)} is served for an engine of yours alone: configure(SqlBackend(create_engine(...))); "
            f"or write {EXAMPLES}"
        )
    url = url.set(drivername=_DRIVERS[kind])
    arguments: dict[str, Any] = {"connect_timeout": max(round(timeout), 1)}
    if kind != "postgresql":
        arguments |= {"read_timeout": timeout, "write_timeout": timeout}
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments)
    except (ImportError, NoSuchModuleError) as error:  # psycopg's is about a libpq that it can't find, too
        extra = "postgresql" if kind == "postgresql" else "mysql"
        raise ConfigurationError(f'{shown(url)}: {str(error).strip()}: type pip install "once-sql[{extra}]"') from error
    except WRONG_OPTION as error:
        raise wrong_options(url, error) from error


def seconds(where: str, value: str | float) -> float:
    with suppress(ValueError, TypeError):
        if 0 < (number := float(value)) <= 60:
            return number
    raise ConfigurationError(f"{where}: timeout={value} is no time to wait: take seconds, above 0 and up to 60")


def boolean(where: str, value: str | bool) -> bool:
    if value not in _BOOLEANS:
        raise ConfigurationError(f"{where}: durable={value} is neither durable=true nor durable=false")
    return _BOOLEANS[value]


def table_name(where: str, value: str) -> str:
    if not _TABLE.fullmatch(value) or value.lower().startswith("sqlite_"):
        raise ConfigurationError(
            f"{where}: the table name {value!r} can't be used: take up to 63 letters, digits and underscores, "
            "a letter first, as in table=once_leases, and a schema before it if there is one: table=app.once_leases"
        )
    return value


def _without_password(text: str) -> str:
    """Return what may be shown of a text that can't be read as a URL."""
    credentials, at, place = text.rpartition("@")
    return re.sub(r"(:/*[^:/]*:).*", r"\1***", credentials) + at + place.partition("?")[0]
