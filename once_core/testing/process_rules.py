"""Rule 8 and rule 1 over processes: the object survives a fork, and of two processes one wins."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from ..backend import Grant
from .asking import Ask
from .basis import LONG, Basis, growing, new_key, new_token
from .rules import RULES
from .watching import packages_of, stumble_in, switching_often

_FORKS = 20
_WARM_UP = 30.0
_INHERITED = (
    "pre-forking workers (Celery, gunicorn) inherit what the object has open: replies get mixed up, or never come"
)


class ProcessRules(Basis):
    """Forked children that ask the store through the object they inherited."""

    def test_the_object_survives_a_fork(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)
        places = memoryview(mmap.mmap(-1, 8)).cast("I")

        def live(asking: Ask, me: int) -> None:
            self.line_up(places, me, 1)
            self.live_through_leases(asking, 50)

        child = ask.fork(lambda inherited: live(inherited, 1))
        try:
            live(ask, 0)
            child.result("a forked child that asked while its parent did", self.verb_timeout)
            self.still_holds(ask, lease, 8, "a child's calls")
            RULES[8].expect(True, ask.release(key, lease.token), "after a fork release by the parent")
        except pytest.fail.Exception as failure:
            RULES[8].broken(f"parent and forked child asked at the same time:\n{failure}", _INHERITED)
        finally:
            child.kill()

    def test_a_fork_amid_calls_leaves_a_child_that_can_ask(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        with self.busy_threads(ask):
            for _ in range(_FORKS):
                child = ask.fork(self.live_through_leases)
                child.result("a child, forked while other threads were asking,", self.verb_timeout)
        self.still_holds(ask, lease, 8, "forks amid calls")

    def test_a_child_sees_what_its_parent_holds(self, ask: Ask, key: str) -> None:
        self.needs_processes()
        lease = self.take(ask, key)

        def look(inherited: Ask) -> None:
            self.still_holds(inherited, lease, 8, "a fork")

        ask.fork(look).result("a forked child", self.verb_timeout)
        self.still_holds(ask, lease, 8, "a child's renewal")

    def test_the_fence_grows_from_process_to_process(self, ask: Ask, key: str) -> None:
        self.needs_processes()

        def take_and_release(asking: Ask) -> Grant:
            lease = self.take(asking, key)
            asking.release(key, lease.token)
            return Grant(lease.fence)

        fence = take_and_release(ask).fence
        for _ in range(3):
            grant = ask.fork(take_and_release).result("a forked child", self.verb_timeout)
            fence = growing(fence, grant, "in another process")
            fence = growing(fence, take_and_release(ask), "after another process's grant")

    def test_one_of_two_processes_wins(self, ask: Ask) -> None:
        self.needs_processes()
        keys = [new_key() for _ in range(self.race_rounds)]
        ask.holder(keys[0])
        places = memoryview(mmap.mmap(-1, 8)).cast("I")

        def race(inherited: Ask, me: int) -> list[bool]:
            stumble_in(packages_of(inherited.backend))
            wins: list[bool] = []
            for turn, key in enumerate(keys, 1):
                self.line_up(places, me, turn)
                wins.append(inherited.acquire(key, new_token(), LONG) is not None)
            return wins

        children = [
            ask.fork(lambda inherited: race(inherited, 0)),
            ask.fork(lambda inherited: race(inherited, 1)),
        ]
        patience = self.verb_timeout + self.race_rounds / 10
        wins = [child.result("one of two racing processes", patience) for child in children]
        for won in zip(*wins, strict=True):
            if sum(won) != 1:
                RULES[1].broken(f"{sum(won)} of two processes that asked for a key at the same moment won it")

    def line_up(self, places: memoryview[int], me: int, turn: int) -> None:
        """Wait until the other process, too, has come to this turn."""
        places[me] = turn
        self.wait_for(lambda: places[1 - me] >= turn, self.verb_timeout)

    def needs_processes(self) -> None:
        if self.process_local:
            pytest.skip("process_local: another process has a store of its own")

    def live_through_leases(self, ask: Ask, times: int = 1) -> None:
        """Take new keys through a lease's life. Replies to another process on the same connection would show."""
        for _ in range(times):
            lease = self.take(ask, new_key())
            self.still_holds(ask, lease, 8, "a fork")
            RULES[8].expect(True, ask.release(lease.key, lease.token), "after a fork release by the holder")

    @contextmanager
    def busy_threads(self, ask: Ask) -> Generator[None]:
        """Keep four threads asking, so that a fork finds whatever lock there is held."""
        over, errors, asked = threading.Event(), list[BaseException](), [0] * 4
        unwatched = ask.unwatched()

        def keep_asking(me: int) -> None:
            try:
                while not over.is_set():
                    self.live_through_leases(unwatched)
                    asked[me] += 1
            except BaseException as error:  # noqa: BLE001  # raised again in the test's thread
                errors.append(error)

        threads = [threading.Thread(target=keep_asking, args=(i,), daemon=True) for i in range(4)]
        with switching_often():
            try:
                for thread in threads:
                    thread.start()
                self.wait_for(lambda: all(asked) or bool(errors), self.verb_timeout + _WARM_UP)
                yield
            finally:
                over.set()
                for thread in threads:
                    thread.join(self.verb_timeout)
        if errors:
            raise errors[0]

    def wait_for(self, condition: Callable[[], bool], patience: float) -> None:
        __tracebackhide__ = True
        deadline = monotonic() + patience
        while not condition():
            if monotonic() > deadline:
                RULES[1].broken(f"others that were asking at the same time gave no answer in {patience:g} s")
            sleep(0)
