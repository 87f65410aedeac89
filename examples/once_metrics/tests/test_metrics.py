"""The counts, in programs of their own: an observer is loaded once per process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

PROGRAM = """
import asyncio
import once_metrics
from once_core import Once
from once_memory import MemoryBackend

once = Once(MemoryBackend(), ttl=0.3)

@once.once(key="a")
def plain():
    plain()

@once.once(key="b")
async def coroutine():
    await coroutine()

@once.once(key="c")
def loser():
    loser.release()
    while not "once_lost" in once_metrics.as_text():
        pass

plain(), plain(), asyncio.run(coroutine()), loser()
print(once_metrics.as_text())
print(once_metrics._started)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], str]:
    """Return what runs a program where the plugin is installed: elsewhere it would observe all other tests."""
    entry_points = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    metadata = tmp_path / "once_metrics-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: once-metrics\nVersion: 0.1\n")
    for group, entries in entry_points.items():
        lines = [f"{name} = {module}" for name, module in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    path = os.pathsep.join([str(tmp_path), str(PROJECT / "src")])

    def run(program: str) -> str:
        command = [sys.executable, "-W", "error", "-c", program]
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    return run


def test_all_that_happens_is_counted_by_function(run: Callable[[str], str]) -> None:
    text = run(PROGRAM)

    assert [
        'once_acquired_total{function="__main__.coroutine"} 1',
        'once_acquired_total{function="__main__.loser"} 1',
        'once_acquired_total{function="__main__.plain"} 2',
        'once_lost_total{function="__main__.loser"} 1',
        'once_released_total{function="__main__.coroutine"} 1',
        'once_released_total{function="__main__.plain"} 2',
        'once_skipped_total{function="__main__.coroutine"} 1',
        'once_skipped_total{function="__main__.plain"} 2',
    ] == [line for line in text.splitlines() if "_total" in line and "seconds" not in line]
    assert 3 == len(re.findall(r'^once_held_seconds_total{function="\S+"} \d+\.\d{3}$', text, re.MULTILINE))


def test_what_is_over_is_forgotten(run: Callable[[str], str]) -> None:
    assert run(PROGRAM).endswith("{}\n")


def test_the_readme_runs(run: Callable[[str], str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text("utf-8"), re.DOTALL)

    run(code.replace("readme.", "__main__."))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_counts_for_itself_though_its_parent_was_counting(run: Callable[[str], str]) -> None:
    program = """
import os, signal
with once_metrics._lock:
    child = os.fork()
    if not child:
        signal.alarm(20)  # kills a child that hangs
        plain()
        print(once_metrics.as_text(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    text = run(PROGRAM.partition("plain(), plain()")[0] + "plain()\n" + program)

    assert 'once_acquired_total{function="__main__.plain"} 1\n' in text
