"""The verbs, in words that every SQL dialect understands; the statements behind them are the dialect's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import ceil

from sqlalchemy import Engine

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable

from .dialects import serve

_PAGE = 1000  # held keys listed by one statement
_BATCH = 10_000  # leases renewed by one statement
_LONGEST = 10**15  # ms: some 30,000 years, which every dialect can add to its clock
_DIGESTED = re.compile(rb"~[0-9a-f]{64}\Z")


class SqlBackend:
    """A table of leases in the database of a URL, or of an Engine of yours, whose listeners and arguments it keeps.

    Nothing is opened before the first question. *table* may have a schema before it: `app.once_leases`. *timeout*
    bounds each wait for an answer, and for another's write, in seconds.
    """

    def __init__(self, engine_or_url: Engine | str, *, table: str = "once_leases", timeout: float = 5.0) -> None:
        self._sql, self._store = serve(engine_or_url, table, timeout)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        asked = {"key": self._name(key), "token": _bytes(token), "ms": _ms(ttl)}
        rows = self._store.ask(self._sql.acquire, asked)
        if not rows and self._sql.insert:
            rows = self._store.ask(self._sql.insert, asked)
        return Grant(rows[0][0]) if rows else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._store.ask(self._sql.renew, {"key": self._name(key), "token": _bytes(token), "ms": _ms(ttl)}))

    def release(self, key: str, token: str) -> bool:
        return bool(self._store.ask(self._sql.release, {"key": self._name(key), "token": _bytes(token)}))

    def holder(self, key: str) -> Holder | None:
        rows = self._store.ask(self._sql.holder, {"key": self._name(key)})
        return Holder(_text(rows[0][0]), rows[0][1] / 1000) if rows else None

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool | None]:
        """Renew each (key, token, ttl), thousands by one statement; None for those it could not ask about."""
        answers: list[bool | None] = []
        while len(answers) < len(leases):
            batch = leases[len(answers) : len(answers) + _BATCH]
            try:
                answers += self._renew_batch(batch)
            except BackendUnavailable:
                if not answers:
                    raise
                answers += [None] * (len(leases) - len(answers))
        return answers

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        """Yield every held key that starts with *prefix*. One that was too long is told by its head and digest."""
        # In pages, lest a long list keep everybody else waiting. A key that begins with the prefix goes on in UTF-8,
        # which has no byte 0xFF: all of them, and no others, are below prefix + 0xFF.
        start, end = _bytes(prefix), _bytes(prefix) + b"\xff"
        while rows := self._store.ask(self._sql.holders, {"start": start, "end": end, "page": _PAGE}):
            for key, token, remaining in rows:
                yield _text(key), Holder(_text(token), remaining / 1000)
            start = rows[-1][0] + b"\0"

    def purge(self) -> None:
        self._store.ask(self._sql.purge, {})

    def close(self) -> None:
        """Close the connections; the next question opens one anew."""
        self._store.close()

    @property
    def ddl(self) -> str:
        """The statement that makes the table, for those who make it themselves."""
        return self._sql.create

    def _renew_batch(self, batch: Sequence[tuple[str, str, float]]) -> Iterator[bool | None]:
        asked: dict[bytes, tuple[bytes, bytes, int]] = {}
        alone: dict[int, bool] = {}  # a key that is asked for twice
        names = [self._name(key) for key, _, _ in batch]
        for place, (name, (key, token, ttl)) in enumerate(zip(names, batch, strict=True)):
            if name in asked:
                alone[place] = self.renew(key, token, ttl)
            else:
                asked[name] = (name, _bytes(token), _ms(ttl))
        renewed = self._sql.renew_many(self._store.ask, list(asked.values()))
        return (alone.get(place, name in renewed) for place, name in enumerate(names))

    def _name(self, key: str) -> bytes:
        """Return what stands for *key* in the table: itself, or its head and a digest where it is too long."""
        name = _bytes(key)
        longest = self._sql.longest_key
        if longest is None or (len(name) <= longest and not _DIGESTED.search(name)):
            return name
        return _bytes(key[:100]) + b"~" + sha256(name).hexdigest().encode()


def _ms(ttl: float) -> int:
    # The store's clock shows whole milliseconds and may lag by almost one: one more makes it ttl at least.
    return ceil(min(ttl * 1000, _LONGEST)) + 1


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
