"""The timeline of orders.py as an SVG text: a panel per act, a row per worker, a bar per run."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import ceil

from orders_shop import Act, Run

WIDTH, LEFT, RIGHT = 960, 104, 28
TOP, ROW, BAR = 62, 30, 22  # of a panel: its heading, a worker's row, the bar in it
PANEL_GAP, AXIS, LEGEND = 26, 30, 58

COLOURS = (("#a5c8ff", "#2f6fd0"), ("#97dfc0", "#13855c"), ("#ffd57e", "#b27700"))  # of an order: its fill, its line
RED, INK, GREY, PALE = "#d1242f", "#1f2328", "#656d76", "#d8dee4"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


def draw(acts: list[Act]) -> str:
    """Return the picture of *acts*, one above the other on one scale of time."""
    longest = max(_seconds(act, run)[1] for act in acts for run in act.runs)
    scale = (WIDTH - LEFT - RIGHT) / (ceil(longest * 2) / 2)
    panel = TOP + len(acts[0].workers) * ROW + AXIS
    height = 16 + len(acts) * panel + (len(acts) - 1) * PANEL_GAP + LEGEND
    orders = sorted({run.order_id for act in acts for run in act.runs})
    colours = {order_id: COLOURS[index % len(COLOURS)] for index, order_id in enumerate(orders)}
    body: list[str] = []
    for index, act in enumerate(acts):
        body += Panel(act, 16 + index * (panel + PANEL_GAP), scale, colours).lines()
    body += _legend(height - LEGEND + 30, colours)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            f' role="img" aria-label="Timeline of checks without and with @once" font-family="{FONT}" font-size="12">',
            '<defs><pattern id="twice" width="7" height="7" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate(45)"><rect width="3" height="7" fill="{RED}" fill-opacity="0.75"/></pattern>'
            "</defs>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" fill="#fff" stroke="{PALE}"/>',
            *body,
            "</svg>\n",
        ]
    )


class Panel:
    """One act: *top* is its upper edge, *scale* the pixels for a second."""

    def __init__(self, act: Act, top: float, scale: float, colours: dict[int, tuple[str, str]]) -> None:
        self.act = act
        self.top = top
        self.scale = scale
        self.colours = colours
        self.bottom = top + TOP + len(act.workers) * ROW

    def lines(self) -> Iterator[str]:
        """Yield the panel's elements, what lies below first."""
        yield from self._heading()
        yield from self._axis()
        for worker in self.act.workers:
            yield _text(LEFT - 12, self._middle(worker) + 4, worker, GREY, anchor="end")
        yield from self._arrow()
        for run in self.act.runs:
            yield from self._bar(run)
        for skip in self.act.skips:
            x, y, line = self._x(skip.at), self._middle(skip.worker), self.colours[skip.order_id][1]
            yield (
                f'<path d="M{x:.1f} {y - 7}v14" stroke="{line}" stroke-width="2.5" stroke-linecap="round">'
                f"<title>order {skip.order_id} skipped by {skip.worker}</title></path>"
            )
        if self.act.killed is not None:
            yield from self._kill(self.act.killed)

    def _heading(self) -> Iterator[str]:
        act = self.act
        title = '@once(key="check_order-{order_id}")' if act.guarded else "without the decorator"
        yield _text(24, self.top + 20, title, INK, size=16, weight=600)
        numbers = f"{act.asked} checks asked for, {len(act.runs)} run, {len(act.skips)} skipped: "
        verdict = f"{act.overlaps} overlaps, {act.charged_twice} instalments charged twice"
        colour = RED if act.overlaps else self.colours[sorted(self.colours)[1 % len(self.colours)]][1]
        yield (
            f'<text x="24" y="{self.top + 42}" fill="{GREY}" font-size="13">{numbers}'
            f'<tspan fill="{colour}" font-weight="600">{verdict}</tspan></text>'
        )

    def _axis(self) -> Iterator[str]:
        for second in range(int((WIDTH - LEFT - RIGHT) / self.scale) + 1):
            x = LEFT + second * self.scale
            yield f'<path d="M{x:.1f} {self.top + TOP - 4}V{self.bottom + 4}" stroke="{PALE}"/>'
            yield _text(x, self.bottom + 19, f"{second} s", GREY, size=11, anchor="middle")

    def _bar(self, run: Run) -> Iterator[str]:
        began, ended = _seconds(self.act, run)
        x, y, width = LEFT + began * self.scale, self._middle(run.worker) - BAR / 2, (ended - began) * self.scale
        fill, line = self.colours[run.order_id]
        yield f"<g><title>order {run.order_id} on {run.worker}, {began:.2f} to {ended:.2f} s</title>"
        box = f'y="{y}" height="{BAR}"'
        yield f'<rect x="{x:.1f}" width="{width:.1f}" {box} rx="4" fill="{fill}" stroke="{line}"/>'
        for start, end in self._shared(run):
            inner = f'x="{self._x(start):.1f}" width="{(end - start) * self.scale:.1f}"'
            yield f'<rect {inner} {box} rx="4" fill="url(#twice)"/>'
        if width > 24:
            middle = x + width / 2
            yield f'<rect x="{middle - 11:.1f}" y="{y + 4}" width="22" height="{BAR - 8}" rx="3" fill="{fill}"/>'
            yield _text(middle, y + BAR / 2 + 4, str(run.order_id), INK, anchor="middle", weight=600)
        yield "</g>"

    def _shared(self, run: Run) -> list[tuple[float, float]]:
        """Return when another run of the order went on as well, without telling how many did."""
        shared: list[tuple[float, float]] = []
        for other in self.act.runs:
            if other is not run and other.order_id == run.order_id:
                start, end = max(run.started, other.started), min(run.ended or 0.0, other.ended or 0.0)
                if shared and start <= shared[-1][1]:  # the runs are sorted by their start
                    shared[-1] = (shared[-1][0], max(shared[-1][1], end))
                elif start < end:
                    shared.append((start, end))
        return shared

    def _kill(self, run: Run) -> Iterator[str]:
        _, ended = _seconds(self.act, run)
        line = self.colours[run.order_id][1]
        x, y = LEFT + ended * self.scale, self._middle(run.worker)
        until = x
        if self.act.ran_again is not None:
            again, seconds = self.act.ran_again
            until = self._x(again.started)
            label = f"order {run.order_id} stays held for {seconds:.1f} s (ttl {self.act.ttl:g} s)"
            yield (
                f'<rect x="{x:.1f}" y="{y - BAR / 2}" width="{until - x:.1f}" height="{BAR}" rx="4" fill="#fff"'
                f' stroke="{line}" stroke-dasharray="4 3"/>'
            )
            yield _text((x + until) / 2 + 4, y + 4, label, INK, size=11, anchor="middle")
        yield f'<g transform="translate({x:.1f} {y})">{_CROSS}</g>'
        yield _text(until + 12, y + 4, "killed, and not replaced", GREY, size=11)

    def _arrow(self) -> Iterator[str]:
        """From the killed worker's row to the run that follows; bars of other workers lie above it."""
        if self.act.killed is not None and self.act.ran_again is not None:
            again, _ = self.act.ran_again
            x, y = self._x(again.started), self._middle(self.act.killed.worker)
            side = 1 if self._middle(again.worker) > y else -1
            end = self._middle(again.worker) - side * BAR / 2
            yield f'<path d="M{x:.1f} {y + side * BAR / 2}V{end}" stroke="{INK}" stroke-width="1.5"/>'
            yield f'<path d="M{x - 4:.1f} {end - side * 6}h8l-4 {side * 6}z" fill="{INK}"/>'

    def _x(self, moment: float) -> float:
        return LEFT + (moment - self.act.began) * self.scale

    def _middle(self, worker: str) -> float:
        return self.top + TOP + (self.act.workers.index(worker) + 0.5) * ROW


