"""taskiq, with real workers: coroutine functions, plain functions in threads and processes, injected arguments."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("taskiq")

from once_core import AlreadyLocked, lock

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, QueueRules
from .witness import PATIENCE, Witness
from .workers import Worker, Workers, until

READY = "Listening started"
MORE = """
from taskiq.serializers import JSONSerializer

broker.result_backend.serializer = JSONSerializer()  # harder than pickle: exceptions are made anew, from text
broker.queue_name = os.environ.get("QUEUE", broker.queue_name)
"""


class Taskiq:
    """Two processes of workers, a scheduler, and the broker as a client."""

    def __init__(self, page: Recipes, workers: Workers, runner: asyncio.Runner) -> None:
        self.page = page
        self.workers = workers
        self.run = runner.run
        self.run(page.tasks.broker.startup())

    def start_worker(self, *options: str, **environment: str) -> Worker:
        command = ("taskiq", "worker", "taskiq_tasks:broker", "queues.programs.taskiq_injecting", *options)
        return self.workers.run(*command, folder=None, PYTHONPATH=self.page.path, **environment)

    def start_scheduler(self) -> Worker:
        often = ("--update-interval", "1", "--loop-interval", "1")
        return self.workers.run("taskiq", "scheduler", "taskiq_tasks:scheduler", *often, PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.page.tasks, task).kiq(order))

    def result(self, ticket: Any) -> Any:
        return self.run(ticket.wait_result(check_interval=0.05, timeout=PATIENCE))

    def answer(self, ticket: Any) -> str:
        result = self.result(ticket)
        return str(result.return_value) if result.error is None else repr(result.error)


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("taskiq", tmp_path_factory.mktemp("page"), MORE, ttl=TTL, default_delay=0.2)


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers) -> Iterator[Taskiq]:
    with asyncio.Runner() as runner:
        queue = Taskiq(page, workers, runner)
        scheduler, worker = queue.start_scheduler(), queue.start_worker()
        scheduler.wait_for("Starting scheduler")
        worker.wait_for(READY)
        yield queue
        runner.run(page.tasks.broker.shutdown())


def test_already_locked_comes_back_as_itself(queue: Taskiq, new_order: Callable[[], int]) -> None:
    order = new_order()
    with lock(f"check_order-{order}") as lease:
        error = queue.result(queue.ask("cancel_order", order)).error

    assert isinstance(error, AlreadyLocked)
    assert f"check_order-{order}" == error.key
    assert error.holder is not None
    assert lease.token == error.holder.token


@pytest.mark.parametrize("name", ["injected", "injected_in_thread"])
def test_arguments_are_parsed_and_dependencies_injected_though_annotations_are_texts(queue: Taskiq, name: str) -> None:
    task = getattr(importlib.import_module("queues.programs.taskiq_injecting"), name)
    order = uuid4()

    ticket = queue.run(task.kiq(order))

    assert ["UUID", str(order), ticket.task_id] == queue.result(ticket).return_value


def test_a_task_that_puts_itself_back_is_not_lost_to_its_own_lease(
    queue: Taskiq, witness: Witness, new_order: Callable[[], int]
) -> None:
    orders = [new_order() for _ in range(10)]
    for order in orders:
        witness.let_fail(order, 2)
        witness.open_gate(order)

    tickets = [queue.ask("put_back", order) for order in orders]

    assert ["checked"] * 10 == [queue.answer(ticket) for ticket in tickets]
    assert [3] * 10 == [len(witness.runs(order)) for order in orders]


def test_a_task_has_the_attributes_of_the_guarded_function(queue: Taskiq, new_order: Callable[[], int]) -> None:
    task, order = queue.page.tasks.check_order, new_order()

    assert f"check_order-{order}" == task.key_for(order)
    with lock(f"check_order-{order}") as lease:
        assert queue.run(task.is_locked(order))
        assert lease.token == queue.run(task.holder(order)).token


def test_plain_functions_are_guarded_in_a_pool_of_processes(
    queue: Taskiq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    task = queue.page.tasks.cancel_order.kicker().with_labels(queue_name="processes")
    worker = queue.start_worker("--workers", "1", "--use-process-pool", QUEUE="processes")

    first = queue.run(task.kiq(order))
    until(lambda: witness.running(order), "the order is being checked")
    second = queue.run(task.kiq(order))

    assert "AlreadyLocked" in queue.answer(second)
    witness.open_gate(order)
    assert "checked" == queue.answer(first)
    worker.kill()


class TestTaskiq(QueueRules):
    """Coroutine functions, and a plain function in threads."""


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("taskiq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}
    assert 18 == answers.total()
