"""Celery, with real workers of each kind of pool: what once promises, and what Celery asks of a task."""

from __future__ import annotations

import importlib
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("celery")

from once_core import AlreadyLocked, lock
from redis_server import RedisServer

from .celery_workers import READY, start_worker
from .witness import Witness
from .workers import EXAMPLES, TESTS, Workers, start_line, until

PROGRAM = "queues.programs.celery_program"


@pytest.fixture(scope="module")
def tasks(environment: None) -> Any:
    return importlib.import_module(PROGRAM)


@pytest.fixture(scope="module", params=["prefork", "threads", "gevent"])
def pool(request: pytest.FixtureRequest, workers: Workers) -> Iterator[str]:
    """Two workers with that pool; they take what is sent to the queue of that name."""
    name: str = request.param
    both = [start_worker(workers, PROGRAM, name, name) for _ in range(2)]
    for worker in both:
        worker.wait_for(READY)
    yield name
    for worker in both:
        worker.kill()


def test_one_run_per_order_goes_on_and_the_other_requests_are_skipped_meanwhile(
    pool: str, tasks: Any, witness: Witness, new_order: Callable[[], int]
) -> None:
    orders = [new_order() for _ in range(3)]

    asked = [(order, tasks.check_order.apply_async((order,), queue=pool)) for _ in range(3) for order in orders]
    until(lambda: len(witness.running(*orders)) == 3, "all orders are being checked at once")
    until(lambda: sum(result.ready() for _, result in asked) == 6, "all other requests are skipped")
    for order in orders:
        witness.open_gate(order)

    answers = Counter((order, result.get()) for order, result in asked)
    assert {(order, "checked"): 1 for order in orders} | {(order, "skipped"): 2 for order in orders} == answers
    assert 3 == len(witness.runs(*orders))


def test_no_two_runs_of_an_order_overlap_and_each_order_is_checked(
    pool: str, tasks: Any, witness: Witness, new_order: Callable[[], int]
) -> None:
    orders = [new_order() for _ in range(6)]

    asked = [(order, tasks.check_quickly.apply_async((order,), queue=pool)) for _ in range(10) for order in orders]
    answers = Counter((order, result.get()) for order, result in asked)

    assert [] == witness.overlaps(*orders)
    for order in orders:
        assert 1 <= answers[order, "checked"] == len(witness.runs(order))
        assert 10 == answers[order, "checked"] + answers[order, "skipped"]


def test_a_run_keeps_its_order_beyond_the_ttl_and_frees_it_within_the_ttl_of_a_sigkill(
    pool: str, tasks: Any, workers: Workers, witness: Witness, new_order: Callable[[], int]
) -> None:
    order, check = new_order(), tasks.check_or_raise
    doomed = start_worker(workers, PROGRAM, pool, f"doomed-{pool}")
    check.apply_async((order,), queue=f"doomed-{pool}")
    until(lambda: witness.running(order), "the order is being checked")
    began = witness.running(order)[0].began
    until(lambda: time.monotonic() > began + 1.5 * tasks.TTL, "the run is older than its ttl")

    held_beyond = check.run.is_locked(order)
    doomed.kill()
    held_by_the_dead = check.run.is_locked(order)
    until(lambda: not check.run.is_locked(order), "the order is free", tasks.TTL + 5)
    witness.open_gate(order)

    assert held_beyond
    assert held_by_the_dead
    assert "checked" == check.apply_async((order,), queue=pool).get()


def test_already_locked_survives_the_way_of_a_result(pool: str, tasks: Any, new_order: Callable[[], int]) -> None:
    order = new_order()

    with lock(f"check_or_raise-{order}") as lease, pytest.raises(AlreadyLocked) as caught:
        tasks.check_or_raise.apply_async((order,), queue=pool).get()

    assert f"check_or_raise-{order}" == caught.value.key
    assert caught.value.holder is not None
    assert lease.token == caught.value.holder.token


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
    tasks: Any, args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(TypeError, match="argument"):
        tasks.check_order.delay(*args, **kwargs)


