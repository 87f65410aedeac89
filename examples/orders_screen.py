"""What one sees of orders.py in a terminal, while it runs and at the end."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from orders_shop import Act
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

TITLES = {False: "without @once", True: 'with @once(key="check_order-{order_id}")'}


class Screen:
    """Shows each act: how far it is, who checks what, and what happens to the worker that is killed."""

    def __init__(self, headline: str) -> None:
        self.headline = headline
        self.console = Console(highlight=False)
        self._live = Live(console=self.console, refresh_per_second=10, transient=True)
        self._told: set[tuple[bool, str]] = set()

    def __enter__(self) -> Self:
        self.console.print(f"{self.headline}\n")
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def show(self, act: Act) -> None:
        """Show how *act* stands now."""
        self._tell(act, f"[bold]{TITLES[act.guarded]}[/]")
        if (killed := act.killed) is not None and killed.ended is not None:
            when = f"{killed.ended - act.began:4.1f} s"
            self._tell(act, f"  {when}  {killed.worker} killed with SIGKILL while it checks order {killed.order_id}")
        if act.ran_again is not None:
            run, seconds = act.ran_again
            when = f"{run.started - act.began:4.1f} s"
            what = f"order {run.order_id} runs again on {run.worker}, {seconds:.1f} s after the kill"
            self._tell(act, f"  {when}  {what}")
        if act.done:
            self._live.update("")
            self.console.print(_numbers(act))
            self.console.print()
        elif self.console.is_terminal:
            self._live.update(Group(_numbers(act), _workers(act)))

    def sum_up(self, acts: list[Act]) -> None:
        """Print the table at the end."""
        table = Table(
            title=f"{acts[0].checks} checks without the decorator, and with it",
            title_style="bold",
            header_style="bold",
        )
        table.add_column()
        for act in acts:
            table.add_column("with @once" if act.guarded else "without @once", justify="right")
        table.add_row("checks asked for", *(str(act.asked) for act in acts))
        table.add_row("run", *(str(len(act.runs)) for act in acts))
        table.add_row("skipped", *(str(len(act.skips)) for act in acts))
        table.add_row("overlaps seen by the log", *(_verdict(act.overlaps) for act in acts))
        table.add_row("instalments charged twice", *(_verdict(act.charged_twice) for act in acts))
        table.add_row("killed check run again after", *(_freed(act) for act in acts))
        self.console.print(table)

    def point_to(self, picture: Path) -> None:
        """Print where the picture is."""
        self.console.print(Text("The timeline is in ").append(str(picture), style="bold"), soft_wrap=True)

    def _tell(self, act: Act, line: str) -> None:
        if (act.guarded, line) not in self._told:
            self._told.add((act.guarded, line))
            self.console.print(line)


def _numbers(act: Act) -> RenderableType:
    line = Table.grid(padding=(0, 2))
    line.add_row(
        ProgressBar(total=act.checks, completed=act.asked, width=20),
        f"asked for {act.asked}/{act.checks}",
        f"run {len(act.runs)}",
        f"skipped {len(act.skips)}",
        Text(f"overlaps {act.overlaps}", style="bold red" if act.overlaps else "green"),
    )
    return line


def _workers(act: Act) -> RenderableType:
    line = Text()
    checked = list(act.busy.values())
    for worker in act.workers:
        order_id = act.busy.get(worker)
        line.append(f"{worker} ", style="dim")
        if act.killed is not None and act.killed.worker == worker:
            line.append("killed ", style="red")
        elif order_id is None:
            line.append("-      ", style="dim")
        else:
            line.append(f"#{order_id}    ", style="bold red" if checked.count(order_id) > 1 else "cyan")
    line.rstrip()
    return line


def _verdict(number: int) -> str:
    return f"[bold red]{number}[/]" if number else "[bold green]0[/]"


def _freed(act: Act) -> str:
    if act.killed is None:
        return "[dim]none killed[/]"
    return "[red]not yet[/]" if act.ran_again is None else f"{act.ran_again[1]:.1f} s (ttl {act.ttl:g} s)"
