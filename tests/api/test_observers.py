"""Observers learn of every run after the fact, and none can break one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from once_core import ConfigurationError, hookimpl, plugins

from .programs import TIME_LIMIT, distribution, run
from .test_plugins import BROKEN, CALL, missing, observers

WATCHER = """
    from once_core import hookimpl

    @hookimpl
    def once_acquired(lease):
        print("acquired", lease.key, lease.fence is not None, lease.lost)

    @hookimpl
    def once_skipped(key, function, template):
        print("skipped", key, function.rpartition(".")[2], template)

    @hookimpl
    def once_released(lease):
        print("released", lease.key)

    @hookimpl
    def once_lost(lease):
        print("lost", lease.key, lease.lost)
"""
LOGGED = "import logging, sys; logging.basicConfig(stream=sys.stdout, format='%(levelname)s %(message)s')\n"
USE = """
import asyncio, once_core
from once_core import Once, current_lease
from once_memory import MemoryBackend

backend = MemoryBackend()
guard = Once(backend)

def deliver():  # let go what is told in another thread
    from once_core.keeper import keeper
    assert keeper.news.drain(20)
"""


def test_a_run_is_acquired_and_released_and_a_skip_is_skipped(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watcher"), plugin=WATCHER)
    program = """
@guard.once(key="check-{order}")
def check(order):
    print("runs", order)
    check(order)

@guard.once(key="acheck-{order}")
async def acheck(order):
    print("runs", order)
    await acheck(order)

check(7)
asyncio.run(acheck(8))
with guard.lock("lock"):
    try:
        guard.lock("lock").__enter__()
    except once_core.AlreadyLocked:
        pass
backend.acquire("once:check-9", "other", 60)
check(9)
"""
    expected = """
acquired check-7 True False
runs 7
skipped check-7 check check-{order}
released check-7
acquired acheck-8 True False
runs 8
skipped acheck-8 acheck acheck-{order}
released acheck-8
acquired lock True False
skipped lock lock lock
released lock
skipped check-9 check check-{order}
"""

    assert expected.strip() == run(USE + program, tmp_path)


def test_a_lost_run_is_lost_and_not_released(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watcher"), plugin=WATCHER)
    program = """
import time

@guard.once(key="check", ttl=0.3)
def check():
    lease = current_lease()
    backend.release("once:check", lease.token)
    while not lease.lost:
        time.sleep(0.01)
    deliver()

check()
deliver()
"""
    text = run(LOGGED + USE + program, tmp_path).splitlines()

    assert ["acquired check True False", "lost check True"] == [line for line in text if "WARNING" not in line]
    assert [] == missing("\n".join(text), "WARNING", "'check'", "lost")


def test_a_run_whose_release_failed_is_released_all_the_same(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watcher"), plugin=WATCHER)
    program = """
def fail(key, token):
    raise OSError("gone")

backend.release = fail
guard.once(key="check")(lambda: None)()
"""
    text = run(LOGGED + USE + program, tmp_path).splitlines()

    assert ["acquired check True False", "released check"] == [line for line in text if "WARNING" not in line]


def test_a_run_that_raised_is_released(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watcher"), plugin=WATCHER)
    program = """
try:
    guard.once(key="check")(lambda: 1 / 0)()
except ZeroDivisionError:
    print("raised")
"""

    assert "acquired check True False\nreleased check\nraised" == run(USE + program, tmp_path)


def test_an_unguarded_run_tells_nobody(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watcher"), plugin=WATCHER)
    program = """
def fail(*args):
    raise OSError("gone")

backend.acquire = backend.release = fail
print(guard.once(key="check", on_unavailable="run")(lambda: "ran")())
with guard.lock("lock", on_unavailable="run"):
    pass
deliver()
"""
    text = run(LOGGED + USE + program, tmp_path).splitlines()

    assert ["ran"] == [line for line in text if "WARNING" not in line]


def test_an_observer_takes_the_arguments_that_it_names(tmp_path: Path) -> None:
    watcher = """
        from once_core import hookimpl

        @hookimpl
        def once_acquired():
            print("acquired")

        @hookimpl
        def once_skipped(template, key):
            print("skipped", template, key)
    """
    distribution(tmp_path, "watcher", observers("watcher"), plugin=watcher)
    program = "with guard.lock('check'): guard.once(key='{x}')(lambda x: x)('check')"

    assert "acquired\nskipped {x} check" == run(USE + program, tmp_path)


def test_an_observer_that_raises_harms_neither_the_run_nor_the_others(tmp_path: Path) -> None:
    raising = """
        from once_core import hookimpl

        @hookimpl
        def once_acquired(lease): raise SystemExit("1 / 0 is division by zero")
        @hookimpl
        def once_skipped(key): 1 / 0
        @hookimpl
        def once_released(lease): 1 / 0
    """
    distribution(tmp_path, "a-raiser", observers("a", module="first"), first=raising)
    distribution(tmp_path, "watcher", observers("m"), plugin=WATCHER)
    distribution(tmp_path, "z-raiser", observers("z", module="last"), last=raising)
    program = """
