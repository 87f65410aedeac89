"""Many may use a database for the first time at the same moment; one of them makes the table."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from once_core import Grant
from once_sql import SqlBackend
from sql_servers import SqlServer

USERS = 6
TABLES = 40


def test_the_first_users_of_a_postgresql_do_not_harm_each_other(postgresql: SqlServer) -> None:
    with ThreadPoolExecutor(USERS) as threads:
        for number in range(TABLES):
            answers = list(threads.map(_first_use(f"{postgresql.url}?table=first_use_{number}"), range(USERS)))

            assert [Grant] * USERS == [type(answer) for answer in answers]


def _first_use(url: str) -> Callable[[int], Grant | None]:
    together = Barrier(USERS)

    def use(user: int) -> Grant | None:
        backend = SqlBackend(url)
        together.wait()
        try:
            return backend.acquire(f"key-{user}", "host:1:1:x", 30)
        finally:
            backend.close()

    return use