_CROSS = (
    f'<circle r="9" fill="#fff" stroke="{RED}" stroke-width="1.5"/>'
    f'<path d="M-4 -4L4 4M4 -4L-4 4" stroke="{RED}" stroke-width="2.5" stroke-linecap="round"/>'
)


def _legend(y: float, colours: dict[int, tuple[str, str]]) -> Iterator[str]:
    x = 24.0
    for order_id, (fill, line) in colours.items():
        yield f'<rect x="{x}" y="{y - 10}" width="26" height="14" rx="3" fill="{fill}" stroke="{line}"/>'
        yield _text(x + 33, y + 1, f"order {order_id}", INK)
        x += 104
    fill, line = next(iter(colours.values()))
    yield f'<rect x="{x}" y="{y - 10}" width="26" height="14" rx="3" fill="{fill}" stroke="{line}"/>'
    yield f'<rect x="{x}" y="{y - 10}" width="26" height="14" rx="3" fill="url(#twice)"/>'
    yield _text(x + 33, y + 1, "two runs of one order", INK)
    x += 184
    yield f'<path d="M{x + 4} {y - 10}v14" stroke="{line}" stroke-width="2.5" stroke-linecap="round"/>'
    yield _text(x + 14, y + 1, "skipped: the order is being checked", INK)
    x += 248
    yield f'<g transform="translate({x + 4} {y - 3})">{_CROSS}</g>'
    yield _text(x + 20, y + 1, "kill -9", INK)


def _text(
    x: float, y: float, text: str, colour: str, *, size: int = 12, anchor: str = "start", weight: int = 400
) -> str:
    style = f'fill="{colour}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text, quote=False)}</text>'


def _seconds(act: Act, run: Run) -> tuple[float, float]:
    """Return when *run* began and ended, counted from the begin of *act*."""
    return run.started - act.began, (run.ended or run.started) - act.began
