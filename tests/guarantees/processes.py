"""Real processes: the programs in the folder `programs`, each run by an interpreter of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
DEADLINE = 60.0


class Programs:
    """Starts programs, and ends those that still go on when the test is over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def start(self, program: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(HERE.parent), environment.pop("PYTHONPATH", "")]))
        process = subprocess.Popen(
            [sys.executable, "-m", f"{HERE.name}.programs.{program}", *map(str, arguments)],
            cwd=self._folder,
            env={**_environment(program), **environment, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # what it forks is ended with it
        )
        self._started.append(process)
        return process

    def result(self, process: subprocess.Popen[str], deadline: float = DEADLINE) -> tuple[int, str, str]:
        """Return the exit code and what was printed on stdout and stderr."""
        __tracebackhide__ = True
        try:
            output, errors = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            _end(process)
            output, errors = process.communicate()
            raise AssertionError(f"{process.args!r} did not end; it printed:\n{output}\n{errors}") from None
        return process.returncode, output.strip(), errors.strip()

    def run(self, program: str, *arguments: object, **environment: str) -> tuple[int, str, str]:
        __tracebackhide__ = True
        return self.result(self.start(program, *arguments, **environment))

    def close(self) -> None:
        for process in self._started:
            if process.returncode is None:  # else its number may be another's by now
                _end(process)
                process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _environment(program: str) -> dict[str, str]:
    """Return this process's, without the measuring of coverage where that would be what is interrupted or finalized."""
    hidden = "COVERAGE" if program in ("interrupted", "ending", "forking", "many", "contend") else "nothing"
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
