"""What a call costs in MariaDB, against the plugin's own statements through bare PyMySQL."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pymysql

from once_core import Once
from once_sql.mysql import MysqlStatements
from sql_servers import MariadbServer

from .by_hand import body, holding_many, new_token
from .ratios import Ratios


class DurableServer(MariadbServer):
    durable = True


def by_hand(connection: Any) -> Callable[[int], int | None]:
    """Return the body, guarded; order 2 is held by somebody else."""
    sql = MysqlStatements("by_hand")
    cursor = connection.cursor()
    cursor.execute(sql.create)
    for order_id in (1, 2):
        cursor.execute(sql.insert, {"key": f"check-{order_id}", "token": "another", "ms": 3_600_000 * (order_id - 1)})

    def guarded(order_id: int) -> int | None:
        key, token = f"check-{order_id}".encode(), new_token().encode()
        asked = {"key": key, "token": token, "ms": 30_001}
        if not cursor.execute(sql.acquire, asked):
            try:
                cursor.execute(sql.insert, asked)  # there may be no row yet
            except pymysql.IntegrityError:
                return None
        try:
            return body(order_id)
        finally:
            cursor.execute(sql.release, {"key": key, "token": token})

    return guarded


def main() -> None:
    with DurableServer() as server:
        connection = server.connect()
        floor = by_hand(connection)
        once = Once(server.url)
        guarded = once.once(key="check-{order_id}")(body)
        guarded(1)
        once.open().store.open().acquire("once:check-2", "another", 3600)
        with Ratios("A decorated call in MariaDB") as ratios:
            ratios.compare("run", once=partial(guarded, 1), floor=partial(floor, 1), at_most=1.5)
            ratios.compare("skip", once=partial(guarded, 2), floor=partial(floor, 2), at_most=1.5)
        once.close()
        connection.close()
        holding_many(server.url)


if __name__ == "__main__":
    main()
