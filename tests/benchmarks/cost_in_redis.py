"""What a call costs on Redis, against bare calls of redis-py.

The floor is what one would write by hand: SET with NX and PX, and a script that deletes the key if the token is still
in it. py-cachify's `once` checks no owner and renews nothing, and is shown where it is installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import redis
import redis.asyncio as redis_asyncio

from once_core import Once
from redis_server import RedisServer

from .by_hand import abody, body, holding_many, new_token
from .ratios import Ratios, Side

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
CROWD = 200


def by_hand(client: Any) -> Callable[[int], int | None]:
    digest = client.script_load(RELEASE)

    def guarded(order_id: int) -> int | None:
        key, token = f"floor-{order_id}", new_token()
        if not client.set(key, token, nx=True, px=30_000):
            return None
        try:
            return body(order_id)
        finally:
            client.evalsha(digest, 1, key, token)

    return guarded


def aby_hand(client: Any, digest: str) -> Callable[[int], Awaitable[int | None]]:
    async def guarded(order_id: int) -> int | None:
        key, token = f"floor-{order_id}", new_token()
        if not await client.set(key, token, nx=True, px=30_000):
            return None
        try:
            return await abody(order_id)
        finally:
            await client.evalsha(digest, 1, key, token)

    return guarded


def crowd(guarded: Callable[[int], Awaitable[object]]) -> Side:
    """Return a coroutine function that makes many calls at once."""

    async def calls() -> None:
        await asyncio.gather(*map(guarded, range(1000, 1000 + CROWD)))

    return calls


def py_cachify(client: Any, aclient: Any) -> dict[str, tuple[Any, Any]]:
    """Return its decorator around both bodies, if it is there."""
    with suppress(ImportError):
        peer = import_module("py_cachify")  # not by a statement: type checkers do without it
        peer.init_cachify(sync_client=client, async_client=aclient, prefix="")
        return {"py-cachify": (peer.once("cachify-{order_id}")(body), peer.once("cachify-{order_id}")(abody))}
    return {}


def main() -> None:
    with RedisServer() as server:
        client: Any = redis.Redis.from_url(server.url)
        aclient: Any = redis_asyncio.Redis.from_url(server.url, max_connections=CROWD)
        others = py_cachify(client, aclient)
        for name in ("floor", "cachify", "once:check"):
            client.set(f"{name}-2", "1", px=3_600_000)  # order 2 is held by somebody else
        once = Once(server.url)
        guarded, aguarded = once.once(key="check-{order_id}")(body), once.once(key="check-{order_id}")(abody)
        floor, afloor = by_hand(client), aby_hand(aclient, client.script_load(RELEASE))
        with Ratios("A decorated call on Redis") as ratios:
            for what, order_id in (("run", 1), ("skip", 2)):
                ratios.compare(
                    what,
                    once=partial(guarded, order_id),
                    floor=partial(floor, order_id),
                    others={name: partial(sides[0], order_id) for name, sides in others.items()},
                    at_most=1.1,
                )
                ratios.compare(
                    f"{what}, async",
                    once=partial(aguarded, order_id),
                    floor=partial(afloor, order_id),
                    others={name: partial(sides[1], order_id) for name, sides in others.items()},
                    at_most=1.1,
                )
            ratios.compare(
                f"run, {CROWD} at once",
                once=crowd(aguarded),
                floor=crowd(afloor),
                others={name: crowd(sides[1]) for name, sides in others.items()},
                at_most=1.1,
                calls=CROWD,
            )
            ratios.runner.run(aclient.aclose())
        once.close()
        client.close()
        holding_many(server.url)


if __name__ == "__main__":
    main()
