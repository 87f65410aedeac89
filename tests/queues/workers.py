"""Real worker processes of the task queues: started, listened to, killed, and none left behind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .witness import PATIENCE

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until *condition* holds; *what* says in the failure what did not come."""
    __tracebackhide__ = True
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.02)


class Worker:
    """One worker, in a process group of its own with all that it forks; what it prints goes to a file."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed *text*."""
        __tracebackhide__ = True
        try:
            until(lambda: text in self.output() or self.process.poll() is not None, f"the worker prints {text!r}")
        finally:
            assert text in self.output(), f"{self.process.args!r} printed no {text!r}:\n{self.output()}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker's first process, as an operator does."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait until its first process has ended; return the exit code."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it and all that it forked with SIGKILL: nothing is cleaned up."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Workers:
    """Starts workers; kills those that are left when the tests are over."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        self.environment = {
            **inherited,
            "PYTHONPATH": str(TESTS),
            "PYTHONUNBUFFERED": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            **environment,
        }
        self.started: list[Worker] = []
        self._numbers = itertools.count()

    def start(self, *command: str, ready: str, folder: Path | None = None, **environment: str) -> Worker:
        """Start a worker as `python -m` *command*, in *folder*, and wait until it prints *ready*."""
        __tracebackhide__ = True
        worker = self.run(sys.executable, "-m", *command, folder=folder, **environment)
        worker.wait_for(ready)
        return worker

    def run(self, *command: str, folder: Path | None = None, **environment: str) -> Worker:
        """Start any command."""
        log = self._folder / f"output-{next(self._numbers)}.txt"
        worker = Worker(list(command), folder or self._folder, {**self.environment, **environment}, log)
        self.started.append(worker)
        return worker

    def close(self) -> None:
        while self.started:
            self.started.pop().kill()


def start_line(example: str, redis_url: str) -> str:
    """Return what starts an example: the one line of its README, without the setting up, with another Redis.

    The line is `(SET UP && { START; })`, of which the second part is returned.
    """
    readme = (EXAMPLES / example / "README.md").read_text()
    (line,) = readme.partition("```sh\n")[2].partition("```")[0].splitlines()
    _, braces, start = line.removesuffix(")").partition(" && { ")
    assert braces, line
    return "{ " + start.replace("redis://localhost:6379", redis_url)
