"""Real servers for a backend's tests: each a child process on a free loopback port, with a folder of its own.

    class RedisServer(Server):
        programs = ("redis-server",)

        def command(self) -> list[str]:
            return [self.program, "--port", str(self.port), "--dir", str(self.folder)]

    @pytest.fixture(scope="session")
    def server() -> Iterator[RedisServer]:
        with RedisServer() as server:
            yield server

A program that is not installed skips the test, and fails it where the environment says ONCE_REQUIRE_SERVERS=1.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import ClassVar, Never, Self

import pytest

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
_PORTS_TRIED = 5


class Server:
    """A server that runs between `start` and `stop`, or inside a `with` block."""

    programs: ClassVar[Sequence[str]]
    """Names of the program; the first that is found is taken."""

    folders: ClassVar[Sequence[str]] = ()
    """Where to look for it besides PATH. `*` matches any name; of several matches the last is taken."""

    user: ClassVar[str | None] = None
    """Who has to run it when the tests run as root."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it in order, without waiting for its clients."""

    host: ClassVar[str] = "127.0.0.1"

    def __init__(self) -> None:
        self.program = find_program(*self.programs, folders=self.folders)
        self.folder = Path(tempfile.mkdtemp(prefix=f"once-{Path(self.program).name}-"))
        self.runs_as = self.user if self.user and hasattr(os, "geteuid") and os.geteuid() == 0 else None
        if self.runs_as:
            shutil.chown(self.folder, self.runs_as)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Do what has to be done once, before the first start."""

    def command(self) -> Sequence[str]:
        """Return what to execute: a process that stays in the foreground and listens at `host` and `port`."""
        raise NotImplementedError

    def is_up(self) -> bool:
        """Whether the server answers; asked again and again while it starts."""
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until it is up. The first time another port is tried if this one was taken meanwhile."""
        try:
            self.prepare()
            for _ in range(_PORTS_TRIED):
                if self._run():
                    return self
                self.port = free_port()
            raise AssertionError(f"{self.program} does not start:\n{self.output()}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and remove its folder."""
        self._end(self.stop_signal)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End it by SIGKILL; it can be restarted."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """End it, unless it has ended, and start it again, at the same port and in the same folder."""
        self._end(self.stop_signal)
        if not self._run():
            raise AssertionError(f"{self.program} does not start again:\n{self.output()}")

    @contextmanager
    def paused(self) -> Generator[None]:
        """While it lasts the server is stopped: it keeps its connections and answers nothing."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            if hasattr(os, "waitid"):
                os.waitid(os.P_PID, pid, os.WSTOPPED)  # until the last of its threads has stopped
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def output(self) -> str:
        """Return what the server has printed."""
        with suppress(FileNotFoundError):
            return self._log.read_text(errors="replace")
        return ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / "output.txt"

    def _run(self) -> bool:
        """Start the process; return whether it came up. If it did not, it may be for its port."""
        if self.is_up():  # it is another's
            return False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.runs_as,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
            )
        deadline = monotonic() + START_TIMEOUT
        while not self.is_up():
            if self._process.poll() is not None:
                return False
            assert monotonic() < deadline, f"{self.program} does not come up:\n{self.output()}"
            sleep(0.02)
        return self._process.poll() is None

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_program(*names: str, folders: Sequence[str] = ()) -> str:
    """Return the path of the first of these programs that is there; else skip the test, or fail it."""
    __tracebackhide__ = True
    places = [str(place) for folder in folders for place in sorted(Path("/").glob(folder.lstrip("/")), reverse=True)]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *places])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    missing(f"{' or '.join(names)} is not installed")


def missing(what: str) -> Never:
    """Skip the test for want of a server; fail it where ONCE_REQUIRE_SERVERS=1 says that servers must be there."""
    __tracebackhide__ = True
    if os.environ.get("ONCE_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{what}, and ONCE_REQUIRE_SERVERS=1 requires it")
    pytest.skip(what)


def free_port() -> int:
    """Return a loopback port that nobody listens at just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
