"""Fork in the middle of everything: `forking SCENARIO URL PREFIX`. Prints `ok`."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  # imported while a fork waits, it complains on stderr of its own handlers
import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from once_core import SKIPPED, Backend, Once, current_lease, plugins

from ..kinds import FORMS, Call

TTL = 2.0
DEADLINE = 25


class Settings:
    """What a worker that was started rather than forked is told."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.prefix = url, prefix

    def once(self, ttl: float = 300.0) -> Once:
        return Once(self.url, prefix=self.prefix, ttl=ttl)


def child_of(work: Callable[[], Any]) -> int:
    """Fork a child that does *work* and ends; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.alarm(DEADLINE)  # kills a child that hangs
        work()
        code = 0
    except BaseException:  # the parent must not go on twice
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended_well(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def calls_work(once: Once, name: str) -> None:
    for form, guard in FORMS.items():
        assert guard(once, f"{name} {form}", lambda: "ran")() == "ran"
        assert guard(once, f"{name} {form}", lambda: "ran")() == "ran"


def a_run_keeps_its_key(once: Once, key: str) -> None:
    def body() -> bool:
        lease = current_lease()
        assert lease is not None
        sleep(1.5 * TTL)
        return not lease.lost and once.lock(key).is_locked()

    assert FORMS["def"](once, key, body)()


def in_a_body(settings: Settings) -> None:
    """A child that leaves its parent's body leaves the lease alone, and can do all that any process can."""
    once = settings.once(TTL)
    for form in ("def", "with"):

        def body(form: str = form) -> str:
            lease = current_lease()
            assert lease is not None
            pid = os.fork()
            if not pid:
                return "child"
            ended_well(pid)
            holder = once.lock(form).holder()
            assert holder is not None
            assert holder.token == lease.token
            assert not lease.lost
            return "parent"

        parent = os.getpid()
        code = 1
        try:
            result = FORMS[form](once, form, body)()
            if os.getpid() == parent:
                assert result == "parent"
                continue
            assert result == "child"
            assert current_lease() is None
            if not settings.url.startswith("memory:"):
                assert FORMS[form](once, form, lambda: "ran")() is SKIPPED
            calls_work(once, "child's")
            if form == "def":
                a_run_keeps_its_key(once, "child's")
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            if os.getpid() != parent:
                sys.stderr.flush()
                os._exit(code)


def after_the_parents_run(settings: Settings) -> None:
    """A child does not take its parent's runs for its own: it runs their keys when they are over."""
    once = settings.once(TTL)
    run = FORMS["def"](once, "key", lambda: "ran")

    def until_it_runs() -> None:
        while run() is SKIPPED:  # a child that never gets on is killed
            sleep(0.02)

    with once.lock("key"):
        child = child_of(until_it_runs)
    ended_well(child)


def amid_the_first_import(settings: Settings) -> None:
    """A fork waits for a plugin that is being imported: the child would find that import under way for ever."""
    Path("slow.py").write_text("import time\ntime.sleep(0.5)\n")
    sys.path.insert(0, os.getcwd())
    importing, maker = threading.Event(), plugins.maker

    def import_slowly(url: str) -> Callable[[], Backend]:
        importing.set()
        importlib.import_module("slow")
        return maker(url)

    plugins.maker = import_slowly
    once = settings.once()
    thread = threading.Thread(target=once.lock("key").is_locked)
    thread.start()
    importing.wait(DEADLINE)
    ended_well(child_of(lambda: calls_work(once, "child's")))
    thread.join(DEADLINE)
    calls_work(once, "parent's")


def in_a_loop(settings: Settings) -> None:
    """A child of a coroutine's body can use loops of its own."""
    once = settings.once(TTL)

    @once.once(key="loop")
    async def run() -> bool:
        ended_well(child_of(lambda: calls_work(once, "child's")))
        await asyncio.sleep(1.5 * TTL)
        lease = current_lease()
        return lease is not None and not lease.lost

    assert asyncio.run(run())


def amid(busy: Callable[[int], None], settings: Settings) -> None:
    """Fork twenty times while threads are busy; each child can call at once."""
    once = settings.once()
    once.lock("open").is_locked()
    over, errors, turns = threading.Event(), list[BaseException](), [0] * 4

    def work(me: int) -> None:
        try:
            while not over.is_set():
                busy(me)
                turns[me] += 1
        except BaseException as error:  # raised again below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(me,), daemon=True) for me in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        before, deadline = list(turns), monotonic() + DEADLINE
        ended_well(child_of(lambda number=number: calls_work(once, f"child {number}")))  # type: ignore[misc]  # binds this one
        while not errors and any(now == then for now, then in zip(turns, before, strict=True)):
            assert monotonic() < deadline, "the parent's threads stand still after the fork"
            sleep(0.001)
    over.set()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def amid_calls(settings: Settings) -> None:
    once = settings.once()
    forms: list[Call] = [guard(once, f"busy {form}", lambda: None) for form, guard in FORMS.items()]
    amid(lambda me: forms[me]() and None, settings)


def amid_configuring(settings: Settings) -> None:
    def configure(me: int) -> None:
        elsewhere = f".{me}" if settings.url.startswith("sqlite:") else ""
        once = Once(settings.url + elsewhere, prefix=settings.prefix)
        with once.lock(f"configuring {me}"):
            pass
        once.close()

    amid(configure, settings)


def work_in_a_worker(settings: Settings, name: str) -> None:
    calls_work(settings.once(), name)
    a_run_keeps_its_key(settings.once(TTL), name)


def by_multiprocessing(settings: Settings) -> None:
    once = settings.once(TTL)
    with once.lock("parent's") as lease:
        workers: list[Any] = [
            multiprocessing.get_context(method).Process(target=work_in_a_worker, args=(settings, f"{method} {number}"))  # type: ignore[attr-defined]  # each has it
            for method in ("fork", "spawn")
            for number in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(DEADLINE)
            assert worker.exitcode == 0, worker
        assert not lease.lost
    assert not once.lock("parent's").is_locked()


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        in_a_body,
        after_the_parents_run,
        amid_the_first_import,
        in_a_loop,
        amid_calls,
        amid_configuring,
        by_multiprocessing,
    )
}


def main(scenario: str, url: str, prefix: str) -> None:
    faulthandler.register(signal.SIGALRM, chain=True)  # a child that hangs tells where
    SCENARIOS[scenario](Settings(url, prefix))
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
