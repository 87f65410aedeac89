"""The bodies of the tasks that are tested on all queues; the witness sees them run."""

from __future__ import annotations

import os
from pathlib import Path

from queues.witness import await_gate, checking, wait_at_gate

TTL = 3.0
"""Seconds that a killed worker costs in these tests."""


class TryAgain(Exception):
    """The bank did not answer."""


def check(order: int) -> str:
    """Check an order for as long as the test wants."""
    with checking(order):
        wait_at_gate(order)
    return "checked"


async def acheck(order: int) -> str:
    """Check it in a coroutine."""
    with checking(order):
        await await_gate(order)
    return "checked"


def refund(order: int) -> str:
    """Refund an order; the first try fails."""
    with checking(order):
        if first_time(order):
            raise TryAgain(order)
    return "refunded"


def first_time(order: int) -> bool:
    """Whether nobody asked so for this order before."""
    try:
        os.close(os.open(Path(os.environ["WITNESS"]) / f"tried-{order}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
