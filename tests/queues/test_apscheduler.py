"""APScheduler: three processes with a scheduler each, whose jobs are the same - in threads, in processes, in a loop.

It has no queue, so it inherits no rules: each process asks for each order by itself, ten times a second.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from once_core import Once

from .examples import answers_of_example
from .recipes import Recipes, recipes
from .rules import TTL, kill_its_worker
from .witness import Witness
from .workers import Workers, until

pytest.importorskip("apscheduler")

ORDERS = ("1", "2", "3")
KILLED = "4"
CANCELLED = "5"
KINDS = ("threads", "processes", "loop")


@pytest.fixture(scope="module")
def environment(witness: Witness) -> Iterator[None]:
    """Let this process and the schedulers know a file as their store: on one machine no server is needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCE_URL", f"sqlite:///{witness.folder}/once.db")
        patch.setenv("WITNESS", str(witness.folder))
        yield


@pytest.fixture(scope="module")
def store(environment: None) -> Iterator[Once]:
    store = Once(os.environ["ONCE_URL"])
    yield store
    store.close()


@pytest.fixture(scope="module")
def page(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    return recipes("apscheduler", tmp_path_factory.mktemp("page"), ttl=TTL, hold_at_least=3600)


@pytest.fixture(scope="module")
def schedulers(workers: Workers, witness: Witness, page: Recipes) -> None:
    for order in (CANCELLED, "report"):
        witness.open_gate(order)
    orders = (*ORDERS, KILLED, "-", CANCELLED)
    program = (sys.executable, "-m", "queues.programs.apscheduler_process")
    for worker in [workers.run(*program, kind, *orders, PYTHONPATH=page.path) for kind in KINDS]:
        worker.wait_for("ready")


@pytest.fixture(scope="module")
def asked(schedulers: None, witness: Witness) -> list[list[str]]:
    """Return the answers to the requests for three orders while all three are being checked."""
    until(lambda: len(witness.running(*ORDERS)) == 3, "all three orders are being checked")
    until(lambda: all(len(_answers(witness, order)) >= 10 for order in ORDERS), "each is asked for ten times again")
    asked = [answer for order in ORDERS for answer in _answers(witness, order)]
    assert 3 == len(witness.runs(*ORDERS))
    for order in ORDERS:
        witness.open_gate(order)
    return asked


def test_a_duplicate_is_skipped_and_says_so(asked: list[list[str]]) -> None:
    assert {"skipped"} == {answer for _, answer in asked}


def test_every_order_is_checked_in_every_process_and_no_two_runs_of_one_overlap(
    asked: object, witness: Witness, tmp_path: Path
) -> None:
    checked = [[kind, "checked"] for kind in KINDS]
    until(lambda: all(answer in _answers(witness, order) for order in ORDERS for answer in checked), "all have checked")

    shutil.copy(witness.folder / "journal", tmp_path)  # it is still being written
    assert [] == Witness(tmp_path).overlaps(*ORDERS)


def test_other_orders_are_checked_meanwhile(asked: object, witness: Witness) -> None:
    assert 3 <= witness.at_once(*ORDERS)


def test_a_skip_may_raise_instead(schedulers: None, store: Once, witness: Witness) -> None:
    with store.lock(f"cancel_order-{CANCELLED}", wait=60):
        before = len(_answers(witness, CANCELLED))
        until(lambda: len(_answers(witness, CANCELLED)) >= before + 10, "it is asked for ten times")
        meanwhile = _answers(witness, CANCELLED)[before + 3 :]  # of each kind one may have been under way

    assert {"AlreadyLocked"} == {answer for _, answer in meanwhile}


def test_a_process_killed_with_sigkill_frees_its_order_within_the_ttl(schedulers: None, witness: Witness) -> None:
    until(lambda: witness.running(KILLED), "the order is being checked")

    killed = kill_its_worker(witness, KILLED)

    until(lambda: len(witness.runs(KILLED)) == 2, "another process checks it")
    assert killed.pid != witness.runs(KILLED)[1].pid


def test_what_is_held_at_least_for_a_while_runs_in_one_process(schedulers: None, witness: Witness) -> None:
    def asked_often() -> bool:
        asked = [kind for kind, _ in _answers(witness, "report")]
        return all(asked.count(kind) >= 5 for kind in set(asked)) and len(asked) >= 15

    until(asked_often, "each process asks for the report five times")

    assert 1 == len(witness.runs("report"))


def test_wrong_arguments_are_refused_when_the_job_is_added(page: Recipes) -> None:
    from apscheduler.schedulers.background import BackgroundScheduler

    with pytest.raises(ValueError, match="order_id"):
        BackgroundScheduler().add_job(page.tasks.check_order, "interval", seconds=1)


def test_a_job_is_kept_by_its_path_and_comes_back_as_the_same_function(page: Recipes, tmp_path: Path) -> None:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    jobs = SQLAlchemyJobStore(f"sqlite:///{tmp_path}/jobs.db")
    scheduler = BackgroundScheduler(jobstores={"default": jobs})
    scheduler.start(paused=True)
    scheduler.add_job(page.tasks.check_order, "interval", seconds=1, args=[7], id="check")

    assert page.tasks.check_order is scheduler.get_job("check").func
    scheduler.shutdown()


def test_the_one_line_of_the_example_checks_orders_and_says_what_was_skipped(workers: Workers, tmp_path: Path) -> None:
    answers = answers_of_example("apscheduler_orders", workers, tmp_path)

    assert {"41", "42", "43"} == {order for order, answer in answers if answer == "checked"}
    assert "skipped" in {answer for _, answer in answers}


def _answers(witness: Witness, order: str) -> list[list[str]]:
    return [words[2:] for words in witness.notes("answer", order)]
