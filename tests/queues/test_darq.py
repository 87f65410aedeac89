"""darq, with real workers: coroutines, which are asked for by `delay`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from once_core import AlreadyLocked

from .rules import QueueRules
from .witness import PATIENCE
from .workers import Workers

pytest.importorskip("darq")


class Darq:
    """Two workers of darq, and its app as a client."""

    def __init__(self, workers: Workers, runner: asyncio.Runner) -> None:
        from .programs import darq_tasks

        self.tasks = darq_tasks
        self.workers = workers
        self.run = runner.run
        self.run(darq_tasks.app.connect())
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        self.workers.start("darq.cli", "-A", "queues.programs.darq_tasks.app", "worker", ready="Starting worker")

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.tasks, task).delay(order))

    def answer(self, ticket: Any) -> str:
        try:
            return str(self.run(ticket.result(timeout=PATIENCE, pole_delay=0.05)))
        except AlreadyLocked as error:
            return repr(error)


@pytest.fixture(scope="module")
def queue(workers: Workers) -> Iterator[Darq]:
    with asyncio.Runner() as runner:
        darq = Darq(workers, runner)
        yield darq
        runner.run(darq.tasks.app.disconnect())


class TestDarq(QueueRules):
    pass
