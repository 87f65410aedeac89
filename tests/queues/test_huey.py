"""huey, with real workers: threads and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huey")

from huey.exceptions import TaskException

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, QueueRules
from .witness import PATIENCE, Witness
from .workers import Worker, Workers


class Huey:
    """Two consumers with processes, one with threads in place of who is killed, and the tasks as a client."""

    def __init__(self, page: Recipes, workers: Workers) -> None:
        self.page = page
        self.workers = workers

    def start_worker(self, kind: str = "thread") -> Worker:
        often = ("--scheduler-interval", "1", "--max-delay", "0.1")
        command = ("huey_consumer", "huey_tasks.huey", "--workers", "4", "--worker-type", kind, *often)
        return self.workers.run(*command, PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task)(order)

    def answer(self, ticket: Any) -> str:
        try:
            return str(ticket.get(blocking=True, timeout=PATIENCE, max_delay=0.1))
        except TaskException as error:
            return str(error.metadata["error"])


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("huey", tmp_path_factory.mktemp("page"), ttl=TTL, retry_delay=0.2, hold_at_least=3600)


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers, witness: Witness) -> Iterator[Huey]:
    queue = Huey(page, workers)
    witness.open_gate("report")  # a full minute may come at any time
    for worker in [queue.start_worker(kind) for kind in ("process", "process")]:
        worker.wait_for("The following commands")
    yield queue
    page.tasks.huey.storage.pool.disconnect()


class TestHuey(QueueRules):
    """Functions."""


def test_what_is_held_at_least_for_a_while_runs_once_in_it(
    queue: Huey, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    witness.open_gate(order)

    for _ in range(5):
        queue.page.tasks.report()
    queue.answer(queue.ask("check_order", order))  # a periodic task keeps no result; this was asked for after them

    assert 1 == len(witness.runs("report"))


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("huey_orders", workers, tmp_path)

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}
    assert 18 == answers.total()
