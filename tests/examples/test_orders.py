"""The main example does what it says: no overlap with the decorator, some without it, a killed order runs again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from guarantees.stores import STORES, opened
from once_core.testing.servers import free_port

PROGRAM = Path(__file__).parents[2] / "examples" / "orders.py"
SVG = "{http://www.w3.org/2000/svg}"
TTL = 2.0
SLACK = 1.5  # the order has to be asked for again, and a worker has to be free


class Outcome(NamedTuple):
    """What one run of the program left."""

    output: str
    picture: Path

    def numbers(self, row: str) -> tuple[int, int]:
        """Return the table's numbers in *row*: without the decorator, and with it."""
        found = re.search(rf"{row}\s*\W\s*(\d+)\s*\W\s*(\d+)\s", self.output)
        assert found, self.output
        return int(found[1]), int(found[2])


def run_program(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("orders")

    done = run_program(folder=folder)

    assert (done.returncode, done.stderr) == (0, "")
    return Outcome(done.stdout, folder / "orders.svg")


def test_every_check_that_was_asked_for_is_run_or_skipped(outcome: Outcome) -> None:
    asked, run, skipped = (outcome.numbers(row) for row in ("checks asked for", "run", "skipped"))

    assert asked[0] == asked[1] > 0
    assert (asked[0], 0) == (run[0], skipped[0])
    assert asked[1] == run[1] + skipped[1]
    assert run[1] > 0
    assert skipped[1] > 0


def test_runs_of_one_order_overlap_only_without_the_decorator(outcome: Outcome) -> None:
    without, guarded = outcome.numbers("overlaps seen by the log")

    assert without > 0
    assert guarded == 0


def test_customers_pay_twice_only_without_the_decorator(outcome: Outcome) -> None:
    without, guarded = outcome.numbers("instalments charged twice")

    assert without > 0
    assert guarded == 0


def test_the_order_of_a_killed_worker_runs_again_within_the_ttl(outcome: Outcome) -> None:
    found = re.search(r"killed check run again after.*?(\d+\.\d) s \(ttl 2 s\)", outcome.output)

    assert found, outcome.output
    assert TTL / 2 < float(found[1]) < TTL + SLACK  # a kill frees nothing by itself: the lease has to end


def test_what_happens_is_told_line_by_line(outcome: Outcome) -> None:
    killed = re.search(r"(worker \d) killed with SIGKILL while it checks order (\d+)", outcome.output)

    assert killed, outcome.output
    again = re.search(rf"order {killed[2]} runs again on (worker \d)", outcome.output)
    assert again, outcome.output
    assert killed[1] != again[1]


def test_the_picture_has_a_bar_for_each_run_and_a_tick_for_each_skip(outcome: Outcome) -> None:
    picture = ElementTree.parse(outcome.picture).getroot()

    titles = [title.text or "" for title in picture.iter(f"{SVG}title")]
    assert f"{SVG}svg" == picture.tag
    assert sum(outcome.numbers("run")) == sum(" on worker " in title for title in titles)
    assert sum(outcome.numbers("skipped")) == sum(" skipped by " in title for title in titles)
    assert f"The timeline is in {outcome.picture.name}" in outcome.output


@pytest.mark.parametrize("name", [name for name in STORES if name not in ("memory", "sqlite")])
def test_it_runs_on_every_store(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path) as store:
        done = run_program("--backend", store.url, folder=tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    assert 0 == Outcome(done.stdout, tmp_path / "orders.svg").numbers("overlaps seen by the log")[1]


@pytest.mark.parametrize("name", [name for name in STORES if name not in ("memory", "sqlite")])
def test_a_store_that_is_not_there_is_one_sentence_without_the_password(name: str, tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}"
    password = "" if name == "memcached" else "user:secret@"  # it knows none

    done = run_program("--backend", f"{name}://{password}{place}", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("orders: ")
    assert place in done.stderr
    assert not {"Traceback", "secret"} & set(re.findall(r"\w+", done.stderr))


def test_a_store_of_one_process_is_refused(tmp_path: Path) -> None:
    done = run_program("--backend", "memory://", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr == "orders: memory:// does not reach over processes: name a store that all workers share\n"


def test_an_unknown_store_is_refused_by_name(tmp_path: Path) -> None:
    done = run_program("--backend", "nosuch://here", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("orders: no installed plugin serves nosuch://.")


def test_without_rich_it_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(name='rich')")

    done = run_program(folder=tmp_path, PYTHONPATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "orders: rich is missing, which shows what happens. Type: pip install rich\n"


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_ctrl_c_leaves_no_process_and_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        while "without @once" not in program.stdout.readline():
            assert program.poll() is None

        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=20)  # all processes write there: it ends when the last is gone

    assert (program.returncode, errors) == (1, "orders: stopped\n")
    assert list(tmp_path.iterdir()) == []
