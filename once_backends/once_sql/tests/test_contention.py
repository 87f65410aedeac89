"""Many processes after one key, and many that start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sql_servers import SqlServer

SECONDS = float(os.environ.get("ONCE_CONTENTION_SECONDS", "2"))

CONTENDER = """
import os, sys
from time import monotonic
from once_sql import SqlBackend

url, folder, me, seconds = sys.argv[1:]
backend = SqlBackend(url)
log = os.open(f"{folder}/fences", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
backend.holder("hot")
end, turn = monotonic() + float(seconds), 0
while monotonic() < end:
    turn += 1
    if grant := backend.acquire("hot", f"{me}-{turn}", 30):
        os.close(os.open(f"{folder}/inside", os.O_CREAT | os.O_EXCL))  # fails while another is inside
        os.write(log, f"{grant.fence}\\n".encode())
        os.unlink(f"{folder}/inside")
        assert backend.renew("hot", f"{me}-{turn}", 30)
        assert backend.release("hot", f"{me}-{turn}")
backend.close()
"""

STARTER = """
import sys
from once_sql import SqlBackend

backend = SqlBackend(sys.argv[1])
sys.stdin.readline()
print("skip" if backend.acquire("key", sys.argv[2], 60) is None else "run")
backend.close()
"""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/once.db"
    server: SqlServer = request.getfixturevalue(request.param)
    return server.url


def test_of_twelve_processes_one_is_inside_at_a_time_and_fences_grow_without_an_error(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CONTENDER, url, str(tmp_path)]
    children = [subprocess.Popen([*command, str(number), str(SECONDS)]) for number in range(12)]
    codes = [child.wait() for child in children]
    fences = [int(line) for line in (tmp_path / "fences").read_text().split()]

    assert [0] * 12 == codes
    assert sorted(set(fences)) == fences
    assert len(fences) > 12


def test_processes_that_start_together_all_find_the_table(url: str) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [
        subprocess.Popen([sys.executable, "-c", STARTER, url, str(number)], **pipes)  # type: ignore[call-overload]  # a dict of several types
        for number in range(12)
    ]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    results = [child.communicate() for child in children]

    assert sorted(results) == [("run\n", ""), *[("skip\n", "")] * 11]
