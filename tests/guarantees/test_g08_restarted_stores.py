"""G5, G7, G8: the server ends in the middle, in order or by SIGKILL, and is started again."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

from once_core import SKIPPED, current_lease
from once_core.testing.servers import Server

from .calls import wait_until
from .kinds import KINDS
from .stores import Store

TTL = 2.0
PATIENCE = 15.0
"""Seconds by which a busy machine may delay what happens at a certain moment."""


def in_order(server: Server) -> None:
    server.restart()


def by_force(server: Server) -> None:
    server.kill()
    server.restart()


@pytest.mark.parametrize(("restart", "name"), [(in_order, "def"), (by_force, "async def")])
def test_after_a_restart_fences_grow_runs_know_of_their_lease_and_no_key_is_stuck(
    store: Store, restart: Callable[[Server], None], name: str
) -> None:
    # One test of three rules, as a restart takes seconds.
    server, once, dead, kind = store.needs_server(), store.once(ttl=TTL), store.backend(), KINDS[name]
    fences: list[int | None] = []

    def noting() -> None:
        lease = current_lease()
        assert lease is not None
        fences.append(lease.fence)

    def body() -> tuple[bool, bool]:
        lease = current_lease()
        assert lease is not None
        noting()
        assert dead.acquire(f"{store.prefix}dead", "of a worker that dies", TTL)
        restart(server)
        back = monotonic()
        wait_until(lambda: lease.lost or monotonic() > back + TTL, "the run knows")
        holder = once.lock("key").holder()
        return lease.lost, holder is not None and holder.token == lease.token

    kind(once, "key", noting)()
    lost, held = kind(once, "key", body)()
    for key in ("dead", "key"):
        free = kind(once, key, lambda: "free")
        wait_until(lambda: free() is not SKIPPED, f"{key} is free", TTL + store.place.slack + PATIENCE)  # noqa: B023  # waited for at once
    kind(once, "key", noting)()

    assert lost or held
    if store.place.fences:
        assert sorted({fence or 0 for fence in fences}) == fences
