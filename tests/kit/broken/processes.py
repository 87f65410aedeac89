"""What breaks over a fork, between processes, or when the clock is set."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from multiprocessing import Pipe
from os import getpid
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, ClassVar

import once_memory.backend
from once_core.backend import Grant

from .bases import Broken, BrokenFile


class KeepsItsLockOverAFork(Broken):
    caught_by: ClassVar = {"test_a_fork_amid_calls_leaves_a_child_that_can_ask": 8}
    knobs: ClassVar = {**Broken.knobs, "verb_timeout": 1.0}

    def __init__(self) -> None:
        super().__init__()
        once_memory.backend._backends.discard(self)


class SharesItsConnectionWithItsChild(Broken):
    """Asks a server through one connection, which a forked child goes on to use beside its parent."""

    caught_by: ClassVar = {"test_the_object_survives_a_fork": 8}
    knobs: ClassVar = {"verb_timeout": 1.0}

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = Pipe()
        self.one_at_a_time = Lock()
        Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                verb, *arguments = self.theirs.recv()
                self.theirs.send(getattr(super(), verb)(*arguments))

    def ask(self, *call: Any) -> Any:
        with self.one_at_a_time:
            self.ours.send(call)
            return self.ours.recv()

    def acquire(self, key: str, token: str, ttl: float) -> Any:
        return self.ask("acquire", key, token, ttl)

    def renew(self, key: str, token: str, ttl: float) -> Any:
        return self.ask("renew", key, token, ttl)

    def release(self, key: str, token: str) -> Any:
        return self.ask("release", key, token)

    def holder(self, key: str) -> Any:
        return self.ask("holder", key)


class AsksByItsOwnThread(SharesItsConnectionWithItsChild):
    """The same with a connection of its own for each process, but none there to answer it."""

    def ask(self, *call: Any) -> Any:
        if getpid() != self.__dict__.setdefault("pid", getpid()):
            Event().wait()
        return super().ask(*call)


class BelongsToOneProcess(Broken):
    caught_by: ClassVar = {"test_a_child_sees_what_its_parent_holds": 8, "test_one_of_two_processes_wins": 1}
    knobs: ClassVar = {}


class TellsTimeByTheWall(BrokenFile):
    caught_by: ClassVar = {
        "test_a_step_of_the_wall_clock_ends_no_lease[sync-forward]": 8,
        "test_a_step_of_the_wall_clock_prolongs_no_lease[sync-back]": 8,
    }

    def now(self) -> float:
        return time.time()


class TellsTimeByTheCalendar(BrokenFile):
    caught_by: ClassVar = TellsTimeByTheWall.caught_by

    def now(self) -> float:
        return datetime.now(UTC).timestamp()


class CountsFencesByTheWall(BrokenFile):
    caught_by: ClassVar = {"test_the_fence_grows_though_the_wall_clock_goes_back": 6}

    def next_fence(self, leases: dict[str, Any]) -> int:
        return time.time_ns()


class CountsFencesInItsProcess(BrokenFile):
    caught_by: ClassVar = {"test_the_fence_grows_from_process_to_process": 6}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fences = count(1)

    def next_fence(self, leases: dict[str, Any]) -> int:
        return next(self.fences)


class UnlocksByClosing(BrokenFile):
    """Lets go of its lock by closing the file, which a child forked meanwhile has inherited open - and locked."""

    caught_by: ClassVar = {"test_a_fork_amid_calls_leaves_a_child_that_can_ask": 8}
    knobs: ClassVar = {"verb_timeout": 1.0}

    @contextmanager
    def opened(self) -> Generator[dict[str, Any]]:
        with self.path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield from self.read_and_write(file)


class ExcludesThreadsOnly(BrokenFile):
    caught_by: ClassVar = {"test_one_of_two_processes_wins": 1}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lock = Lock()

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        with self.lock:
            holder = self.holder(key)
            if holder is not None and holder.token != token:
                return None
            with self.opened() as leases:
                fence = self.next_fence(leases)
                leases[key] = [token, self.now() + ttl, fence]
            return Grant(fence)
