"""dramatiq, with real workers: actors that are functions, and actors that are coroutine functions."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dramatiq")

from dramatiq.results import ResultFailure, ResultTimeout

from once_core import lock

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import QueueRules
from .witness import PATIENCE, Witness
from .workers import Worker, Workers, until

READY = "Worker process is ready for action."
TTL = 2
BROKER = """
broker.heartbeat_timeout = int(os.environ.get("HEARTBEAT_TIMEOUT", 60_000))
broker.maintenance_chance = 1_000_000  # of a million: with each question
broker.declare_queue("other")
"""


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    faster = {"ttl": TTL, "min_backoff": 300, "max_backoff": 300, "time_limit": 500}
    return recipes("dramatiq", tmp_path_factory.mktemp("recipes"), BROKER, **faster)


class Dramatiq:
    """Workers with four threads in each process, and the way to ask them."""

    def __init__(self, page: Recipes, workers: Workers) -> None:
        self.page = page
        self.workers = workers

    def ask(self, task: str, order: int, queue: str = "default") -> Any:
        message = getattr(self.page.tasks, task).message(order).copy(queue_name=queue)
        return self.page.tasks.broker.enqueue(message)

    def answer(self, ticket: Any) -> str:
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return str(ticket.get_result(block=True, timeout=1000))  # a client of Redis gives up after 5 s
            except ResultFailure as failure:
                return str(failure)
            except ResultTimeout:
                assert time.monotonic() < give_up, f"{ticket} has no result"

    def start_worker(self, queue: str = "default", **environment: str) -> Worker:
        processes = 2 if queue == "default" else 1
        command = ("dramatiq", "dramatiq_tasks", "--processes", str(processes), "--threads", "4", "--queues", queue)
        worker = self.workers.start(*command, ready=READY, folder=None, PYTHONPATH=self.page.path, **environment)
        until(lambda: worker.output().count(READY) == processes, "all processes are ready")
        return worker


@pytest.fixture(scope="module")
def queue(page: Recipes, workers: Workers) -> Dramatiq:
    queue = Dramatiq(page, workers)
    queue.start_worker()
    return queue


class TestFunctions(QueueRules):
    """Actors that are functions."""


class TestCoroutineFunctions(QueueRules):
    """Actors that are coroutine functions, on the middleware AsyncIO's event loop."""

    @pytest.fixture(scope="class")
    @classmethod
    def check(cls) -> str:
        return "check_order_async"


@pytest.mark.parametrize("actor", ["limited", "limited_async"])
def test_a_time_limit_frees_the_key_at_once(
    queue: Dramatiq, witness: Witness, new_order: Callable[[], int], actor: str
) -> None:
    order = new_order()

    answer = queue.answer(queue.ask(actor, order))

    assert "TimeLimitExceeded" in answer
    assert 1 == len(witness.runs(order))
    assert not lock(f"{actor}-{order}").is_locked()


def test_the_message_of_a_killed_worker_is_delivered_again_and_waits_for_its_lease_to_end(
    queue: Dramatiq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    doomed = queue.start_worker("other")
    ticket = queue.ask("charge_order", order, "other")
    until(lambda: witness.running(order), "the order is being charged")

    doomed.kill()
    survivor = queue.start_worker("other", HEARTBEAT_TIMEOUT="500")
    witness.open_gate(order)

    assert "checked" == queue.answer(ticket)
    assert 2 == len(witness.runs(order))
    survivor.kill()


def test_a_shutdown_waits_for_the_run_which_keeps_its_key(
    queue: Dramatiq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    worker = queue.start_worker("other")
    ticket = queue.ask("check_order", order, "other")
    until(lambda: witness.running(order), "the order is being checked")
    began = witness.running(order)[0].began

    worker.signal(signal.SIGTERM)
    until(lambda: time.monotonic() > began + 1.5 * TTL, "the run is older than its ttl")
    held = lock(f"check_order-{order}").is_locked()
    witness.open_gate(order)

    assert 0 == worker.wait()
    assert held
    assert "checked" == queue.answer(ticket)
    assert not lock(f"check_order-{order}").is_locked()


def test_a_run_that_is_notified_of_a_shutdown_frees_its_key_at_once(
    queue: Dramatiq, witness: Witness, new_order: Callable[[], int]
) -> None:
    order = new_order()
    worker = queue.start_worker("other")
    queue.ask("notified", order, "other")
    until(lambda: witness.running(order), "the order is being checked")

    worker.signal(signal.SIGTERM)

    assert 0 == worker.wait()
    assert not lock(f"notified-{order}").is_locked()
    assert "Shutdown" in worker.output()


def test_an_actor_answers_who_holds_its_key(page: Recipes, new_order: Callable[[], int]) -> None:
    order, tasks = new_order(), page.tasks

    with lock(tasks.check_order.fn.key_for(order)) as lease:
        assert tasks.check_order.fn.is_locked(order)
        assert lease.token == tasks.check_order.fn.holder(order).token
        assert asyncio.run(tasks.check_order_async.fn.is_locked(order))


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("dramatiq_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
