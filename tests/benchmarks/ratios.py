"""Times things against a floor in the same process, so that a noisy machine disturbs neither.

    with Ratios("A call on Redis") as ratios:
        ratios.compare("run", once=guarded, floor=by_hand, at_most=1.1, others={"peer": theirs})
        ratios.compare("run, async", once=aguarded, floor=aby_hand)

A side is a callable without arguments, `def` or `async def`. All sides take turns, in another order each round. "best"
compares their best turns, "median" is that of the ratios of the rounds: where the two differ, the machine was busy.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeAlias

from rich.console import Console
from rich.table import Table

Side: TypeAlias = Callable[[], Any]

ROUNDS = 40
TURN = 0.02
"""Seconds that a turn is to last."""


class Ratios:
    """A table of comparisons, printed at the end of the `with` block. Coroutines run in its *runner*'s only loop."""

    def __init__(self, title: str) -> None:
        self.runner = asyncio.Runner()
        self._title = title
        self._rows: list[tuple[list[str], dict[str, str]]] = []

    def compare(
        self,
        what: str,
        *,
        once: Side,
        floor: Side,
        others: Mapping[str, Side] = {},
        at_most: float | None = None,
        calls: int = 1,
    ) -> None:
        """Add a row: *once*, and each of the *others*, against *floor*. A side makes *calls* calls at a time."""
        sides = {"floor": floor, "once": once, **others}
        for side in sides.values():
            self._time(side, 3)
        number = max(1, round(TURN / self._time(floor, 1)))
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(ROUNDS):
            for name in _rotated([*sides], turn):
                times[name].append(self._time(sides[name], number) / number / calls)
        best, middle = _ratios(times["once"], times["floor"])
        missed = at_most is not None and min(best, middle) > at_most
        cells = [
            what,
            f"{min(times['floor']) * 1e6:.1f}",
            f"{min(times['once']) * 1e6:.1f}",
            f"[red]{best:.2f}[/]" if missed else f"{best:.2f}",
            f"{middle:.2f}",
            "" if at_most is None else f"{at_most:.2f}",
        ]
        self._rows.append((cells, {name: "{:.2f}".format(_ratios(times[name], times["floor"])[0]) for name in others}))

    def _time(self, side: Side, number: int) -> float:
        """Return the seconds that *number* calls take, without the collector's."""
        gc.collect()
        gc.disable()
        try:
            if inspect.iscoroutinefunction(side):
                return self.runner.run(_atime(side, number))
            began = perf_counter()
            for _ in range(number):
                side()
            return perf_counter() - began
        finally:
            gc.enable()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.runner.close()
        others = sorted({name for _, peers in self._rows for name in peers})
        table = Table(title=f"{self._title}: microseconds, and times the floor")
        table.add_column("what")
        for column in ("floor", "once", "best", "median", "at most", *others):
            table.add_column(column, justify="right")
        for cells, peers in self._rows:
            table.add_row(*cells, *(peers.get(name, "") for name in others))
        Console().print(table)


async def _atime(side: Side, number: int) -> float:
    began = perf_counter()
    for _ in range(number):
        await side()
    return perf_counter() - began


def _ratios(times: list[float], floor: list[float]) -> tuple[float, float]:
    """Return the ratio of the best turns, and the median of the rounds' ratios."""
    return min(times) / min(floor), median(one / other for one, other in zip(times, floor, strict=True))


def _rotated(names: list[str], turn: int) -> list[str]:
    start = turn % len(names)
    return names[start:] + names[:start]
