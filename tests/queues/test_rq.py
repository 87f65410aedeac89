"""rq, with real workers, each of which forks a process per task."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rq")

from rq import Queue
from rq.job import Job

from once_core import lock

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, QueueRules
from .witness import Witness
from .workers import Worker, Workers, until


class Rq:
    """Five workers in two process groups, as each runs one task at a time."""

    def __init__(self, page: Recipes, workers: Workers) -> None:
        self.page = page
        self.workers = workers
        self.connection = page.tasks.redis

    def start_worker(self) -> Worker:
        command = ("rq", "worker-pool", "--url", os.environ["ONCE_URL"], "--num-workers", "4")
        return self.workers.run(*command, PYTHONPATH=self.page.path)

    def start_scheduler(self) -> Worker:
        command = ("rq", "worker", "--url", os.environ["ONCE_URL"], "--with-scheduler")
        return self.workers.run(*command, PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task).delay(order)

    def answer(self, ticket: Any) -> str:
        until(lambda: ticket.get_status() in ("finished", "failed"), f"{ticket} is over")
        result = ticket.latest_result()
        return str(result.return_value) if result.exc_string is None else str(result.exc_string)


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("rq", tmp_path_factory.mktemp("page"), ttl=TTL, interval=1)


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers) -> Iterator[Rq]:
    queue = Rq(page, workers)
    for worker in (queue.start_scheduler(), queue.start_worker()):
        worker.wait_for("Listening on")
    yield queue
    page.tasks.redis.close()


def test_a_task_whose_process_is_killed_is_retried_until_the_lease_of_the_dead_has_ended(
    queue: Rq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    ticket = queue.ask("charge_order", order)
    until(lambda: witness.running(order), "the order is being charged")
    (killed,) = witness.runs(order)

    os.kill(killed.pid, signal.SIGKILL)

    until(lambda: ticket.get_status() == "scheduled", "its worker has noticed")
    witness.open_gate(order)
    assert "checked" == queue.answer(ticket)
    assert 2 == len(witness.runs(order))


def test_a_task_that_skips_is_over_when_its_process_was_killed(
    queue: Rq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    ticket = queue.ask("refund_order", order)
    until(lambda: witness.running(order), "the order is being refunded")

    os.kill(witness.runs(order)[0].pid, signal.SIGKILL)

    assert "skipped" == queue.answer(ticket)


def test_a_worker_that_asked_the_store_before_it_forks_is_fine(
    queue: Rq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order, held = new_order(), new_order()
    witness.open_gate(order)
    preloaded = Queue("preloaded", connection=queue.connection)
    queue.workers.run(sys.executable, "-m", "queues.programs.rq_preloaded", PYTHONPATH=queue.page.path)

    with lock(f"check_order-{held}"):
        tickets = [preloaded.enqueue(queue.page.tasks.check_order, number) for number in (order, held, order)]
        answers = [queue.answer(ticket) for ticket in tickets]

    assert ["checked", "skipped", "checked"] == answers
    assert 2 == len({run.pid for run in witness.runs(order)})


def test_a_task_is_found_by_its_path_and_is_the_same_function(
    queue: Rq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    witness.open_gate(order)

    ticket = Queue(connection=queue.connection).enqueue("rq_tasks.check_order", order)

    assert "checked" == queue.answer(ticket)
    assert queue.page.tasks.check_order is Job.fetch(ticket.id, connection=queue.connection).func


class TestRq(QueueRules):
    """Functions, and a coroutine function."""


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("rq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}
    assert 18 == answers.total()
