"""Many threads, many processes, forks, few connections, a server that stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from threading import Event, Thread
from typing import Any

import pytest

from once_core.errors import BackendUnavailable
from once_redis import RedisBackend
from redis_server import RedisServer

CONTENDER = """
import sys, time
from once_redis import RedisBackend
backend, end = RedisBackend(sys.argv[1]), time.monotonic() + float(sys.argv[2])
turn = 0
while time.monotonic() < end:
    turn += 1
    token = f"{sys.argv[3]}-{turn}"
    if grant := backend.acquire("contended", token, 30):
        print(grant.fence, "in", time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        out = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        assert backend.release("contended", token)
        print(grant.fence, "out", out)
"""


def contend(url: str, processes: int, seconds: float) -> list[tuple[int, int, int]]:
    """Return (fence, from, until) of all runs of many processes, by the moment when they began."""
    command = [sys.executable, "-c", CONTENDER, url, str(seconds)]
    children = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(processes)
    ]
    lines = [line.split() for child in children for line in child.communicate()[0].splitlines()]
    assert [0] * processes == [child.returncode for child in children]
    starts = {int(fence): int(moment) for fence, what, moment in lines if what == "in"}
    ends = {int(fence): int(moment) for fence, what, moment in lines if what == "out"}
    assert len(starts) * 2 == len(lines), "a fence was given twice"
    return sorted(((fence, starts[fence], ends[fence]) for fence in starts), key=lambda run: run[1])


@pytest.mark.skipif(not hasattr(__import__("time"), "clock_gettime_ns"), reason="needs a clock that processes share")
def test_of_twelve_processes_one_runs_at_a_time_and_fences_grow(server: RedisServer) -> None:
    runs = contend(server.url, 12, 1.5)

    assert len(runs) > 12
    assert sorted(runs) == runs
    assert all(earlier[2] <= later[1] for earlier, later in pairwise(runs))


def test_two_hundred_threads_at_once(server: RedisServer) -> None:
    backend, errors = RedisBackend(server.url), list[BaseException]()

    def work(number: int) -> None:
        try:
            for turn in range(10):
                assert backend.acquire(f"thread-{number}-{turn}", "token", 60)
                assert backend.release(f"thread-{number}-{turn}", "token")
        except BaseException as error:  # noqa: BLE001  # told in the test's thread
            errors.append(error)

    in_threads([lambda number=number: work(number) for number in range(200)])  # type: ignore[misc]  # binds the number
    backend.close()

    assert [] == errors


def test_threads_wait_for_a_connection(server: RedisServer) -> None:
    backend, granted = RedisBackend(server.url, max_connections=1), list[object]()
    in_threads([lambda n=n: granted.append(backend.acquire(f"few-{n}", "token", 60)) for n in range(20)])  # type: ignore[misc]  # binds the number
    backend.close()

    assert 20 == len(granted)
    assert None not in granted


def test_no_connection_in_time_is_unavailable_and_not_held(server: RedisServer) -> None:
    backend = RedisBackend(f"{server.url}?max_connections=1&timeout=0.3")
    aio = backend.aio
    if aio is None:
        pytest.skip("only a coroutine can keep a connection while its thread goes on")
    backend.holder("warm")

    async def ask_twice() -> None:
        first = asyncio.create_task(aio.holder("key"))
        await asyncio.sleep(0)
        with pytest.raises(BackendUnavailable, match=r"redis://.*raise max_connections"):
            backend.acquire("key", "token", 60)
        assert await first is None

    asyncio.run(ask_twice())
    backend.close()


def test_a_paused_server_is_unavailable_and_comes_back(server: RedisServer) -> None:
    backend = RedisBackend(server.url, timeout=1)
    assert backend.acquire("paused", "token", 60)
    with server.paused():
        for _ in range(2):  # over the connection that there is, and over a new one
            with pytest.raises(BackendUnavailable, match="redis://"):
                backend.renew("paused", "token", 60)
        with pytest.raises(BackendUnavailable):
            backend.renew_many([("paused", "token", 60)])

    assert backend.release("paused", "token")
    backend.close()


def test_connections_that_the_server_closed_are_not_used(server: RedisServer, raw: Any) -> None:
    backend = RedisBackend(server.url)
    in_threads([lambda n=n: backend.holder(f"{n}") for n in range(10)])  # type: ignore[misc]  # binds the number
    raw.client_kill_filter(_type="normal", skipme=True)

    assert backend.acquire("closed", "token", 60)
    assert backend.release("closed", "token")
    backend.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forks_amid_the_calls_of_many_threads(server: RedisServer) -> None:
    backend, over = RedisBackend(server.url), Event()

    def keep_asking(number: int) -> None:
        while not over.is_set():
            backend.acquire(f"fork-{number}", "token", 60)
            backend.release(f"fork-{number}", "token")

    threads = [Thread(target=keep_asking, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        statuses = [fork(lambda: backend.renew("fork", "token", 60)) for _ in range(30)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    backend.close()

    assert [0] * 30 == statuses


def fork(task: Callable[[], object]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, that there are threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)  # a child that hangs ends itself
            task()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_threads(tasks: list[Callable[[], object]]) -> None:
    threads = [Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
