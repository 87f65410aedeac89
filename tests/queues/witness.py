"""The witness of what really ran, which does not rely on once: an append-only journal, and gates for bodies to wait at.

Tasks that are tested write to it, in whatever process they run; the tests read it. The environment's WITNESS is the
folder.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

PATIENCE = 60.0  # seconds until whoever waits gives up


def note(*words: object) -> None:
    """Append a line to the journal; the system keeps lines of several processes apart."""
    line = " ".join(map(str, words)) + "\n"
    file = os.open(_folder() / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@contextmanager
def checking(order: object) -> Iterator[None]:
    """Note that a run of *order* begins, and that it ends."""
    run = token_hex(4)
    note("begin", order, run, os.getpid(), time.monotonic())
    try:
        yield
    finally:
        note("end", order, run, os.getpid(), time.monotonic())


def wait_at_gate(order: object) -> None:
    """Wait until the test opens the gate of *order*."""
    gate, give_up = _gate(_folder(), order), time.monotonic() + PATIENCE
    while not gate.exists() and time.monotonic() < give_up:
        time.sleep(0.01)


async def await_gate(order: object) -> None:
    """Wait for the gate in a coroutine."""
    gate, give_up = _gate(_folder(), order), time.monotonic() + PATIENCE
    while not gate.exists() and time.monotonic() < give_up:
        await asyncio.sleep(0.01)


def is_to_fail(order: object) -> bool:
    """Whether the run of *order* that has just begun is one of those that the test wants to fail."""
    witness = Witness(_folder())
    wanted = _failures(witness.folder, order)
    return wanted.exists() and len(witness.runs(order)) <= int(wanted.read_text())


class Run(NamedTuple):
    """One run of a body; *ended* is None where it goes on, or its process was killed."""

    order: str
    pid: int
    began: float
    ended: float | None


class Witness:
    """What the journal tells the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open_gate(self, order: object) -> None:
        _gate(self.folder, order).touch()

    def let_fail(self, order: object, times: int) -> None:
        """Let the first runs of *order* fail, if their body asks for it."""
        _failures(self.folder, order).write_text(str(times))

    def notes(self, *words: object) -> list[list[str]]:
        """Return the lines that begin with *words*, in the order of time."""
        journal, first = self.folder / "journal", list(map(str, words))
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [line for line in map(str.split, lines) if line[: len(first)] == first]

    def runs(self, *orders: object) -> list[Run]:
        """Return the runs of *orders*, in the order in which they began."""
        ends = {run: float(at) for _, _, run, _, at in self.notes("end")}
        wanted = set(map(str, orders))
        return [
            Run(order, int(pid), float(at), ends.get(run))
            for _, order, run, pid, at in self.notes("begin")
            if order in wanted
        ]

    def running(self, *orders: object) -> list[Run]:
        """Return those runs that have begun and not ended."""
        return [run for run in self.runs(*orders) if run.ended is None]

    def overlaps(self, *orders: object) -> list[tuple[Run, Run]]:
        """Return pairs of runs of one order of which the second began before the first had ended."""
        return [
            (run, following)
            for order in orders
            for run, following in pairwise(self.runs(order))
            if run.ended is None or following.began < run.ended
        ]

    def at_once(self, *orders: object) -> int:
        """Return how many runs went on at the same time, at most."""
        runs = self.runs(*orders)
        return max(
            (sum(1 for other in runs if other.began <= run.began and run.began < (other.ended or run.began + 1)))
            for run in runs
        )


def _folder() -> Path:
    return Path(os.environ["WITNESS"])


def _gate(folder: Path, order: object) -> Path:
    return folder / f"open-{order}"


def _failures(folder: Path, order: object) -> Path:
    return folder / f"failures-{order}"
