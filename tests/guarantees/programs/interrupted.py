"""Make calls until a signal has interrupted so many, at random moments: `interrupted FORM ERROR NUMBER URL PREFIX`.

Prints how many keys are still held, and whether a run of several ttl keeps its key.
"""

from __future__ import annotations

import logging
import random
import signal
import sys
from time import monotonic, perf_counter, sleep
from types import FrameType

from once_core import Once, current_lease

from ..kinds import FORMS

TTL = 1.5


class Interrupted(BaseException):
    """Goes through everything, as KeyboardInterrupt does."""


class SoftTimeLimit(Exception):
    """Looks like any other failure, as Celery's does."""


def main(form: str, error_name: str, number: str, url: str, prefix: str) -> None:
    logging.disable()
    error = {"Interrupted": Interrupted, "SoftTimeLimit": SoftTimeLimit}[error_name]
    once = Once(url, prefix=prefix, ttl=TTL)
    keys: list[str] = []

    def handle(number: int, frame: FrameType | None) -> None:
        raise error

    signal.signal(signal.SIGALRM, handle)
    FORMS[form](once, "first", lambda: None)()
    length = 0.01  # seconds that the last call took which was not interrupted
    interrupted = 0
    while interrupted < int(number):
        keys.append(f"key-{len(keys)}")
        call = FORMS[form](once, keys[-1], lambda: None)
        began = perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 1.5 * length))
            call()
            length = perf_counter() - began
            signal.setitimer(signal.ITIMER_REAL, 0)
        except (Interrupted, Exception):
            interrupted += 1
    deadline = monotonic() + 20 * TTL
    held = keys
    while monotonic() < deadline and (held := [key for key in held if once.lock(key).is_locked()]):
        sleep(0.1)

    def body() -> bool:
        lease = current_lease()
        assert lease is not None
        sleep(2.2 * TTL)
        return not lease.lost and once.lock("last").is_locked()

    print(len(held), FORMS[form](once, "last", body)())


if __name__ == "__main__":
    main(*sys.argv[1:])
