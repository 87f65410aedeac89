"""The verbs, in words that every SQL dialect understands; the statements behind them are the dialect's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from sqlalchemy import Engine

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable

from .dialects import serve

_BATCH = 10_000  # leases renewed by one statement
_LONGEST = 10**15  # ms: some 30,000 years, which every dialect can add to its clock


class SqlBackend:
    """A table of leases in the database of a URL, or of an Engine of yours, whose listeners and arguments it keeps.

    Nothing is opened before the first question.

    *table* may have a schema before it: `app.once_leases`. *timeout* bounds each wait for an answer, and for another's
    write, in seconds. *durable* is PostgreSQL's alone: False does not wait for a grant to be on the disk. *clock* is
    for databases that are served in the portable way: SQL for their milliseconds since 1970, in UTC.
    """

    def __init__(
        self,
        engine_or_url: Engine | str,
        *,
        table: str = "once_leases",
        timeout: float = 5.0,
        durable: bool = True,
        clock: str | None = None,
    ) -> None:
        self._sql, self._store = serve(engine_or_url, table=table, timeout=timeout, durable=durable, clock=clock)
        names = self._sql.names
        self._key, self._encode, self._decode = names.key, names.encode, names.decode

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        fence = self._sql.take(self._store.ask, self._asked(key, token, ttl))
        return None if fence is None else Grant(fence)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._store.ask(self._sql.renew, self._asked(key, token, ttl)))

    def release(self, key: str, token: str) -> bool:
        return bool(self._store.ask(self._sql.release, {"key": self._key(key), "token": self._encode(token)}))

    def holder(self, key: str) -> Holder | None:
        rows = self._store.ask(self._sql.holder, {"key": self._key(key)})
        return Holder(self._decode(rows[0][0]), rows[0][1] / 1000) if rows else None

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
        for key, token, remaining in self._sql.holders(self._store.ask, self._encode(prefix)):
            yield self._decode(key), Holder(self._decode(token), remaining / 1000)

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
        asked: dict[Any, tuple[Any, Any, int]] = {}
        alone: dict[int, bool] = {}  # a key that is asked for twice
        names = [self._key(key) for key, _, _ in batch]
        for place, (name, (key, token, ttl)) in enumerate(zip(names, batch, strict=True)):
            if name in asked:
                alone[place] = self.renew(key, token, ttl)
            else:
                asked[name] = (name, self._encode(token), _ms(ttl))
        renewed = self._sql.renew_many(self._store.ask, list(asked.values()))
        return (alone.get(place, name in renewed) for place, name in enumerate(names))

    def _asked(self, key: str, token: str, ttl: float) -> dict[str, object]:
        return {"key": self._key(key), "token": self._encode(token), "ms": _ms(ttl)}


def _ms(ttl: float) -> int:
    # The store's clock shows whole milliseconds and may lag by almost one: one more makes it ttl at least.
    return ceil(min(ttl * 1000, _LONGEST)) + 1
