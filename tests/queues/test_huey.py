"""huey, with real workers: threads and processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .rules import QueueRules
from .witness import PATIENCE
from .workers import Workers

pytest.importorskip("huey")


class Huey:
    """A consumer with threads, one with processes, and the task functions as a client."""

    def __init__(self, workers: Workers) -> None:
        from .programs import huey_tasks

        self.tasks = huey_tasks
        self.workers = workers
        for kind in ("thread", "process"):
            self.start_worker(kind)

    def start_worker(self, kind: str = "thread") -> None:
        command = ("huey.bin.huey_consumer", "queues.programs.huey_tasks.huey", "--workers", "5", "--worker-type", kind)
        self.workers.start(*command, "--scheduler-interval", "1", "--max-delay", "0.1", ready="The following commands")

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.tasks, task)(order)

    def answer(self, ticket: Any) -> str:
        from huey.exceptions import TaskException

        try:
            return str(ticket.get(blocking=True, timeout=PATIENCE, max_delay=0.1))
        except TaskException as error:
            return str(error.metadata["error"])


@pytest.fixture(scope="module")
def queue(workers: Workers) -> Iterator[Huey]:
    huey = Huey(workers)
    yield huey
    huey.tasks.huey.storage.pool.disconnect()


class TestHuey(QueueRules):
    pass
