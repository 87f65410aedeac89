"""darq, with real workers: coroutines, which are asked for by `delay`."""

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

pytest.importorskip("darq")


class Darq:
    """Two workers of darq, and its app as a client."""

    def __init__(self, workers: Workers, runner: asyncio.Runner, page: Recipes) -> None:
        self.page = page
        self.workers = workers
        self.run = runner.run
        self.run(page.tasks.app.connect())
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        command = ("darq.cli", "--app", "darq_tasks.app", "worker")
        self.workers.start(*command, ready="Starting worker", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.page.tasks, task).delay(order))

    def answer(self, ticket: Any) -> str:
        try:
            return str(self.run(ticket.result(timeout=PATIENCE, pole_delay=0.05)))
        except AlreadyLocked as error:
            return repr(error)


@pytest.fixture(scope="module")
def queue(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darq]:
    page = recipes("darq", tmp_path_factory.mktemp("page"), defer="0.2")
    with asyncio.Runner() as runner:
        darq = Darq(workers, runner, page)
        yield darq
        runner.run(page.tasks.app.disconnect())


class TestDarq(QueueRules):
    pass


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("darq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
