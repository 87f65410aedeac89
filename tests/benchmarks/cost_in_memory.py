"""What a call costs in memory, against a plain dict under a lock, with a token made by uuid4 - and by a cheaper way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from once_core import Once

from .by_hand import body, holding_many, new_token
from .ratios import Ratios


def by_hand(new_token: Callable[[], str]) -> Callable[[int], int | None]:
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
    once, floor, cheaper = Once("memory://"), by_hand(lambda: str(uuid4())), by_hand(new_token)
    guarded = once.once(key="check-{order_id}")(body)
    guarded(1)
    once.open().store.open().acquire("once:check-2", "another", 3600)
    with Ratios("A decorated call in memory") as ratios, once.lock("check-3"):
        for what, order, by_floor, at_most in [
            ("run", 1, 1, 3.0),
            ("skip", 2, 2, 1.5),
            ("skip, held in this process", 3, 2, 1.5),
        ]:
            ratios.compare(
                what,
                once=partial(guarded, order),
                floor=partial(floor, by_floor),
                others={"cheaper token": partial(cheaper, by_floor)},
                at_most=at_most,
            )
    once.close()
    holding_many("memory://many")


if __name__ == "__main__":
    main()
