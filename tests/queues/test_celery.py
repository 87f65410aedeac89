"""Celery, with real workers of each kind of pool: what once promises, and what Celery asks of a task."""

from __future__ import annotations

import importlib
import os
import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

pytest.importorskip("celery")

from once_core import AlreadyLocked, lock

from .celery_workers import PROGRAM, READY, TTL, celery_recipes, start_worker
from .examples import answers_of_example
from .recipes import Recipes
from .rules import QueueRules
from .witness import PATIENCE, Witness
from .workers import TESTS, Worker, Workers, until


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return celery_recipes(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def tasks(page: Recipes) -> Any:
    return importlib.import_module(PROGRAM)


class Celery:
    """Workers with one kind of pool, of four, and the way to ask them: a queue of that name."""

    def __init__(self, page: Recipes, workers: Workers, pool: str) -> None:
        self.page = page
        self.workers = workers
        self.pool = pool

    def ask(self, task: str, order: int) -> Any:
        return getattr(self.page.tasks, task).apply_async((order,), queue=self.pool)

    def answer(self, ticket: Any) -> str:
        try:
            return str(ticket.get(timeout=PATIENCE))
        except AlreadyLocked as error:
            return repr(error)

    def start_worker(self) -> Worker:
        worker = start_worker(self.workers, self.page.path, self.pool, self.pool)
        worker.wait_for(READY)
        return worker


@pytest.fixture(scope="class", params=["prefork", "threads", "gevent"])
def queue(request: pytest.FixtureRequest, page: Recipes, workers: Workers) -> Iterator[Celery]:
    queue = Celery(page, workers, request.param)
    for worker in [start_worker(workers, page.path, queue.pool, queue.pool) for _ in range(2)]:
        worker.wait_for(READY)
    yield queue
    workers.close()


class TestCelery(QueueRules):
    """Each rule with each kind of pool."""

    def test_a_spawner_in_a_hurry_sees_no_overlap_and_each_order_checked(
        self, queue: Celery, tasks: Any, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        orders = [new_order() for _ in range(6)]

        asked = [
            (order, tasks.check_quickly.apply_async((order,), queue=queue.pool)) for _ in range(10) for order in orders
        ]
        answers = Counter((order, result.get()) for order, result in asked)

        assert [] == witness.overlaps(*orders)
        for order in orders:
            assert 1 <= answers[order, "checked"] == len(witness.runs(order))
            assert 10 == answers[order, "checked"] + answers[order, "skipped"]

    def test_a_run_keeps_its_order_beyond_the_ttl(
        self, queue: Celery, tasks: Any, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        """The store was asked before the worker forked: the child renews for itself."""
        order = new_order()
        ticket = queue.ask("check_order", order)
        until(lambda: witness.running(order), "the order is being checked")
        (run,) = witness.running(order)

        until(lambda: time.monotonic() > run.began + 1.5 * TTL, "the run is older than its ttl")

        assert "skipped" == queue.answer(queue.ask("check_order", order))
        witness.open_gate(order)
        assert "checked" == queue.answer(ticket)

    def test_already_locked_comes_back_as_itself(self, queue: Celery, tasks: Any, new_order: Callable[[], int]) -> None:
        order = new_order()

        with lock(f"check_order-{order}") as lease, pytest.raises(AlreadyLocked) as caught:
            queue.ask("cancel_order", order).get()

        assert f"check_order-{order}" == caught.value.key
        assert caught.value.holder is not None
        assert lease.token == caught.value.holder.token

    def test_a_bound_task_is_handed_itself(self, queue: Celery, tasks: Any, new_order: Callable[[], int]) -> None:
        order = new_order()

        result = tasks.check_bound.apply_async((order,), queue=queue.pool)

        assert [f"{PROGRAM}.check_bound", f"check_bound-{order}", result.id] == result.get()

    def test_a_run_that_is_to_be_ignored_frees_its_key(
        self, queue: Celery, tasks: Any, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        order, check = new_order(), tasks.check_ignored
        witness.open_gate(order)

        check.apply_async((order,), queue=queue.pool)
        until(lambda: witness.runs(order), "the order is checked")
        until(lambda: not check.run.is_locked(order), "the key is free", 10)  # of a ttl of 30 s
        check.apply_async((order,), queue=queue.pool)
        until(lambda: len(witness.runs(order)) == 2, "the order is checked again")

    def test_a_retry_published_inside_the_body_is_skipped_by_the_lease_of_its_own_task(
        self, queue: Celery, tasks: Any, witness: Witness, new_order: Callable[[], int]
    ) -> None:
        """Why the page warns of it: had the body ended a moment earlier, the retry would have run."""
        order = new_order()

        result = tasks.retry_inside.apply_async((order,), queue=queue.pool)
        answer = result.get()
        still_running = len(witness.running(order))
        witness.open_gate(order)

        assert "skipped" == answer
        assert 1 == still_running == len(witness.runs(order))


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_already_locked_survives_each_serializer_of_results(tasks: Any, serializer: str) -> None:
    backend = tasks.app.backend
    before, backend.serializer = backend.serializer, serializer
    try:
        stored = backend.prepare_exception(AlreadyLocked("check-7", "host:1:2:3"))
        rebuilt = backend.exception_to_python(stored)
    finally:
        backend.serializer = before

    assert isinstance(rebuilt, AlreadyLocked)
    assert ("check-7", "host:1:2:3") == rebuilt.args


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"order": 1}), ((1,), {"order_id": 1})])
def test_wrong_arguments_are_refused_where_they_are_enqueued(
    page: Recipes, tasks: Any, args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(TypeError, match="argument"):
        page.tasks.check_order.delay(*args, **kwargs)
    with pytest.raises(TypeError, match="argument"):
        tasks.check_bound.delay(*args, **kwargs)


def test_a_task_answers_who_holds_its_key_and_is_pickled_by_name(page: Recipes, new_order: Callable[[], int]) -> None:
    order, check_order = new_order(), page.tasks.check_order

    with lock(check_order.run.key_for(order)) as lease:
        assert check_order.run.is_locked(order)
        assert lease.token == check_order.run.holder(order).token

    assert check_order.name == pickle.loads(pickle.dumps(check_order)).name


def test_the_example_of_the_readme_runs_and_skips_word_for_word(
    page: Recipes, workers: Workers, witness: Witness, tmp_path: Path
) -> None:
    example = (TESTS.parent / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    (tmp_path / "readme.py").write_text(example)
    app = "queues.programs.readme_app"
    information = tmp_path / "observer-1.dist-info"  # lets the worker find the observer
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: observer\nVersion: 1\n")
    (information / "entry_points.txt").write_text(f"[once_core.observers]\nobserver = {app}\n")
    start_worker(workers, f"{tmp_path}:{TESTS}", "prefork", "readme", app).wait_for(READY)
    order, other = uuid4(), uuid4()

    def check(order: UUID) -> None:
        assert page.tasks.app.send_task("readme.check_order", (order,), queue="readme").get() is None

    with lock(f"check_order-{order}"):
        check(order)
    check(order)
    check(other)

    assert [["skip", f"check_order-{order}"]] == witness.notes("skip")
    assert [["run", f"check_order-{order}"], ["run", f"check_order-{other}"]] == witness.notes("run")


def test_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("celery_orders", workers, tmp_path, os.environ["ONCE_URL"] + "/1")

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "skipped"}
    assert 18 == answers.total()
