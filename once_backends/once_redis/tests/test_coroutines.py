"""Coroutines share connections with threads: over loops that come and go, block, and cancel their tasks."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import count, islice
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from once_core.errors import BackendUnavailable
from once_redis import RedisBackend
from once_redis.backend import AsyncRedis
from redis_groups import wait_until
from redis_server import RedisServer

pytestmark = pytest.mark.skipif(RedisBackend("redis://").aio is None, reason="Windows' loop can't watch a socket")


@pytest.fixture
def backend(server: RedisServer) -> Iterator[RedisBackend]:
    backend = RedisBackend(server.url)
    yield backend
    backend.close()


@pytest.fixture
def aio(backend: RedisBackend) -> AsyncRedis:
    assert backend.aio is not None
    return backend.aio


block = sleep
"""For what a coroutine should not do."""


def connected(raw: Any) -> set[str]:
    """Return who is connected, by numbers that no other ever gets: one may still be leaving."""
    return {client["id"] for client in raw.client_list()}


async def live(aio: AsyncRedis, key: str) -> None:
    assert await aio.acquire(key, "token", 60)
    assert await aio.renew(key, "token", 60)
    assert await aio.holder(key)
    assert await aio.release(key, "token")


def test_a_loop_for_each_task_leaves_nothing_behind(aio: AsyncRedis, raw: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = connected(raw)
        for number in range(50):
            asyncio.run(live(aio, f"loop-{number}"))
        gc.collect()

    wait_until(lambda: len(connected(raw) - before) <= 1)


def test_loops_in_several_threads_at_once(aio: AsyncRedis) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        for turn in range(10):
            asyncio.run(live(aio, f"thread-{number}-{turn}"))
        done.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(range(8)) == sorted(done)


def test_two_hundred_coroutines_share_a_connection(aio: AsyncRedis, raw: Any) -> None:
    before = raw.info("stats")["total_connections_received"]

    async def main() -> None:
        await asyncio.gather(*(live(aio, f"crowd-{number}") for number in range(200)))

    asyncio.run(main())

    assert before + 1 >= raw.info("stats")["total_connections_received"]


def test_a_loop_that_was_blocked_for_longer_than_the_timeout_gets_its_answer(server: RedisServer) -> None:
    backend = RedisBackend(server.url, timeout=0.5)
    aio = backend.aio
    assert aio

    async def main() -> None:
        assert await aio.acquire("warm", "token", 60)
        asked = asyncio.create_task(aio.acquire("blocked", "token", 60))
        await asyncio.sleep(0)
        block(0.8)  # the whole loop stands still, the answer being there
        assert await asked
        ended = asyncio.create_task(aio.release("blocked", "token"))
        await asyncio.sleep(0)
        block(0.8)
        assert await ended

    asyncio.run(main())
    backend.close()


def test_a_paused_server_is_unavailable_within_the_timeout_and_comes_back(server: RedisServer) -> None:
    backend = RedisBackend(server.url, timeout=1)
    aio = backend.aio
    assert aio

    async def main() -> None:
        await live(aio, "before")
        with server.paused():
            began = monotonic()
            failed = await asyncio.gather(*(aio.renew("key", str(n), 60) for n in range(20)), return_exceptions=True)
            with pytest.raises(BackendUnavailable, match="redis://"):  # at the new connection
                await aio.renew("key", "token", 60)
            assert {BackendUnavailable} == {type(answer) for answer in failed}
            assert monotonic() - began < 10
        await live(aio, "after")

    asyncio.run(main())
    backend.close()


def test_a_storm_of_cancellations_leaves_no_key_held(aio: AsyncRedis, backend: RedisBackend) -> None:
    chance, numbers = random.Random(7), count()

    async def storm() -> None:
        tasks = {
            f"storm-{n}": asyncio.create_task(aio.acquire(f"storm-{n}", "token", 600)) for n in islice(numbers, 50)
        }
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            await asyncio.sleep(0.001)
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        if chance.random() < 0.5:
            for number in range(3):
                await live(aio, f"calm-{number}")  # answers are nobody else's

    for _ in range(40):
        first = next(numbers)
        asyncio.run(storm())
        for number in range(first + 1, first + 51):
            backend.release(f"storm-{number}", "token")  # as the core does, over another connection

    # A release may find that the question before it has not been read yet. That is undone behind it.
    wait_until(lambda: [] == [*backend.holders("storm-")])


def test_a_cancelled_acquire_is_undone_behind_the_question(aio: AsyncRedis, backend: RedisBackend) -> None:
    async def main(number: int) -> None:
        asked = asyncio.create_task(aio.acquire(f"cancelled-{number}", "token", 600))
        await asyncio.sleep(0)  # it is sent
        asked.cancel()

    backend.acquire("warm", "token", 60)
    for number in range(50):
        asyncio.run(main(number))

    wait_until(lambda: [] == [*backend.holders("cancelled-")])


def test_a_loop_that_ends_amid_a_question_costs_no_connection_for_ever(server: RedisServer, raw: Any) -> None:
    backend, before = RedisBackend(server.url, max_connections=1), connected(raw)
    aio = backend.aio
    assert aio

    async def main() -> None:
        asyncio.create_task(aio.holder("key"))  # noqa: RUF006  # forgotten on purpose
        await asyncio.sleep(0)

    for _ in range(10):
        asyncio.run(main())
        assert backend.holder("key") is None  # nor a thread
    asyncio.run(live(aio, "key"))
    asyncio.run(main())
    backend.close()

    assert raw.ping()
    wait_until(lambda: connected(raw) <= before)


PROGRAM = """
import asyncio, sys, threading
from once_core import Once

once = Once(sys.argv[1])

@once.once(key="{number}")
async def run(number: int) -> str:
    await asyncio.sleep(0)
    return "ran"

async def several(first: int) -> list[str]:
    return await asyncio.gather(*(run(first + number) for number in range(5)))

def work(first: int) -> None:
    for _ in range(20):
        assert ["ran"] * 5 == asyncio.run(several(first))

threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
{ending}
print("ok")
"""


@pytest.mark.parametrize("ending", ["once.close()", ""])
def test_a_program_of_many_loops_leaves_no_connection_unclosed(server: RedisServer, ending: str) -> None:
    program = [sys.executable, "-W", "error", "-c", PROGRAM.replace("{ending}", ending), server.url]
    done = subprocess.run(program, capture_output=True, text=True)

    assert (0, "ok\n", "") == (done.returncode, done.stdout, done.stderr)
