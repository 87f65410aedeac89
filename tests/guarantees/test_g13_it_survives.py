"""G13: it survives fork, threads, gevent, several event loops in turn, signals, and interpreter shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from once_core import SKIPPED

from .backends import Relay
from .calls import together
from .processes import Programs
from .stores import Store

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@forks
@pytest.mark.parametrize(
    "scenario",
    [
        "in_a_body",
        "after_the_parents_run",
        "amid_the_first_import",
        "in_a_loop",
        "amid_calls",
        "amid_configuring",
        "by_multiprocessing",
    ],
)
def test_fork(store: Store, scenario: str, programs: Programs) -> None:
    # Python 3.12 and later warn of each fork amid threads: here that is the point.
    options = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}

    assert (0, "ok", "") == programs.run("forking", scenario, store.url, store.prefix, **options)


def test_gevent(store: Store, programs: Programs) -> None:
    pytest.importorskip("gevent")

    assert (0, "ok", "") == programs.run("greens", store.url, store.prefix)


ENDINGS = {
    "amid_runs": "ended",
    "amid_calls": "ended",
    "at_exit": "ran ran ran ran\nran ran ran ran",
    "finalized": "ran\nran",
    "exit_in_a_body": "exits",
}


if sys.version_info < (3, 12):  # later ones start no thread any more when the main thread has ended
    ENDINGS["in_a_thread_that_outlives_main"] = "ran"


@pytest.mark.parametrize("scenario", ENDINGS)
def test_the_end_of_the_interpreter(store: Store, scenario: str, programs: Programs) -> None:
    assert (0, ENDINGS[scenario], "") == programs.run("ending", scenario, store.url, store.prefix)


def test_a_key_that_is_being_given_back_at_the_end_of_the_interpreter_is_free(store: Store, programs: Programs) -> None:
    store.needs_processes()
    assert (0, "ended", "") == programs.run("ending", "amid_a_release", store.url, store.prefix)

    assert store.free_at_once("left")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers of that kind")
@pytest.mark.parametrize(("form", "error"), [("def", "Interrupted"), ("def", "SoftTimeLimit"), ("with", "Interrupted")])
def test_signal_handlers_that_raise_anywhere(store: Store, form: str, error: str, programs: Programs) -> None:
    interruptions = 1000 if store.place.embedded else 100  # with a server, each costs a connection
    code, output, _ = programs.run("interrupted", form, error, interruptions, store.url, store.prefix)

    assert (0, "0 True") == (code, output)


@pytest.mark.parametrize("native", [False, True])
def test_one_loop_after_the_other(store: Store, native: bool) -> None:
    once = store.once(Relay(store.backend(), native=native))

    @once.once(key="{key}", return_on_locked=SKIPPED)
    async def run(key: str) -> str:
        await asyncio.sleep(0)
        return "ran"

    assert ["ran"] * 50 == [asyncio.run(run("key")) for _ in range(50)]


def test_two_hundred_coroutines_at_once(store: Store) -> None:
    once, stranger = store.once(), store.backend()
    for number in range(0, 200, 2):
        assert stranger.acquire(f"{store.prefix}{number}", "stranger", 300.0)

    @once.once(key="{number}", return_on_locked=SKIPPED)
    async def run(number: int) -> str:
        await asyncio.sleep(0)
        return "ran"

    async def main() -> list[object]:
        return [*await asyncio.gather(*(run(number) for number in range(200)))]

    assert [SKIPPED, "ran"] * 100 == asyncio.run(main())
    assert [True] * 100 == [store.free_at_once(str(number)) for number in range(1, 200, 2)]


@pytest.mark.parametrize("native", [False, True])
def test_loops_in_several_threads_at_once(store: Store, native: bool) -> None:
    once = store.once(Relay(store.backend(), native=native))

    @once.once(key="{key}", return_on_locked=SKIPPED)
    async def run(key: str) -> str:
        await asyncio.sleep(0)
        return "ran"

    async def several(name: str) -> list[str]:
        return await asyncio.gather(*(run(f"{name} {number}") for number in range(5)))

    def thread(name: str) -> list[str]:
        return [result for _ in range(10) for result in asyncio.run(several(name))]

    assert [["ran"] * 50] * 4 == together([lambda name=name: thread(name) for name in "abcd"])  # type: ignore[misc]  # binds this one
