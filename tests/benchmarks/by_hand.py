"""What the floors of all stores have in common, and how 10,000 leases are held."""

from __future__ import annotations

import os
import time
from itertools import count

from once_core import Once

_numbers = count()
_head = f"host:{os.getpid()}:"


def new_token() -> str:
    """Return a token as one would make it by hand: unique, and saying who and when."""
    return f"{_head}{time.time_ns() // 1_000_000}:{next(_numbers)}"


def body(order_id: int) -> int:
    return order_id


async def abody(order_id: int) -> int:
    return order_id


def holding_many(url: str, count: int = 10_000, ttl: float = 6.0, seconds: float = 12.0) -> None:
    """Hold *count* leases in this process; print the share of a core that it takes, and how many were lost."""
    once = Once(url, ttl=ttl)
    locks = [once.lock(f"many-{number}") for number in range(count)]
    leases = [lock.__enter__() for lock in locks]
    time.sleep(1)
    began, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    lost = sum(lease.lost for lease in leases)
    for lock in locks:
        lock.__exit__(None, None, None)
    once.close()
    print(f"{count:,} leases held with a ttl of {ttl:g} s: {share:.1%} of a core, {lost} lost\n")
