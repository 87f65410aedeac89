"""A fork at any moment leaves a parent and a child that can both ask."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest

from once_core.errors import BackendUnavailable
from once_sql import SqlBackend

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    # Since Python 3.12 a fork amid threads warns; that it works all the same is what is tested.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[list[SqlBackend]]:
    backends = [SqlBackend(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "two")]
    yield backends
    for backend in backends:
        backend.close()


def live(backends: list[SqlBackend], name: str) -> None:
    for backend in backends:
        assert backend.acquire(name, name, 60)
        assert backend.renew(name, name, 60)
        assert backend.release(name, name)


def fork(task: Callable[[], None]) -> int:
    """Run *task* in a child and return its pid."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(30)  # a child that hangs ends itself
            task()
            status = 0
        finally:
            os._exit(status)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def hammering(backends: list[SqlBackend]) -> Iterator[None]:
    stop = Event()

    def hammer(number: int) -> None:
        for round_ in count():
            if stop.is_set():
                return
            live(backends, f"{number}-{round_}")

    threads = [Thread(target=hammer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_child_forked_amid_writes_can_write(backends: list[SqlBackend]) -> None:
    with hammering(backends):
        codes = [exit_code(fork(lambda: live(backends, "child"))) for _ in range(40)]

    assert codes == [0] * 40


def test_two_threads_may_fork_at_once(backends: list[SqlBackend]) -> None:
    codes: list[int] = []

    def fork_often(name: str) -> None:
        for _ in range(15):
            codes.append(exit_code(fork(lambda: live(backends, name))))

    threads = [Thread(target=fork_often, args=(f"child-{number}",)) for number in range(3)]
    with hammering(backends):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert codes == [0] * 45


def test_a_child_that_exits_leaves_the_parents_connection_alone(tmp_path: Path) -> None:
    program = """
import os, sys
from once_sql import SqlBackend
backend = SqlBackend(sys.argv[1])
assert backend.acquire("key", "parent", 600)
child = os.fork()
if child == 0:
    assert backend.acquire("another", "child", 600)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert backend.renew("key", "parent", 600)
assert backend.acquire("another", "parent", 600) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{tmp_path}/once.db"],
        check=False,
        capture_output=True,
    )
    other = sqlite3.connect(tmp_path / "once.db")
    tokens = other.execute("SELECT token FROM once_leases ORDER BY key").fetchall()
    check = other.execute("PRAGMA integrity_check").fetchall()
    other.close()

    assert (done.returncode, done.stderr) == (0, b"")
    assert (tokens, check) == ([(b"child",), (b"parent",)], [("ok",)])


def test_a_signal_handler_may_fork_in_the_middle_of_a_verb(backends: list[SqlBackend]) -> None:
    children: list[int] = []

    def fork_one(*_: object) -> None:
        children.append(fork(lambda: live(backends, f"child-{len(children)}")))

    before = signal.signal(signal.SIGALRM, fork_one)
    try:
        for round_ in range(60):
            signal.setitimer(signal.ITIMER_REAL, 0.0002 + round_ * 1e-5)
            while len(children) <= round_:
                live(backends, "parent")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert [exit_code(child) for child in children] == [0] * 60


def test_a_child_may_fork_again(backends: list[SqlBackend]) -> None:
    live(backends, "parent")

    def task() -> None:
        live(backends, "child")
        assert exit_code(fork(lambda: live(backends, "grandchild"))) == 0

    assert exit_code(fork(task)) == 0


def test_a_fork_does_not_revive_a_failure(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "once.db", isolation_level=None)
    backend = SqlBackend(f"sqlite:///{tmp_path}/once.db?timeout=0.1")
    backend.purge()
    raw.execute("BEGIN IMMEDIATE")

    def ask() -> None:
        with pytest.raises(BackendUnavailable):
            backend.acquire("key", "token", 60)

    code = exit_code(fork(ask))
    raw.close()
    backend.close()

    assert code == 0
