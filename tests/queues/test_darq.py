"""darq, with real workers: coroutine functions, which are asked for by `delay`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("darq")

from once_core import AlreadyLocked, lock

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, QueueRules
from .witness import PATIENCE, Witness
from .workers import Worker, Workers


class Darq:
    """Two workers, and the app as a client."""

    def __init__(self, page: Recipes, workers: Workers, runner: asyncio.Runner) -> None:
        self.page = page
        self.workers = workers
        self.run = runner.run
        self.run(page.tasks.app.connect())

    def start_worker(self) -> Worker:
        return self.workers.run("darq", "--app", "darq_tasks.app", "worker", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.page.tasks, task).delay(order))

    def answer(self, ticket: Any) -> str:
        try:
            return str(self.run(ticket.result(timeout=PATIENCE, pole_delay=0.05)))
        except AlreadyLocked as error:
            return repr(error)


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("darq", tmp_path_factory.mktemp("page"), ttl=TTL, defer=0.2)


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers) -> Iterator[Darq]:
    with asyncio.Runner() as runner:
        queue = Darq(page, workers, runner)
        for worker in [queue.start_worker() for _ in range(2)]:
            worker.wait_for("Starting worker")
        yield queue
        runner.run(page.tasks.app.disconnect())


def test_already_locked_comes_back_as_itself(queue: Darq, new_order: Callable[[], int]) -> None:
    order = new_order()
    with lock(f"check_order-{order}") as lease, pytest.raises(AlreadyLocked) as caught:
        queue.run(queue.ask("cancel_order", order).result(timeout=PATIENCE))

    assert f"check_order-{order}" == caught.value.key
    assert caught.value.holder is not None
    assert lease.token == caught.value.holder.token


def test_a_task_is_the_guarded_function_itself(queue: Darq, witness: Witness, new_order: Callable[[], int]) -> None:
    task, order = queue.page.tasks.check_order, new_order()
    witness.open_gate(order)

    assert asyncio.iscoroutinefunction(task)
    assert f"check_order-{order}" == task.key_for(order)
    assert "checked" == queue.run(task(order))
    with lock(f"check_order-{order}"):
        assert "skipped" == queue.run(task(order))
        assert queue.run(task.is_locked(order))


class TestDarq(QueueRules):
    """Coroutine functions, with a context and without."""


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("darq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}
    assert 18 == answers.total()
