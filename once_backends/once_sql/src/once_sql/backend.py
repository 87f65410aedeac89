"""The verbs, in words that every SQL dialect understands; the statements behind them are the dialect's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import ceil
from typing import Any

from sqlalchemy import Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable, ConfigurationError

from .connection import SharedConnection
from .sqlite import SqliteDatabase, SqliteStatements, private_engine

_PAGE = 1000  # held keys listed by one statement
_BATCH = 10_000  # leases renewed by one statement
_LONGEST = 10**15  # ms: some 30,000 years, which every dialect can add to its clock


class SqlBackend:
    """A table of leases in the database of a URL, or of an Engine of yours, whose listeners and arguments it keeps.

    Nothing is opened before the first question. *timeout* bounds the wait for another process's write, in seconds.
    """

    def __init__(self, engine_or_url: Engine | str, *, table: str = "once_leases", timeout: float = 5.0) -> None:
        if isinstance(engine_or_url, Engine):
            engine, where = engine_or_url, engine_or_url.url
        else:
            where, options = _read(engine_or_url)
            table = options.get("table", table)
            timeout = _seconds(where, options.get("timeout", timeout))
            engine = private_engine(where, timeout)
        if not re.fullmatch(r"[A-Za-z_]\w{0,62}", table, re.ASCII) or table.lower().startswith("sqlite_"):
            raise ConfigurationError(
                f"{where!r}: the table name {table!r} can't be used: take up to 63 letters, digits and underscores, "
                "a letter first, as in table=once_leases"
            )
        self._sql = SqliteStatements(table)
        self._store = SharedConnection(SqliteDatabase(engine, self._sql, _seconds(where, timeout)))

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        rows = self._store.ask(self._sql.acquire, (_bytes(key), _bytes(token), _ms(ttl)))
        return Grant(rows[0][0]) if rows else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._store.ask(self._sql.renew, (_ms(ttl), _bytes(key), _bytes(token))))

    def release(self, key: str, token: str) -> bool:
        return bool(self._store.ask(self._sql.release, (_bytes(key), _bytes(token))))

    def holder(self, key: str) -> Holder | None:
        rows = self._store.ask(self._sql.holder, (_bytes(key),))
        return Holder(_text(rows[0][0]), rows[0][1] / 1000) if rows else None

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool | None]:
        """Renew each (key, token, ttl) by one statement for ten thousand; None for those it could not ask about."""
        answers: list[bool | None] = []
        waiting = iter(leases)
        while batch := list(islice(waiting, _BATCH)):
            try:
                answers += self._renew_batch(batch)
            except BackendUnavailable:
                if not answers:
                    raise
                answers += [None] * (len(leases) - len(answers))
                break
        return answers

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        # In pages, lest a long list keep everybody else waiting. A key that begins with the prefix goes on in UTF-8,
        # which has no byte 0xFF: all of them, and no others, are below prefix + 0xFF.
        start, end = _bytes(prefix), _bytes(prefix) + b"\xff"
        while rows := self._store.ask(self._sql.holders, (start, end, _PAGE)):
            for key, token, remaining in rows:
                yield _text(key), Holder(_text(token), remaining / 1000)
            start = rows[-1][0] + b"\0"

    def purge(self) -> None:
        self._store.ask(self._sql.purge, ())

    def close(self) -> None:
        """Close the connection; the next question opens one anew."""
        self._store.close()

    def _renew_batch(self, batch: list[tuple[str, str, float]]) -> Iterator[bool | None]:
        # The batch travels as one JSON text. What JSON can't carry to the table byte by byte (NUL, lone surrogates),
        # and a key that is asked for twice, are asked about one by one.
        asked: dict[str, str] = {}
        alone: dict[int, bool] = {}
        for place, (key, token, ttl) in enumerate(batch):
            if key in asked or not key.isprintable() or not token.isprintable():
                alone[place] = self.renew(key, token, ttl)
            else:
                asked[key] = f"{_ms(ttl)} {token}"
        renewed = {row[0] for row in self._store.ask(self._sql.renew_many, (json.dumps(asked, ensure_ascii=False),))}
        return (alone[place] if place in alone else lease[0] in renewed for place, lease in enumerate(batch))


def _read(text: str) -> tuple[URL, dict[str, Any]]:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"{text!r} is not a database URL: write sqlite:///jobs.db or sqlite:////var/lib/app/jobs.db"
        ) from None
    for name, value in url.query.items():
        if name not in ("timeout", "table") or not isinstance(value, str):
            raise ConfigurationError(f"{url!r}: {name!r} is no option, or given twice: there are timeout and table")
    return url.set(query={}), dict(url.query)


def _seconds(where: URL, value: str | float) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(value)) <= 60:
            return seconds
    raise ConfigurationError(f"{where!r}: timeout={value} is no time to wait: take seconds, above 0 and up to 60")


def _ms(ttl: float) -> int:
    # The store's clock shows whole milliseconds and may lag by almost one: one more makes it ttl at least.
    return ceil(min(ttl * 1000, _LONGEST)) + 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
