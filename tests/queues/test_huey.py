"""huey, with real workers: threads and processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .examples import answers_of_example
from .more_recipes import Recipes, recipes
from .rules import QueueRules
from .witness import PATIENCE
from .workers import Workers

pytest.importorskip("huey")


class Huey:
    """A consumer with threads, one with processes, and the task functions as a client."""

    def __init__(self, workers: Workers, page: Recipes) -> None:
        self.page = page
        self.workers = workers
        for kind in ("thread", "process"):
            self.start_worker(kind)

    def start_worker(self, kind: str = "thread") -> None:
        command = ("huey.bin.huey_consumer", "huey_tasks.huey", "--workers", "5", "--worker-type", kind)
        often = ("--scheduler-interval", "1", "--max-delay", "0.1")
        self.workers.start(*command, *often, ready="The following commands", PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task)(order)

    def answer(self, ticket: Any) -> str:
        from huey.exceptions import TaskException

        try:
            return str(ticket.get(blocking=True, timeout=PATIENCE, max_delay=0.1))
        except TaskException as error:
            return str(error.metadata["error"])


@pytest.fixture(scope="module")
def queue(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Huey]:
    page = recipes("huey", tmp_path_factory.mktemp("page"), retry_delay="0.2", hold_at_least="3600")
    yield Huey(workers, page)
    page.tasks.huey.storage.pool.disconnect()


class TestHuey(QueueRules):
    pass


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("huey_orders", workers, tmp_path)

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
