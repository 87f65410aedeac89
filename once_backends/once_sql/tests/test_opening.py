"""What a URL may say, and how a database file is opened, made, and found unfit."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

import pytest
from sqlalchemy import create_engine, event

from once_core.errors import BackendUnavailable, ConfigurationError, OnceError
from once_sql import SqlBackend, once_offer_backends


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("sqlite://", "use memory://"),
        ("sqlite:///:memory:", "use memory://"),
        ("sqlite:///file::memory:?table=leases", "use memory://"),
        ("sqlite:///file:jobs.db", "write sqlite:///jobs.db"),
        ("sqlite://jobs.db", "write sqlite:///jobs.db"),
        ("sqlite+aiosqlite:///jobs.db", "write sqlite:///jobs.db"),
        ("jobs.db", "write sqlite:///jobs.db"),
        ("sqlite:///jobs.db?uri=true", "'uri' is no option"),
        ("sqlite:///jobs.db?timeout=1&timeout=2", "'timeout' is no option, or given twice"),
        ("sqlite:///jobs.db?timeout=soon", "take seconds"),
        ("sqlite:///jobs.db?timeout=0", "take seconds"),
        ("sqlite:///jobs.db?timeout=nan", "take seconds"),
        ("sqlite:///jobs.db?timeout=inf", "take seconds"),
        ('sqlite:///jobs.db?table=a"b', "take up to 63 letters"),
        ("sqlite:///jobs.db?table=sqlite_leases", "take up to 63 letters"),
    ],
)
def test_a_url_that_can_not_work_is_refused_with_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        once_offer_backends()["sqlite"](url)

    assert advice in str(refusal.value)


def test_the_factory_does_not_connect(tmp_path: Path) -> None:
    once_offer_backends()["sqlite"](f"sqlite:///{tmp_path}/once.db")

    assert list(tmp_path.iterdir()) == []


def test_the_options_are_taken_from_the_url(tmp_path: Path) -> None:
    backend = SqlBackend(f"sqlite+pysqlite:///{tmp_path}/once.db?table=order&timeout=0.5")
    backend.acquire("key", "token", 60)
    backend.close()

    raw = sqlite3.connect(tmp_path / "once.db")
    rows = raw.execute('SELECT key, token FROM "order"').fetchall()
    raw.close()

    assert rows == [(b"key", b"token")]


def test_a_relative_path_stays_what_it_was_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    backend = SqlBackend("sqlite:///once.db")
    monkeypatch.chdir("elsewhere")
    backend.acquire("key", "token", 60)
    backend.close()

    assert (tmp_path / "once.db").exists()


def test_an_engine_of_ones_own_is_used_with_its_listeners(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/once.db")
    statements: list[str] = []
    event.listen(engine, "connect", lambda connection, _: connection.set_trace_callback(statements.append))
    backend = SqlBackend(engine, table="leases")
    backend.acquire("key", "token", 60)
    backend.close()
    engine.dispose()

    assert any('INSERT INTO "leases"' in statement for statement in statements)


def test_processes_that_start_together_all_find_the_table(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("fork")
    for round_ in range(5):
        barrier, answers = processes.Barrier(30), processes.SimpleQueue()

        def start(number: int, url: str, barrier: Barrier, answers: SimpleQueue[str]) -> None:
            backend = SqlBackend(url)
            barrier.wait()
            try:
                answers.put("skip" if backend.acquire("key", str(number), 60) is None else "run")
            except OnceError as error:
                answers.put(repr(error))
            backend.close()

        url = f"sqlite:///{tmp_path}/{round_}.db?timeout=30"
        children = [processes.Process(target=start, args=(number, url, barrier, answers)) for number in range(30)]
        for child in children:
            child.start()
        results = sorted(answers.get() for _ in children)
        for child in children:
            child.join()

        assert results == ["run", *["skip"] * 29]


def make(path: Path, options: str = "") -> None:
    backend = SqlBackend(f"sqlite:///{path}{options}")
    assert backend.acquire("key", "token", 60) is not None
    backend.close()


def refusal(path: Path, options: str = "") -> str:
    with pytest.raises(ConfigurationError) as raised:
        SqlBackend(f"sqlite:///{path}{options}").acquire("key", "token", 60)
    return str(raised.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path}/missing: create it" in refusal(tmp_path / "missing" / "once.db")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert f"{tmp_path} is not a file" in refusal(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "once.db"
    path.write_text("not a database\n" * 1000)

    assert f"{path} is not a sound SQLite database" in refusal(path)
    assert path.read_text() == "not a database\n" * 1000


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TABLE once_leases (key BLOB, token BLOB, expires_at INTEGER, fence INTEGER)",
        "CREATE TABLE once_leases (key BLOB PRIMARY KEY, owner BLOB)",
        "CREATE VIEW once_leases AS SELECT 1 AS key, 2 AS token, 3 AS expires_at, 4 AS fence",
        "CREATE TABLE data (key); CREATE INDEX once_leases ON data (key)",
    ],
)
def test_something_else_by_the_name_of_the_table_is_refused(tmp_path: Path, other: str) -> None:
    raw = sqlite3.connect(tmp_path / "once.db")
    raw.executescript(other)
    raw.close()

    assert "choose another, as in ?table=my_leases" in refusal(tmp_path / "once.db")
    make(tmp_path / "once.db", "?table=my_leases")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has had this switch since Python 3.12")
def test_an_engine_that_has_autocommit_turned_off_is_used_with_it(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/once.db", connect_args={"autocommit": False})
    backend = SqlBackend(engine)
    backend.acquire("key", "token", 60)
    other = SqlBackend(f"sqlite:///{tmp_path}/once.db")

    assert other.acquire("key", "other", 60) is None
    for used in (backend, other):
        used.close()
    engine.dispose()


@pytest.fixture
def anybodys_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize("protected", ["once.db", "."])
def test_a_file_or_folder_that_can_not_be_written_is_refused(anybodys_folder: Path, protected: str) -> None:
    path = anybodys_folder / "once.db"
    make(path)
    path.chmod(0o666)
    anybodys_folder.chmod(0o777)
    (anybodys_folder / protected).chmod(0o555)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.getuid() == 0:  # whom permissions don't stop
                os.setuid(65534)
            if f"{path} can't be written" in refusal(path):
                status = 0
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_that_can_be_written_by_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "once.db"
    path.touch()
    made = subprocess.run(["chattr", "+i", path], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("chattr +i is not possible here")
    try:
        assert f"{path} can't be written" in refusal(path)
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def test_a_file_that_is_locked_for_longer_than_the_timeout_is_unavailable(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "once.db", isolation_level=None)
    raw.execute("BEGIN EXCLUSIVE")
    backend = SqlBackend(f"sqlite:///{tmp_path}/once.db?timeout=0.1")
    with pytest.raises(BackendUnavailable, match=f"sqlite:///{tmp_path}/once.db: database is locked"):
        backend.acquire("key", "token", 60)
    raw.close()

    assert backend.acquire("key", "token", 60) is not None
    backend.close()


def test_a_file_that_is_locked_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "once.db", isolation_level=None, check_same_thread=False)
    raw.execute("BEGIN IMMEDIATE")
    backend = SqlBackend(f"sqlite:///{tmp_path}/once.db")
    timer = Timer(0.3, raw.close)
    timer.start()
    grant = backend.acquire("key", "token", 60)
    timer.join()
    backend.close()

    assert grant is not None


def test_what_worked_once_is_unavailable_rather_than_misconfigured(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    backend = SqlBackend(f"sqlite:///{folder}/once.db")
    backend.acquire("key", "token", 60)
    backend.close()
    folder.rename(tmp_path / "moved")

    with pytest.raises(BackendUnavailable, match=f"there is no folder {folder}"):
        backend.release("key", "token")
