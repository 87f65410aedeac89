"""What type checkers see of `lock`, of leases, of backends and of plugins."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

from once_core import (
    AlreadyLocked,
    Backend,
    BackendFactory,
    Grant,
    Holder,
    Lease,
    Once,
    configure,
    current_lease,
    hookimpl,
    lock,
)
from once_memory import MemoryBackend
from once_sql import SqlBackend


def plain(order: int) -> int:
    with lock(f"check-{order}", wait=2, ttl=5) as lease:
        assert_type(lease, Lease)
        assert_type(lease.key, str)
        assert_type(lease.token, str)
        assert_type(lease.fence, int | None)
        assert_type(lease.ttl, float)
        assert_type(lease.remaining, float)
        assert_type(lease.lost, bool)
        assert_type(lease.function, str)
        assert_type(lease.template, str)
        assert_type(lease.raise_if_lost(), None)
        return order  # a `with` that swallows no error: nothing is missing after it


async def coroutine(order: int) -> int:
    async with lock(f"check-{order}") as lease:
        assert_type(lease, Lease)
        return order


async def attributes() -> None:
    key = lock("check")
    assert_type(key.is_locked(), bool)
    assert_type(key.release(), bool)
    assert_type(key.holder(), Holder | None)
    assert_type(await key.ais_locked(), bool)
    assert_type(await key.arelease(), bool)
    assert_type(await key.aholder(), Holder | None)
    assert_type(current_lease(), Lease | None)


def wrong() -> None:
    lock()  # type: ignore[call-arg]
    lock(7)  # type: ignore[arg-type]
    lock("x", wait="1")  # type: ignore[arg-type]
    lock("x", on_unavailable="ignore")  # type: ignore[arg-type]
    lock("x", 30)  # type: ignore[call-arg]
    lock("x", raise_on_locked=True)  # type: ignore[call-arg]


def errors(error: AlreadyLocked) -> None:
    assert_type(error.key, str)
    assert_type(error.holder, Holder | None)
    if error.holder:
        assert_type(error.holder.host, str | None)
        assert_type(error.holder.pid, int | None)
        assert_type(error.holder.remaining, float | None)


class Mine:
    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return Grant(1)

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return True

    def release(self, key: str, token: str) -> bool:
        return True

    def holder(self, key: str) -> Holder | None:
        return None


class Half:
    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return None


@hookimpl
def once_offer_backends() -> Mapping[str, BackendFactory]:
    return {"mine": lambda url: Mine()}


@hookimpl
def once_acquired(lease: Lease) -> None: ...


def backends() -> None:
    mine: Backend = Mine()
    assert_type(configure(mine), Once)
    assert_type(configure("memory://", prefix="x:", ttl=5.0, on_unavailable="run"), Once)
    Once(Mine())
    Once(MemoryBackend())
    Once(SqlBackend("sqlite:///once.db"))
    Once(Half())  # type: ignore[arg-type]
    Once(7)  # type: ignore[arg-type]
    configure("memory://", ttl="5")  # type: ignore[arg-type]
