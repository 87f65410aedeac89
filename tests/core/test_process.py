"""Clock, tokens, daemon threads and the pool."""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial

import pytest

from once_core import process
from once_core.process import Identity, Pool, do_elsewhere, start_daemon

from .scripted import threads, until


def test_a_token_is_host_pid_started_random_and_never_made_twice() -> None:
    identity = Identity()
    tokens = [identity.new_token() for _ in range(1000)]
    host, pid, started, random = tokens[0].split(":")

    assert len(set(tokens)) == len(tokens)
    assert host
    assert str(os.getpid()) == pid
    assert abs(int(started) / 1000 - time.time()) < 60
    assert random


def test_two_processes_make_different_tokens_even_with_one_pid() -> None:
    assert Identity().new_token().split(":")[3] != Identity().new_token().split(":")[3]


def test_a_pool_runs_everything_with_no_more_threads_than_its_size() -> None:
    pool = Pool("test-pool", size=3)
    done: list[int] = []
    go = threading.Event()

    def job(number: int) -> None:
        go.wait(60)
        done.append(number)

    for number in range(20):
        pool.submit(partial(job, number))

    most = until(lambda: len(threads("test-pool")))
    go.set()

    assert pool.drain(60)
    assert list(range(20)) == sorted(done)
    assert most <= 3


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit("odd")])
def test_whatever_a_job_raises_its_thread_goes_on(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool("test-odd", size=1)
    done = threading.Event()

    def job() -> None:
        raise error

    pool.submit(job)
    pool.submit(done.set)

    assert done.wait(20)
    assert "odd" in caplog.text
    pool.close()


def test_a_closed_pool_ends_its_threads_and_starts_anew_for_another_job() -> None:
    pool = Pool("test-closed")
    pool.submit(lambda: None)
    pool.drain(60)
    pool.close()
    until(lambda: not threads("test-closed"))
    done = threading.Event()

    pool.submit(done.set)

    assert done.wait(60)
    pool.close()


def test_a_job_that_takes_too_long_is_not_waited_for() -> None:
    pool = Pool("test-slow")
    go = threading.Event()

    def job() -> None:
        go.wait(60)

    pool.submit(job)

    assert not pool.drain(0.01)
    go.set()
    assert pool.drain(60)
    pool.close()


def test_without_a_thread_to_be_had_a_job_runs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "start_daemon", lambda *_: None)
    ran_in: list[threading.Thread] = []

    Pool("test-none").submit(lambda: ran_in.append(threading.current_thread()))

    assert [threading.current_thread()] == ran_in


def test_no_thread_is_started_while_the_interpreter_finalizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)

    assert start_daemon(lambda: None, "test-never") is None
    ran_in: list[threading.Thread] = []
    do_elsewhere(lambda: ran_in.append(threading.current_thread()))
    assert [threading.current_thread()] == ran_in


def test_a_system_out_of_threads_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert start_daemon(lambda: None, "test-never") is None
