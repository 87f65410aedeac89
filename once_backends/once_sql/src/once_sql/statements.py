"""What a dialect has to say: the text of each statement, with parameters by name, made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from .connection import Parameters

Ask: TypeAlias = Callable[[str, Parameters], list[tuple[Any, ...]]]
"""Runs one statement and returns its rows."""

Renewal: TypeAlias = tuple[bytes, bytes, int]
"""A key, its token, and the milliseconds from now for which the lease is to be held."""

LONGEST_KEY = 512
"""Bytes that may stand in the index of a server's table."""


class Statements(Protocol):
    """All that is ever sent about one table. Times are milliseconds of the database's clock since 1970."""

    create: str
    acquire: str
    """Takes a key whose row is free or the token's own, and answers with one row: the fence. *insert* does so where
    there is no row yet, unless *acquire* does."""
    insert: str | None
    renew: str
    """Like *release* it answers with one row if the token held the key, and with none if it did not."""
    release: str
    holder: str
    holders: str
    purge: str
    longest_key: int | None
    """In bytes; None where there is no limit."""

    def renew_many(self, ask: Ask, batch: Sequence[Renewal], /) -> set[bytes]:
        """Renew leases on different keys; return the keys of those that were."""
        ...
