"""rq, with real workers, each of which forks a process per task."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .examples import answers_of_example
from .more_recipes import Recipes, recipes
from .rules import QueueRules
from .workers import Workers, until

pytest.importorskip("rq")


class Rq:
    """Six workers of rq, as each runs one task at a time."""

    def __init__(self, workers: Workers, page: Recipes) -> None:
        self.page = page
        self.workers = workers
        for _ in range(6):
            self.start_worker()

    def start_worker(self) -> None:
        command = ("rq.cli", "worker", "--url", os.environ["ONCE_URL"], "--with-scheduler")
        self.workers.start(*command, ready="Listening on", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task).delay(order)

    def answer(self, ticket: Any) -> str:
        until(lambda: ticket.get_status() in ("finished", "failed"), f"{ticket} is over")
        result = ticket.latest_result()
        return str(result.return_value) if result.exc_string is None else str(result.exc_string)


@pytest.fixture(scope="module")
def queue(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rq]:
    page = recipes("rq", tmp_path_factory.mktemp("page"), interval="1")
    yield Rq(workers, page)
    page.tasks.redis.close()


class TestRq(QueueRules):
    pass


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("rq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
