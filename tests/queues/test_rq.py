"""rq, with real workers, each of which forks a process per task."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from .rules import QueueRules
from .workers import Workers, until

pytest.importorskip("rq")


class Rq:
    """Five workers of rq, as each runs one task at a time, and a queue as a client."""

    def __init__(self, workers: Workers) -> None:
        import redis
        from rq import Queue, Retry

        from .programs import rq_tasks

        self.tasks = rq_tasks
        self.workers = workers
        self.connection = redis.Redis.from_url(os.environ["ONCE_URL"])
        self.queue = Queue(connection=self.connection)
        self.retries = {"charge_order": Retry(max=100_000), "refund_order": Retry(max=1)}
        for _ in range(5):
            self.start_worker()

    def start_worker(self) -> None:
        self.workers.start("rq.cli", "worker", "--url", os.environ["ONCE_URL"], ready="Listening on")

    def ask(self, task: str, order: int) -> Any:
        return self.queue.enqueue(getattr(self.tasks, task), order, retry=self.retries.get(task))

    def answer(self, ticket: Any) -> str:
        until(lambda: ticket.get_status() in ("finished", "failed"), f"{ticket} is over")
        result = ticket.latest_result()
        return str(result.return_value) if result.exc_string is None else str(result.exc_string)


@pytest.fixture(scope="module")
def queue(workers: Workers) -> Iterator[Rq]:
    rq = Rq(workers)
    yield rq
    rq.connection.close()


class TestRq(QueueRules):
    @pytest.fixture(scope="class", params=["check_order", "check_order_in_loop"])
    @classmethod
    def check(cls, request: pytest.FixtureRequest) -> str:
        return str(request.param)
