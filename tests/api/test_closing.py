"""Once a store is closed nothing in this process asks it again, nor opens it behind the user's back."""

from __future__ import annotations

from pathlib import Path

from .programs import distribution, run
from .test_plugins import backends

PLUGIN = """
    import threading, time
    from once_core import hookimpl
    from once_memory import MemoryBackend

    opened, told = [], []
    begun, ended, waiting = [threading.Semaphore(0) for _ in range(3)]
    go_on = threading.Event()

    class Store(MemoryBackend):
        never_blocks = False
        closed = False

        def __init__(self, url):
            super().__init__()
            opened.append(self)

        def holder(self, key):
            waiting.release()
            go_on.wait(20)
            return super().holder(key)

        def purge(self):
            if self.closed:
                told.append("asked after it was closed")
            begun.release()
            time.sleep(0.1)  # a slow store
            if self.closed:
                told.append("closed while it was asked")
            ended.release()

        def close(self):
            self.closed = True

    @hookimpl
    def once_offer_backends():
        return {"coconut": Store}
"""
USE = """
import atexit

def tell():
    import plugin
    closed = [store for store in plugin.opened if store.closed]
    print(len(plugin.opened), "opened", len(closed), "closed", *sorted(set(plugin.told)))

atexit.register(tell)  # before the core's own: it is called after it

import asyncio, time, once_core

guard = once_core.Once("coconut://")
"""


def test_a_store_is_closed_after_its_last_question(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN)
    program = """
for _ in range(3):
    with guard.lock("check"):
        import plugin
        assert plugin.begun.acquire(timeout=20)  # the renewing thread purges
    guard.close()
    assert plugin.ended.acquire(timeout=20)
"""

    assert "3 opened 3 closed" == run(USE + program, tmp_path)


def test_a_key_that_is_given_back_late_does_not_open_the_store_again(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN.replace("def purge", "def no_purge"))
    program = """
@guard.once(key="check", ttl=0.3)
def check():
    import plugin
    lease = once_core.current_lease()
    plugin.opened[0].release("once:check", lease.token)
    while not lease.lost:
        time.sleep(0.01)

async def main():
    with guard.lock("first"):
        pass
    import plugin
    asking = [asyncio.ensure_future(guard.lock(f"other-{n}").aholder()) for n in range(8)]  # all threads of the pool
    await asyncio.sleep(0)
    for _ in asking:
        assert plugin.waiting.acquire(timeout=20)
    check()
    guard.close()
    plugin.go_on.set()
    await asyncio.gather(*asking)
    give_up = time.monotonic() + 0.5
    while len(plugin.opened) == 1 and time.monotonic() < give_up:
        await asyncio.sleep(0.01)

import logging
logging.disable()
asyncio.run(main())
"""

    assert "1 opened 1 closed" == run(USE + program, tmp_path)