def test_a_bound_task_is_handed_itself(pool: str, tasks: Any, new_order: Callable[[], int]) -> None:
    order = new_order()

    result = tasks.check_bound.apply_async((order,), queue=pool)

    assert [f"{PROGRAM}.check_bound", f"check_bound-{order}", result.id] == result.get()
    with pytest.raises(TypeError, match="argument"):
        tasks.check_bound.delay()


def test_a_task_answers_who_holds_its_key_and_is_pickled_by_name(tasks: Any, new_order: Callable[[], int]) -> None:
    order, check_order = new_order(), tasks.check_order

    with lock(check_order.run.key_for(order)) as lease:
        assert check_order.run.is_locked(order)
        assert lease.token == check_order.run.holder(order).token

    assert check_order.name == pickle.loads(pickle.dumps(check_order)).name


def test_a_retry_that_is_published_inside_the_body_is_skipped_by_the_lease_of_its_own_task(
    tasks: Any, workers: Workers, witness: Witness, new_order: Callable[[], int]
) -> None:
    """Why docs/task_queues.md warns of it: had the body ended a moment earlier, the retry would run."""
    order = new_order()
    start_worker(workers, PROGRAM, "threads", "retries").wait_for(READY)

    result = tasks.retry_inside.apply_async((order,), queue="retries")
    answer = result.get()
    still_running = len(witness.running(order))
    witness.open_gate(order)

    assert "skipped" == answer
    assert 1 == still_running == len(witness.runs(order))


def test_a_run_that_is_to_be_ignored_frees_its_key(
    pool: str, tasks: Any, witness: Witness, new_order: Callable[[], int]
) -> None:
    order, check = new_order(), tasks.check_ignored
    witness.open_gate(order)

    check.apply_async((order,), queue=pool)
    until(lambda: witness.runs(order), "the order is checked")
    until(lambda: not check.run.is_locked(order), "the key is free", 10)  # of a ttl of 30 s
    check.apply_async((order,), queue=pool)
    until(lambda: len(witness.runs(order)) == 2, "the order is checked again")


def test_the_example_of_the_readme_runs_and_skips_word_for_word(
    redis: RedisServer, workers: Workers, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body does nothing, so an observer, installed where the worker finds it, tells of runs and skips."""
    example = (TESTS.parent / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    (tmp_path / "readme.py").write_text(example)
    (tmp_path / "shop.py").write_text(
        "from celery import Celery\n"
        f"app = Celery('shop', broker='{redis.url}', backend='{redis.url}', include=['readme'], set_as_current=False)\n"
        "app.set_default()\n"
    )
    (tmp_path / "observer.py").write_text(
        "from once_core import hookimpl\nfrom queues.witness import note\n\n"
        "@hookimpl\ndef once_acquired(lease): note('run', lease.key)\n\n"
        "@hookimpl\ndef once_skipped(key): note('skip', key)\n"
    )
    information = tmp_path / "observer-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: observer\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[once_core.observers]\nobserver = observer\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shop", "readme"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    app = importlib.import_module("shop").app
    app.loader.import_default_modules()
    check_order, order, other = app.tasks["readme.check_order"], uuid4(), uuid4()
    start_worker(workers, "shop", "prefork", "readme", PYTHONPATH=f"{tmp_path}:{TESTS}").wait_for(READY)

    with lock(f"check_order-{order}"):
        skipped = check_order.apply_async((order,), queue="readme").get()
    ran = [check_order.apply_async((each,), queue="readme").get() for each in (order, other)]

    assert [None, None, None] == [skipped, *ran]
    assert [["skip", f"check_order-{order}"]] == witness.notes("skip")
    assert [["run", f"check_order-{order}"], ["run", f"check_order-{other}"]] == witness.notes("run")


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(
    redis: RedisServer, workers: Workers
) -> None:
    line = start_line("celery_orders", f"{redis.url}/1")

    done = workers.run("bash", "-c", line, folder=EXAMPLES / "celery_orders")

    assert 0 == done.wait()
    answers = Counter(line.split()[2] for line in done.output().splitlines() if line.startswith("order"))
    assert {"checked", "skipped,"} == set(answers)
    assert 18 == answers.total()
