"""taskiq, with real workers: coroutines and plain functions, and injected arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from once_core import AlreadyLocked

from .rules import QueueRules
from .witness import PATIENCE
from .workers import Workers

pytest.importorskip("taskiq")


class Taskiq:
    """Two processes of taskiq under one master, and the broker as a client."""

    def __init__(self, workers: Workers, runner: asyncio.Runner) -> None:
        from .programs import taskiq_tasks

        self.tasks = taskiq_tasks
        self.workers = workers
        self.run = runner.run
        self.run(taskiq_tasks.broker.startup())
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        command = ("taskiq", "worker", "queues.programs.taskiq_tasks:broker", "--workers", "1")
        self.workers.start(*command, ready="Listening started")

    def ask(self, task: str, order: int) -> Any:
        return self.run(getattr(self.tasks, task).kiq(order))

    def answer(self, ticket: Any) -> str:
        try:
            return str(self.run(ticket.wait_result(check_interval=0.05, timeout=PATIENCE)).raise_for_error().return_value)
        except AlreadyLocked as error:
            return repr(error)


@pytest.fixture(scope="module")
def queue(workers: Workers) -> Iterator[Taskiq]:
    with asyncio.Runner() as runner:
        taskiq = Taskiq(workers, runner)
        yield taskiq
        runner.run(taskiq.tasks.broker.shutdown())


class TestTaskiq(QueueRules):
    @pytest.fixture(scope="class", params=["check_order", "check_order_in_thread"])
    @classmethod
    def check(cls, request: pytest.FixtureRequest) -> str:
        return str(request.param)
