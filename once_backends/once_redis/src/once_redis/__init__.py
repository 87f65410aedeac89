"""Leases in Redis or Valkey: one server, sentinels or a cluster, for all machines that reach it.

The modules, in the order to read them:

    backend.py      the four verbs, for `def` and for `async def`     scripts.py    what the server does for each
    connections.py  connections that threads take in turn             line.py       one that the tasks of a loop share
    places.py       which server has a key                            settings.py   how to connect to it
    url.py          what a URL says                                   client.py     what a redis-py client says
    failures.py     what an error means, in a user's words            wire.py       what is used of redis-py
"""

from __future__ import annotations

from collections.abc import Mapping

from once_core import BackendFactory, hookimpl

from .backend import RedisBackend

__all__ = ["RedisBackend"]


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"redis": RedisBackend, "rediss": RedisBackend}