check = guard.once(key="check")(lambda: guard.once(key="check")(lambda: 0)() or "ran")
print(check())
"""
    text = run(LOGGED + USE + program, tmp_path)
    told = [
        line.split()[0] for line in text.splitlines() if line.startswith(("acquired", "skipped", "released", "ran"))
    ]

    assert ["acquired", "skipped", "released", "ran"] == told
    assert 4 == text.count("ZeroDivisionError: division by zero")
    assert 2 == text.count("SystemExit: 1 / 0")
    assert [] == missing(text, "first", "last", "once_acquired", "once_skipped", "once_released")


def test_what_a_signal_s_handler_raises_amid_an_observer_reaches_the_run(tmp_path: Path) -> None:
    raising = """
        import signal
        from once_core import hookimpl

        @hookimpl
        def once_acquired(lease): signal.raise_signal(signal.SIGUSR1)
    """
    distribution(tmp_path, "watcher", observers("m"), plugin=raising)
    program = """
try:
    guard.once(key="check")(lambda: print("ran"))()
except SoftTimeLimit:
    print("out of time", guard.lock("check").is_locked())
"""

    assert "out of time False" == run(USE + TIME_LIMIT + program, tmp_path)


def test_a_slow_observer_delays_neither_renewals_nor_the_news_of_a_loss(tmp_path: Path) -> None:
    slow = """
        import threading
        from once_core import hookimpl

        told, go_on = threading.Event(), threading.Event()

        @hookimpl
        def once_lost(lease):
            told.set()
            go_on.wait(50)
    """
    distribution(tmp_path, "slow", observers("slow"), plugin=slow)
    program = """
import logging, plugin

async def lose(n):
    async with guard.lock(f"check-{n}", ttl=0.9, raise_on_lost=True) as lease:
        backend.release(f"once:check-{n}", lease.token)
        await asyncio.sleep(50)

async def keep():
    async with guard.lock("kept", ttl=0.9) as lease:
        assert plugin.told.is_set()
        before = lease.remaining
        while lease.remaining <= before:  # until it is renewed
            before = lease.remaining
            await asyncio.sleep(0.01)

async def main():
    lost = await asyncio.gather(*(lose(n) for n in range(20)), return_exceptions=True)
    await keep()
    plugin.go_on.set()
    return lost

logging.disable()
print({type(error).__name__ for error in asyncio.run(main())})
deliver()
"""

    assert "{'LeaseLost'}" == run(USE + program, tmp_path)


def test_two_observers_of_one_name_conflict_when_a_store_is_opened(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watch"), plugin=WATCHER)
    distribution(tmp_path, "other-watcher", observers("watch", module="other"), other=WATCHER)
    text = run(CALL + "once_core.configure('memory://')\nfor _ in 'ab': print(error(call, 'memory://'))", tmp_path)
    first, second = text.splitlines()

    assert [] == missing(first, "BackendConflict", "'watch'", " watcher 1.2", "other-watcher 1.2")
    assert first == second


def test_an_observer_that_cannot_be_imported_is_logged_and_left_out(tmp_path: Path) -> None:
    distribution(tmp_path, "broken", observers("a", module="broken"), broken=BROKEN)
    distribution(tmp_path, "watcher", observers("b"), plugin=WATCHER)
    text = run(LOGGED + CALL + "print(call('memory://')); print(call('memory://'))", tmp_path)

    assert 1 == text.count("WARNING")
    assert [] == missing(text.splitlines()[0], "WARNING", "broken 1.2", "a_client_that_is_not_installed")
    assert 2 == text.count("acquired check") == text.count("released check") == text.count("ran")


def test_a_misspelt_hook_of_an_observer_is_named(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watch"), plugin=WATCHER.replace("once_released", "once_relased"))
    text = run(CALL + "print(error(call, 'memory://'))", tmp_path)

    assert [] == missing(text, "ConfigurationError", "watcher 1.2", "once_relased", "once_released")


@pytest.mark.parametrize("kind", ["wrapper", "hookwrapper"])
def test_a_hook_that_wraps_is_refused_as_there_is_nothing_to_wrap(kind: str) -> None:
    class Wrapper:
        @hookimpl(wrapper=kind == "wrapper", hookwrapper=kind == "hookwrapper")
        def once_acquired(self) -> Generator[None]:
            yield

    with pytest.raises(ConfigurationError, match=r"Wrapper.*once_acquired is a wrapper.*write @hookimpl alone"):
        plugins.observe(Wrapper())


def test_observers_are_imported_when_the_first_store_is_opened(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watch"), plugin="print('imported')")
    program = """
guard.once(key="check")(lambda: None)
print("decorated")
guard.lock("check").is_locked()
Once(MemoryBackend()).lock("check").is_locked()
"""

    assert "decorated\nimported" == run(USE + program, tmp_path)


def test_observers_watch_backend_objects_too_and_every_once(tmp_path: Path) -> None:
    distribution(tmp_path, "watcher", observers("watch"), plugin=WATCHER)
    program = """
for each in (guard, Once("memory://"), Once(MemoryBackend())):
    with each.lock("check"):
        pass
"""

    assert "acquired check True False\nreleased check" * 3 == run(USE + program, tmp_path).replace("check\na", "checka")
