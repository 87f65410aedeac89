"""What a call costs on Memcached, against bare calls of pymemcache.

The floor is what one would write by hand: `add`; where that fails `gets`, as the answer to an earlier `add` may have
been lost; to give back `gets` and a `cas` that lets the item expire. Without that care a skip is one `add`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pymemcache  # type: ignore[import-untyped]  # it ships no types

from memcached_server import MemcachedServer
from once_core import Once

from .by_hand import body, holding_many, new_token
from .ratios import Ratios


def by_hand(client: Any) -> Callable[[int], int | None]:
    def guarded(order_id: int) -> int | None:
        key, token = f"floor-{order_id}", new_token().encode()
        if not client.add(key, token, expire=31, noreply=False):
            return body(order_id) if client.gets(key)[0] == token else None
        try:
            return body(order_id)
        finally:
            found, number = client.gets(key)
            if found == token:
                client.cas(key, b"", number, expire=-1)

    return guarded


def main() -> None:
    with MemcachedServer() as server:
        client = pymemcache.Client((server.host, server.port), connect_timeout=3, timeout=3, no_delay=True)
        once = Once(server.url)
        guarded, floor = once.once(key="check-{order_id}")(body), by_hand(client)
        for key in ("floor-2", "once:check-2"):
            client.add(key, b'"another"', expire=3600, noreply=False)  # order 2 is held by somebody else
        with Ratios("A decorated call on Memcached") as ratios:
            ratios.compare("run", once=partial(guarded, 1), floor=partial(floor, 1), at_most=1.2)
            one_add = {"an add": lambda: client.add("floor-2", b"token", expire=31, noreply=False)}
            ratios.compare("skip", once=partial(guarded, 2), floor=partial(floor, 2), others=one_add, at_most=1.2)
        once.close()
        client.close()
        holding_many(server.url)


if __name__ == "__main__":
    main()
