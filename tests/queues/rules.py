"""What every task queue must show with real workers. Each rule is told once; a queue's test file inherits them.

The tasks are those of the pages in docs: check_order, cancel_order, charge_order and refund_order.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pytest

from once_core import Once

from .witness import Run, Witness
from .workers import until

TTL = 3
"""Seconds that a killed worker costs in these tests."""

_numbers = itertools.count(1)


class Queue(Protocol):
    """One framework: several workers, which can run at least five tasks at once, and a way to ask them."""

    def ask(self, task: str, order: int) -> Any:
        """Enqueue *task* for *order*; return what `answer` wants."""

    def answer(self, ticket: Any) -> str:
        """Wait for the end of a task; return its result as a text, or what is known of its exception."""

    def start_worker(self) -> object:
        """Start one more worker."""


class Spawned(NamedTuple):
    """Three orders, and what was answered to the requests for them: while they were being checked, and later."""

    orders: list[int]
    skipped: list[str]
    checked: list[str]


class QueueRules:
    """Inherited by each queue's tests; a fixture `queue` gives the Queue."""

    @pytest.fixture(scope="class")
    @classmethod
    def check(cls) -> str:
        """The task that skips."""
        return "check_order"

    @pytest.fixture(scope="class")
    @classmethod
    def spawned(cls, queue: Queue, witness: Witness, check: str) -> Spawned:
        """Ask for each of three orders, and six times again while all three are being checked."""
        orders = [next(_numbers) for _ in range(3)]
        first = [queue.ask(check, order) for order in orders]
        until(lambda: len(witness.running(*orders)) == 3, "all three orders are being checked")
        again = [queue.ask(check, order) for _ in range(6) for order in orders]
        skipped = [queue.answer(ticket) for ticket in again]
        for order in orders:
            witness.open_gate(order)
        return Spawned(orders, skipped, [queue.answer(ticket) for ticket in first])

    def test_no_two_runs_of_one_order_overlap(self, spawned: Spawned, witness: Witness) -> None:
        assert [] == witness.overlaps(*spawned.orders)
        assert 3 == len(witness.runs(*spawned.orders))

    def test_every_order_is_checked(self, spawned: Spawned, witness: Witness) -> None:
        assert ["checked"] * 3 == spawned.checked
        assert all(run.ended for run in witness.runs(*spawned.orders))

    def test_a_duplicate_is_skipped_and_says_so(self, spawned: Spawned) -> None:
        assert ["skipped"] * 18 == spawned.skipped

    def test_other_orders_are_checked_meanwhile(self, spawned: Spawned, witness: Witness) -> None:
        assert 3 == witness.at_once(*spawned.orders)

    def test_the_next_request_after_a_run_runs(self, queue: Queue, spawned: Spawned, check: str) -> None:
        assert ["checked"] * 3 == [queue.answer(queue.ask(check, order)) for order in spawned.orders]

    def test_a_skip_may_raise_instead(self, queue: Queue, witness: Witness, new_order: Callable[[], int]) -> None:
        order = new_order()
        first = queue.ask("check_order", order)
        until(lambda: witness.running(order), "the order is being checked")

        answer = queue.answer(queue.ask("cancel_order", order))

        assert "AlreadyLocked" in answer
        assert f"check_order-{order}" in answer
        witness.open_gate(order)
        assert "checked" == queue.answer(first)

    def test_a_request_that_is_retried_while_held_runs_in_the_end(
        self, queue: Queue, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        order, other = new_order(), new_order()
        tickets = [queue.ask("charge_order", order) for _ in range(3)]
        until(lambda: witness.running(order), "the order is being charged")
        witness.open_gate(other)
        queue.answer(queue.ask("check_order", other))  # it was asked for last: the others have met the first by now

        witness.open_gate(order)

        assert ["checked"] * 3 == [queue.answer(ticket) for ticket in tickets]
        assert 3 == len(witness.runs(order))
        assert [] == witness.overlaps(order)

    def test_a_retry_is_not_lost_to_the_lease_of_the_run_that_failed(
        self, queue: Queue, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        orders = [new_order() for _ in range(10)]
        for order in orders:
            witness.let_fail(order, 2)
            witness.open_gate(order)

        tickets = [queue.ask("refund_order", order) for order in orders]

        assert ["checked"] * 10 == [queue.answer(ticket) for ticket in tickets]
        assert [3] * 10 == [len(witness.runs(order)) for order in orders]

    def test_a_worker_killed_with_sigkill_frees_its_order_within_the_ttl(
        self, queue: Queue, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        order = new_order()
        queue.ask("check_order", order)
        until(lambda: witness.running(order), "the order is being checked")

        killed = kill_its_worker(witness, order)

        queue.start_worker()
        witness.open_gate(order)

        def is_checked_again() -> bool:
            queue.ask("check_order", order)  # without waiting: a dead worker's connection may have taken it
            time.sleep(0.2)
            return len(witness.runs(order)) > 1

        until(is_checked_again, "the order is checked again")
        assert killed.pid != witness.runs(order)[1].pid


def kill_its_worker(witness: Witness, order: object) -> Run:
    """Kill the worker that checks *order*, with all its processes; return the run that has died."""
    (run,) = witness.runs(order)
    store = Once(os.environ["ONCE_URL"])
    holder = store.lock(f"check_order-{order}").holder()
    store.close()
    assert holder is not None
    assert run.pid == holder.pid
    assert holder.remaining is not None
    assert holder.remaining <= TTL  # and from now on nobody renews it

    os.killpg(os.getpgid(run.pid), signal.SIGKILL)
    return run
