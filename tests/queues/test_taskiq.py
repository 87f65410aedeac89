"""taskiq, with real workers: coroutines and plain functions, and injected arguments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from once_core import AlreadyLocked

from .examples import answers_of_example
from .more_recipes import Recipes, recipes
from .rules import QueueRules
from .witness import PATIENCE
from .workers import Workers

pytest.importorskip("taskiq")


class Taskiq:
    """Two workers and a scheduler of taskiq, and the broker as a client."""

    def __init__(self, workers: Workers, runner: asyncio.Runner, page: Recipes) -> None:
        self.page = page
        self.workers = workers
        self.run = runner.run
        self.run(page.tasks.broker.startup())
        scheduler = ("taskiq", "scheduler", "taskiq_tasks:scheduler", "--update-interval", "1", "--loop-interval", "1")
        workers.start(*scheduler, ready="Starting scheduler", PYTHONPATH=page.path)
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        command = ("taskiq", "worker", "taskiq_tasks:broker", "queues.programs.taskiq_injecting", "--workers", "1")
        self.workers.start(*command, ready="Listening started", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.page.tasks, task).kiq(order))

    def answer(self, ticket: Any) -> str:
        result = self.run(ticket.wait_result(check_interval=0.05, timeout=PATIENCE))
        return str(result.return_value) if result.error is None else repr(result.error)


@pytest.fixture(scope="module")
def queue(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taskiq]:
    page = recipes("taskiq", tmp_path_factory.mktemp("page"), default_delay="0.2")
    with asyncio.Runner() as runner:
        taskiq = Taskiq(workers, runner, page)
        yield taskiq
        runner.run(page.tasks.broker.shutdown())


class TestTaskiq(QueueRules):
    pass


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("taskiq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
