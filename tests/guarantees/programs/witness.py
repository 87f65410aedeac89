"""Witnesses that do not rely on once: an append-only journal, and a marker file that only one can make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep


def note(journal: Path, *words: object) -> None:
    """Append one line; the system keeps lines of several processes apart."""
    line = " ".join(map(str, words)) + "\n"
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def notes(journal: Path) -> list[list[str]]:
    """Return the words of all lines so far."""
    return [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []


@contextmanager
def alone(folder: Path, fence: int | None = None) -> Iterator[None]:
    """Be the only one in here: note an overlap where somebody else is, and note the fence and the time spent."""
    start = monotonic()
    marker = folder / "marker"
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        note(folder / "overlaps", os.getpid(), fence)
    try:
        yield
    finally:
        marker.unlink(missing_ok=True)
        note(folder / "runs", -1 if fence is None else fence, start, monotonic())


def overlaps(folder: Path) -> list[str]:
    """Return what was seen of two at once in *folder*: by the marker, and by the times noted."""
    seen = [f"met {words}" for words in notes(folder / "overlaps")]
    times = sorted((float(start), float(end)) for _, start, end in notes(folder / "runs"))
    seen += [f"{one} and {other}" for one, other in pairwise(times) if other[0] < one[1]]
    return seen


def fences(folder: Path) -> list[int]:
    """Return the fences in the order of the runs."""
    return [int(fence) for fence, _, _ in sorted(notes(folder / "runs"), key=lambda words: float(words[1]))]


def wait_for(path: Path, seconds: float = 60.0) -> None:
    """Wait until *path* is there."""
    deadline = monotonic() + seconds
    while not path.exists():
        if monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {path}")
        sleep(0.01)
