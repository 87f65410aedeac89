"""The recipes for Celery in docs/task_queues.md, as they stand there, with real workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("celery")

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from .celery_workers import READY, TTL, celery_recipes, start_worker
from .recipes import Recipes
from .witness import Witness
from .workers import Worker, Workers, until

IMPATIENT = '{"visibility_timeout": 1, "unacked_restore_interval": 0.3, "unacked_restore_throttle": 1}'


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return celery_recipes(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def tasks(page: Recipes) -> Any:
    return page.tasks


@pytest.fixture(scope="module")
def start(page: Recipes, workers: Workers) -> Callable[..., Worker]:
    """Return what starts a worker for one queue."""

    def start(queue: str, **environment: str) -> Worker:
        worker = start_worker(workers, page.path, "prefork", queue, **environment)
        worker.wait_for(READY)
        return worker

    return start


@pytest.fixture(scope="module", autouse=True)
def worker(start: Callable[..., Worker]) -> Worker:
    """The worker of all tests that do it no harm."""
    return start("celery")


@pytest.fixture
def order(witness: Witness, new_order: Callable[[], int]) -> int:
    """An order whose checks are not held up."""
    order = new_order()
    witness.open_gate(order)
    return order


@pytest.fixture
def slow_order(new_order: Callable[[], int]) -> int:
    """An order whose checks wait for its gate."""
    return new_order()


@pytest.mark.parametrize("task", ["refund_by_hand", "put_back"])
def test_a_retry_is_not_lost_to_the_lease_of_the_run_that_failed(
    tasks: Any, witness: Witness, new_order: Callable[[], int], task: str
) -> None:
    orders = [new_order() for _ in range(20)]
    for order in orders:
        witness.let_fail(order, 2)
        witness.open_gate(order)

    for result in [getattr(tasks, task).delay(order) for order in orders]:
        result.get()

    assert dict.fromkeys(orders, 3) == {order: len(witness.runs(order)) for order in orders}
    assert [] == witness.overlaps(*orders)


def test_a_message_that_is_put_back_when_its_process_is_killed_is_run_again(
    tasks: Any, witness: Witness, slow_order: int
) -> None:
    result = tasks.survives.delay(slow_order)
    until(lambda: witness.running(slow_order), "the order is being checked")

    os.kill(witness.running(slow_order)[0].pid, signal.SIGKILL)
    witness.open_gate(slow_order)
    result.get()

    assert 2 == len(witness.runs(slow_order))


def test_a_message_delivered_again_by_time_waits_for_the_run_under_way_and_outlives_its_worker(
    tasks: Any, start: Callable[..., Worker], witness: Witness, slow_order: int
) -> None:
    first = start("redelivery", BROKER=IMPATIENT)
    result = tasks.survives.apply_async((slow_order,), queue="redelivery")
    until(lambda: witness.running(slow_order), "the order is being checked")
    second = start("redelivery", BROKER=IMPATIENT)

    until(lambda: result.state == "RETRY", "the second delivery meets the run under way")
    first.kill()
    runs_so_far = len(witness.runs(slow_order))
    witness.open_gate(slow_order)
    result.get()
    second.kill()  # it would deliver the messages of other tests again

    assert 1 == runs_so_far
    assert 2 == len(witness.runs(slow_order))


def test_two_beats_make_one_run_per_period(page: Recipes, workers: Workers, witness: Witness, tmp_path: Path) -> None:
    witness.open_gate("report")
    command = ("celery", "--app", "celery_tasks", "beat", "--schedule")

    beats = [workers.run(*command, str(tmp_path / name), PYTHONPATH=page.path) for name in ("one", "two")]
    until(lambda: len(witness.runs("report")) >= 3, "the report is made three times")
    for beat in beats:
        beat.kill()

    gaps = [following.began - run.began for run, following in pairwise(witness.runs("report"))]
    assert min(gaps) > 0.5  # of the second that it is held; two beats ask every tenth


def test_nothing_is_held_while_a_message_waits_for_its_time(tasks: Any, witness: Witness, order: int) -> None:
    results = [tasks.charge_order.apply_async((order,), countdown=1) for _ in range(3)]

    held_before = tasks.charge_order.run.is_locked(order)
    for result in results:
        result.get()

    assert not held_before
    assert 3 == len(witness.runs(order))
    assert [] == witness.overlaps(order)


def test_a_soft_time_limit_frees_the_key_at_once(tasks: Any, witness: Witness, slow_order: int) -> None:
    result = tasks.limited.delay(slow_order)

    with pytest.raises(SoftTimeLimitExceeded):
        result.get()

    assert 1 == len(witness.runs(slow_order))
    assert not tasks.limited.run.is_locked(slow_order)


def test_a_hard_time_limit_frees_the_key_within_the_ttl(tasks: Any, witness: Witness, slow_order: int) -> None:
    result = tasks.survives.apply_async((slow_order,), time_limit=1)

    with pytest.raises(TimeLimitExceeded):
        result.get()

    assert 1 == len(witness.runs(slow_order))
    until(lambda: not tasks.survives.run.is_locked(slow_order), "the key is free", TTL + 5)


def test_a_warm_shutdown_waits_for_the_run_which_keeps_its_key(
    tasks: Any, start: Callable[..., Worker], witness: Witness, slow_order: int
) -> None:
    worker = start("warm")
    result = tasks.survives.apply_async((slow_order,), queue="warm")
    until(lambda: witness.running(slow_order), "the order is being checked")

    worker.signal(signal.SIGTERM)
    worker.wait_for("Warm shutdown")
    began = witness.running(slow_order)[0].began
    until(lambda: time.monotonic() > began + 1.5 * TTL, "the run is older than its ttl")
    held = tasks.survives.run.is_locked(slow_order)
    witness.open_gate(slow_order)

    assert 0 == worker.wait()
    assert held
    assert "SUCCESS" == result.state
    assert not tasks.survives.run.is_locked(slow_order)


def test_a_cold_shutdown_frees_the_key_within_the_ttl(
    tasks: Any, start: Callable[..., Worker], witness: Witness, slow_order: int
) -> None:
    worker = start("cold")
    tasks.survives.apply_async((slow_order,), queue="cold")
    until(lambda: witness.running(slow_order), "the order is being checked")

    worker.signal(signal.SIGQUIT)
    worker.wait()

    until(lambda: not tasks.survives.run.is_locked(slow_order), "the key is free", TTL + 5)


@pytest.mark.parametrize("end", ["succeeds", "fails", "is killed"])
def test_a_change_that_arrives_during_a_run_is_seen_however_that_run_ends(
    tasks: Any, witness: Witness, slow_order: int, end: str
) -> None:
    if end == "fails":
        witness.let_fail(slow_order, 1)
    first = tasks.order_changed(slow_order)
    until(lambda: witness.running(slow_order), "the order is being synchronised")
    under_way = witness.running(slow_order)[0]

    second = tasks.order_changed(slow_order)
    until(lambda: second.state == "RETRY", "the call that tells of the change finds the key held")
    if end == "is killed":
        os.kill(under_way.pid, signal.SIGKILL)
    changed_until = time.monotonic()
    witness.open_gate(slow_order)

    assert ["in step", "in step"] == [first.get(), second.get()]
    runs = witness.runs(slow_order)
    assert runs[-1].began > changed_until
    assert b"2" == tasks.db.get(f"synced-{slow_order}")
    assert "in step" == tasks.sync_order.delay(slow_order).get()
    assert runs == witness.runs(slow_order)


def test_what_is_asked_for_again_while_it_waits_is_enqueued_once(tasks: Any, witness: Witness, slow_order: int) -> None:
    tasks.ask_for_check(slow_order)
    until(lambda: witness.running(slow_order), "the order is being checked")

    asked = [tasks.ask_for_check(slow_order) for _ in range(5)]
    witness.open_gate(slow_order)
    until(lambda: len(witness.runs(slow_order)) == 2 and not witness.running(slow_order), "the second check is over")

    assert 1 == len([message for message in asked if message])
    assert [] == witness.overlaps(slow_order)
