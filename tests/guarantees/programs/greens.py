"""Run, renew and skip among greenlets: `greens URL PREFIX`. Prints `ok`."""

from __future__ import annotations

# ruff: noqa: E402  # gevent patches what is imported after it
from gevent import monkey  # type: ignore[import-untyped, unused-ignore]  # it has types only where stubs are

monkey.patch_all()

import logging
import sys
from time import monotonic, sleep

import gevent  # type: ignore[import-untyped, unused-ignore]  # likewise

from once_core import SKIPPED, LeaseLost, Once, current_lease

TTL = 2.0


def main(url: str, prefix: str) -> None:
    once = Once(url, prefix=prefix, ttl=TTL)
    begun, told = [], []

    @once.once(key="{key}", return_on_locked=SKIPPED)
    def run(key: str, seconds: float) -> bool:
        begun.append(key)
        lease = current_lease()
        assert lease is not None
        assert lease.key == key
        sleep(seconds)
        return not lease.lost and once.lock(key).is_locked()

    started = monotonic()
    running = [gevent.spawn(run, f"key-{number}", 2.5 * TTL) for number in range(20)]
    while len(begun) < 20:
        sleep(0.01)
    skips = [gevent.spawn(run, f"key-{number}", 0.0) for number in range(20)]
    assert [SKIPPED] * 20 == [skip.get(timeout=30) for skip in skips]
    assert not any(greenlet.ready() for greenlet in running)
    assert [True] * 20 == [greenlet.get(timeout=30) for greenlet in running]
    assert monotonic() - started < 20 * 2.5 * TTL, "one after the other"

    @once.once(key="lost", raise_on_lost=True)
    def lose() -> None:
        lease = current_lease()
        assert lease is not None
        once.lock("lost").release()
        while not lease.lost:
            sleep(0.01)
        told.append(lease.key)

    logging.disable()  # the loss is logged as well
    try:
        lose()
    except LeaseLost:
        told.append("LeaseLost")
    assert told == ["lost", "LeaseLost"]

    killed = gevent.spawn(run, "killed", 3600.0)
    while "killed" not in begun:
        sleep(0.01)
    killed.kill()
    assert not once.lock("killed").is_locked()
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
