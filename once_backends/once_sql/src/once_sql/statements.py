"""What a dialect has to say: its statements, made once, and the answers that take more than one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .connection import Parameters
from .names import Names

Statement: TypeAlias = Any
"""Text with parameters by name, as the dialect's driver takes it; or an expression of SQLAlchemy's Core."""

Row: TypeAlias = tuple[Any, ...]

Ask: TypeAlias = Callable[[Statement, Parameters], list[Row]]
"""Runs one statement and returns its rows; one row, too, for each that a statement without an answer has changed."""

Asked: TypeAlias = Mapping[str, Any]
"""A key, a token and the milliseconds from now, by the names of the parameters."""

Renewal: TypeAlias = tuple[Any, Any, int]
"""A key, its token, and the milliseconds from now for which the lease is to be held."""

LONGEST_KEY = 512
"""Bytes that may stand in the index of a server's table."""

PAGE = 1000
"""Held keys that are listed by one statement, lest a long list keep everybody else waiting."""


class Statements(Protocol):
    """All that is ever sent about one table. Times are milliseconds of the database's clock since 1970."""

    names: Names
    create: str
    renew: Statement
    """Like *release* it answers with one row if the token held the key, and with none if it did not."""
    release: Statement
    holder: Statement
    purge: Statement

    def take(self, ask: Ask, asked: Asked, /) -> int | None:
        """Take a key whose row is absent, free or the token's own, and return the fence; else None."""
        ...

    def renew_many(self, ask: Ask, batch: Sequence[Renewal], /) -> set[Any]:
        """Renew leases on different keys; return the keys of those that were."""
        ...

    def holders(self, ask: Ask, prefix: Any, /) -> Iterator[Row]:
        """Yield key, token and milliseconds left of each lease whose key starts with *prefix*."""
        ...


def in_pages(ask: Ask, statement: Statement, prefix: bytes) -> Iterator[Row]:
    """Yield the rows between *start* and *end*, ordered by their key, the first column."""
    # A key that begins with the prefix goes on in UTF-8, which has no byte 0xFF: all of them, and no others, are below
    # prefix + 0xFF.
    start, end = prefix, prefix + b"\xff"
    while rows := ask(statement, {"start": start, "end": end, "page": PAGE}):
        yield from rows
        start = rows[-1][0] + b"\0"


def in_one_line(sql: str) -> str:
    """Return *sql* as it is told in an error."""
    return " ".join(sql.split()) + ";"
