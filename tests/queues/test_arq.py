"""arq, with real workers: coroutines, which get a context first."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from once_core import AlreadyLocked

from .examples import answers_of_example
from .more_recipes import Recipes, recipes
from .rules import QueueRules
from .witness import PATIENCE, Witness
from .workers import Workers, until

pytest.importorskip("arq")


class Arq:
    """Two workers of arq, and a client."""

    def __init__(self, workers: Workers, runner: asyncio.Runner, page: Recipes) -> None:
        from arq import create_pool

        self.page = page
        self.run = runner.run
        self.workers = workers
        self.client = self.run(create_pool(page.tasks.WorkerSettings.redis_settings))
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        self.workers.start("arq", "arq_tasks.WorkerSettings", ready="Starting worker", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return self.run(self.client.enqueue_job(task, order))

    def answer(self, ticket: Any) -> str:
        try:
            return str(self.run(ticket.result(timeout=PATIENCE, poll_delay=0.05)))
        except AlreadyLocked as error:
            return repr(error)


@pytest.fixture(scope="module")
def queue(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arq]:
    page = recipes("arq", tmp_path_factory.mktemp("page"), defer="0.2")
    with asyncio.Runner() as runner:
        arq = Arq(workers, runner, page)
        yield arq
        runner.run(arq.client.aclose())


class TestArq(QueueRules):
    pass


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("arq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
