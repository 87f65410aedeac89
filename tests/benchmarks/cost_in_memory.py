"""What a call costs in memory, against a plain dict under a lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from once_core import Once

from .by_hand import body, holding_many, new_token
from .ratios import Ratios


def by_hand(new_token: Callable[[], str] = new_token) -> Callable[[int], int | None]:
    """Return the body, guarded; order 2 is held by somebody else."""
    held = {"check-2": ("another", time.monotonic() + 3600)}
    lock = threading.Lock()

    def guarded(order_id: int) -> int | None:
        key, token = f"check-{order_id}", new_token()
        with lock:
            now = time.monotonic()
            entry = held.get(key)
            if entry is not None and entry[1] > now:
                return None
            held[key] = (token, now + 30)
        try:
            return body(order_id)
        finally:
            with lock:
                entry = held.get(key)
                if entry is not None and entry[0] == token:
                    del held[key]

    return guarded


def main() -> None:
    once, floor, usual = Once("memory://"), by_hand(), by_hand(lambda: str(uuid4()))
    guarded = once.once(key="check-{order_id}")(body)
    guarded(1)
    once.open().store.open().acquire("once:check-2", "another", 3600)
    with Ratios("A decorated call in memory") as ratios, once.lock("check-3"):
        for what, order, by_floor in (("run", 1, 1), ("skip", 2, 2), ("skip, held in this process", 3, 2)):
            ratios.compare(
                what,
                once=partial(guarded, order),
                floor=partial(floor, by_floor),
                others={"floor with uuid4": partial(usual, by_floor)},
            )
    once.close()
    holding_many("memory://many")


if __name__ == "__main__":
    main()
