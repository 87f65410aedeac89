"""What a call costs in PostgreSQL, against the plugin's own two statements through bare psycopg.

"plain" is what one would write by hand first: an upsert and a DELETE, each waited for until it is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg

from once_core import Once
from once_sql.postgresql import PostgresqlStatements
from sql_servers import PostgresServer

from .by_hand import body, holding_many, new_token
from .ratios import Ratios

PLAIN = (
    "CREATE TABLE plain (key text PRIMARY KEY, token text NOT NULL, ends timestamptz NOT NULL)",
    """
    INSERT INTO plain AS p VALUES (%s, %s, now() + interval '30 s') ON CONFLICT (key) DO UPDATE SET
    token = excluded.token, ends = excluded.ends WHERE p.ends <= now() RETURNING token""",
    "DELETE FROM plain WHERE key = %s AND token = %s",
)


class DurableServer(PostgresServer):
    durable = True


def by_hand(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[int], int | None]:
    sql = PostgresqlStatements("by_hand", durable=True)
    cursor, acquire, release = connection.cursor(), sql.acquire.encode(), sql.release.encode()
    cursor.execute(sql.create.encode())
    cursor.execute(acquire, {"key": b"check-2", "token": b"another", "ms": 3_600_000})

    def guarded(order_id: int) -> int | None:
        key, token = f"check-{order_id}".encode(), new_token().encode()
        if not cursor.execute(acquire, {"key": key, "token": token, "ms": 30_001}).fetchall():
            return None
        try:
            return body(order_id)
        finally:
            cursor.execute(release, {"key": key, "token": token}).fetchall()

    return guarded


def plain(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[int], int | None]:
    create, acquire, release = PLAIN
    cursor = connection.cursor()
    cursor.execute(create)
    cursor.execute(acquire, ("check-2", "another"))
    cursor.execute("UPDATE plain SET ends = 'infinity'")

    def guarded(order_id: int) -> int | None:
        key, token = f"check-{order_id}", new_token()
        if not cursor.execute(acquire, (key, token)).fetchall():
            return None
        try:
            return body(order_id)
        finally:
            cursor.execute(release, (key, token))

    return guarded


def main() -> None:
    with DurableServer() as server, server.connect() as connection:
        floor, first = by_hand(connection), plain(connection)
        once, lazy = Once(server.url), Once(f"{server.url}?durable=false", prefix="lazy:")
        guarded, unwaited = once.once(key="check-{order_id}")(body), lazy.once(key="check-{order_id}")(body)
        guarded(1)
        once.open().store.open().acquire("once:check-2", "another", 3600)
        with Ratios("A decorated call in PostgreSQL") as ratios:
            ratios.compare(
                "run",
                once=partial(guarded, 1),
                floor=partial(floor, 1),
                others={"plain": partial(first, 1)},
                at_most=1.5,
            )
            ratios.compare("run, durable=false", once=partial(unwaited, 1), floor=partial(floor, 1))
            ratios.compare(
                "skip",
                once=partial(guarded, 2),
                floor=partial(floor, 2),
                others={"plain": partial(first, 2)},
                at_most=1.5,
            )
        once.close()
        lazy.close()
        holding_many(server.url)


if __name__ == "__main__":
    main()
