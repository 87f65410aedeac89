"""G1: at most one run per key, over threads, tasks and processes that share the store."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from time import sleep

import pytest

from once_core import SKIPPED, current_lease

from .backends import Relay
from .calls import Held, together, wait_until
from .kinds import KINDS, Kind
from .processes import DEADLINE, Programs
from .programs.witness import alone, fences, notes, overlaps
from .stores import Store

RUNS = 30
SECONDS = float(os.environ.get("ONCE_CONTEND_SECONDS", "0"))
"""For how long processes contend at least; CONTRIBUTING.md tells more."""


def fence_of_run() -> int | None:
    lease = current_lease()
    assert lease is not None
    return lease.fence


def test_threads_never_run_one_key_at_once(store: Store, kind: Kind, tmp_path: Path) -> None:
    def body() -> None:
        with alone(tmp_path, fence_of_run()):
            sleep(0.001)

    def contend() -> None:
        # Each has a backend of its own, so that they meet in the store and nowhere before it.
        call = kind(store.once(Relay(store.backend())), "contended", body)
        while len(notes(tmp_path / "runs")) < RUNS:
            call()

    together([contend] * 4)

    assert [] == overlaps(tmp_path)


def test_threads_of_one_program_never_run_one_key_at_once(store: Store, kind: Kind, tmp_path: Path) -> None:
    def body() -> None:
        with alone(tmp_path, fence_of_run()):
            sleep(0.001)

    call = kind(store.once(), "contended", body)

    def contend() -> None:
        while len(notes(tmp_path / "runs")) < RUNS:
            call()

    together([contend] * 4)

    assert [] == overlaps(tmp_path)


def test_tasks_never_run_one_key_at_once(store: Store, tmp_path: Path) -> None:
    once = store.once()

    @once.once(key="contended", return_on_locked=SKIPPED)
    async def run() -> None:
        with alone(tmp_path, fence_of_run()):
            await asyncio.sleep(0.001)

    async def contend() -> None:
        while len(notes(tmp_path / "runs")) < RUNS:
            await run()
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(contend() for _ in range(20)))

    asyncio.run(main())

    assert [] == overlaps(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_twelve_processes_never_run_one_key_at_once(store: Store, programs: Programs, tmp_path: Path) -> None:
    store.needs_processes()
    kinds = ("def", "async def", "def")
    started = [
        programs.start("contend", store.url, store.prefix, kind, tmp_path, 4, RUNS // 10, SECONDS) for kind in kinds
    ]
    for process in started:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    (tmp_path / "go").touch()
    results = [programs.result(process, SECONDS + DEADLINE) for process in started]

    assert [(0, "", "")] * 3 == results
    assert [] == overlaps(tmp_path)
    runs = len(notes(tmp_path / "runs"))
    assert 12 * (RUNS // 10) <= runs
    print(f"{runs} runs by 12 processes")  # shown by pytest -rP
    if store.place.fences:
        seen = fences(tmp_path)
        assert sorted(set(seen)) == seen


def test_fences_grow_from_run_to_run_of_contending_threads(store: Store, tmp_path: Path) -> None:
    store.needs_fences()

    def body() -> None:
        with alone(tmp_path, fence_of_run()):
            pass

    def contend() -> None:
        call = KINDS["def"](store.once(Relay(store.backend())), "contended", body)
        while len(notes(tmp_path / "runs")) < RUNS:
            call()

    together([contend] * 4)
    seen = fences(tmp_path)

    assert sorted(set(seen)) == seen


def test_runs_of_other_keys_go_on_meanwhile(store: Store, kind: Kind) -> None:
    once = store.once()
    meeting = threading.Barrier(3, timeout=30)
    calls = [kind(once, key, meeting.wait) for key in ("one", "two", "three")]

    assert {0, 1, 2} == set(together(calls))


def test_processes_run_other_keys_meanwhile(store: Store, programs: Programs, tmp_path: Path) -> None:
    store.needs_processes()
    started = [
        programs.start("hold", store.url, store.prefix, kind, kind.replace(" ", "-"), 300, tmp_path)
        for kind in ("def", "async def")
    ]
    wait_until(lambda: len(notes(tmp_path / "begun")) == 2, "both bodies have begun")
    (tmp_path / "go").touch()

    assert [(0, "kept", "")] * 2 == [programs.result(process) for process in started]


def test_a_key_of_another_prefix_is_another_key(store: Store, kind: Kind) -> None:
    billing, shipping = store.once(prefix=f"{store.prefix}billing:"), store.once(prefix=f"{store.prefix}shipping:")
    with Held(lambda body: kind(billing, "key", body)):
        assert "ran" == kind(shipping, "key", lambda: "ran")()
