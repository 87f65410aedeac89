"""procrastinate, with real workers and a real PostgreSQL: coroutine functions, and functions in threads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

pytest.importorskip("procrastinate")

from sql_servers import PostgresServer

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, QueueRules
from .witness import Witness
from .workers import Worker, Workers, until


@pytest.fixture(scope="module")
def environment(witness: Witness) -> Iterator[None]:
    """Let this process and the workers know PostgreSQL, which is the queue and keeps the leases."""
    with PostgresServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCE_URL", server.url)
        patch.setenv("WITNESS", str(witness.folder))
        yield


class Procrastinate:
    """Two workers, and the app as a client."""

    def __init__(self, page: Recipes, workers: Workers) -> None:
        self.page = page
        self.workers = workers

    def start_worker(self) -> Worker:
        options = ("--concurrency", "5", "--fetch-job-polling-interval", "0.2")
        command = ("procrastinate", "--app", "procrastinate_tasks.app", "worker", *options)
        return self.workers.run(*command, PYTHONPATH=self.page.path)

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task).defer(order_id=order)

    def answer(self, ticket: Any) -> str:
        """Return what a worker has logged of the job's end, as procrastinate keeps no results."""
        ended = re.compile(rf"\[{ticket}\].* ended with status: (?:Success.* Result: (.+)|(Error, lasted[^[]*))")

        def ends() -> list[str]:
            return [end[1] or end[2] for worker in self.workers.started for end in ended.finditer(worker.output())]

        until(ends, f"job {ticket} is over")
        return ends()[0]


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("procrastinate", tmp_path_factory.mktemp("page"), ttl=TTL, wait=1)


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers) -> Iterator[Procrastinate]:
    queue = Procrastinate(page, workers)
    with page.tasks.app.open():
        page.tasks.app.schema_manager.apply_schema()
        for worker in [queue.start_worker() for _ in range(2)]:
            worker.wait_for("Starting worker")
        yield queue


class TestProcrastinate(QueueRules):
    """Coroutine functions, and functions in threads."""


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    url = os.environ["ONCE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE example")

    answers = answers_of_example("procrastinate_orders", workers, tmp_path, url.replace("/postgres", "/example"))

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}
    assert 18 == answers.total()
