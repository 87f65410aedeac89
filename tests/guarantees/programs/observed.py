"""Be observed by this module's own hooks, which a distribution made by the test names as its observer."""

from __future__ import annotations

import logging
import threading
from importlib import import_module
from time import monotonic, sleep
from typing import Any

from once_core import Lease, Once, current_lease, hookimpl
from once_memory import MemoryBackend

__all__ = ["once_acquired", "once_lost", "once_released", "once_skipped"]

seen: list[tuple[str, str]] = []
slow = threading.Event()


@hookimpl
def once_acquired(lease: Lease) -> None:
    _seen().append(("acquired", lease.key))


@hookimpl
def once_skipped(key: str) -> None:
    _seen().append(("skipped", key))


@hookimpl
def once_released(lease: Lease) -> None:
    _seen().append(("released", lease.key))
    raise ValueError("an observer that fails harms nobody")


@hookimpl
def once_lost(lease: Lease) -> None:
    _seen().append(("lost", lease.key))
    slow.wait(60)


def _plugin() -> Any:
    """Return this module as the plugin sees it; as a program it is another one, named `__main__`."""
    return import_module("guarantees.programs.observed")


def _seen() -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = _plugin().seen
    return seen


def main() -> None:
    logging.disable()
    once = Once(MemoryBackend(), ttl=0.6)

    @once.once(key="{name}")
    def run(name: str, seconds: float, lose: bool = False) -> bool:
        lease = current_lease()
        assert lease is not None
        assert run(name, 0) is None
        if lose:
            once.lock(name).release()
        end = monotonic() + seconds
        while monotonic() < end and not lease.lost:
            sleep(0.01)
        return lease.lost

    # The observer of the first loss is still busy when the second comes.
    assert run("lost first", 30, lose=True)
    assert run("lost next", 30, lose=True)
    assert not run("kept", 1.5)
    deadline = monotonic() + 30
    while sum(what == "lost" for what, _ in _seen()) < 2 and monotonic() < deadline:
        sleep(0.01)
    of = {name: [what for what, key in _seen() if key == name] for name in ("lost first", "lost next", "kept")}
    assert of["lost first"] == of["lost next"] == ["acquired", "skipped", "lost"], of
    assert of["kept"] == ["acquired", "skipped", "released"], of
    _plugin().slow.set()
    print("ok")


if __name__ == "__main__":
    main()
