"""What an author supplies and may set, and the steps that the tests of all rules are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import getpid
from secrets import token_hex
from time import monotonic, sleep
from typing import ClassVar

import pytest

from ..backend import Backend, Grant
from .asking import Ask, Way
from .rules import RULES, shown
from .watching import Watch

LONG = 60.0
"""A ttl that no test outlives."""

_ALLOWANCE = 0.25
_PATIENCE = 5


@dataclass(frozen=True)
class Taken:
    """A lease that was granted, and when: the store decided some time between *asked* and *answered*."""

    key: str
    token: str
    ttl: float
    fence: int | None
    asked: float
    answered: float


class Basis:
    """The knobs and fixtures of the kit. A time is in seconds."""

    min_ttl: ClassVar[float] = 0.3
    """The shortest ttl that the store honours; nearly all waiting of the kit is for leases of this length to end."""

    expiry_slack: ClassVar[float] = 0.0
    """How much later than its ttl a lease may end. Rule 2 allows Memcached 2.0."""

    race_rounds: ClassVar[int] = 300
    """How often a race is run. Fewer rounds miss a missing lock."""

    race_threads: ClassVar[int] = 8
    """How many threads, or ten times as many tasks, race for a key."""

    verb_timeout: ClassVar[float] = 10.0
    """When a call counts as hung; more than the client's own timeout."""

    process_local: ClassVar[bool] = False
    """Whether another process, a forked child included, has a store of its own, as with memory."""

    has_aio: ClassVar[bool] = False
    """Whether the backend has `aio`: then every test of the verbs is run through it as well."""

    url: str = ""
    """A URL of the store, where the plugin is installed: then the store is opened by it as well, as users do."""

    overridden: ClassVar[Mapping[str, str]] = {}
    """The kit's tests that the subclass replaces on purpose, each with the reason."""

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """Yield the backend to test. Every author supplies this fixture."""
        pytest.fail(f"{type(self).__name__} has to supply a fixture `backend` that yields a Backend")

    def restart(self, backend: Backend) -> Backend:
        """Restart the store and return a backend that asks it: the same or a new one. Override it where that can be."""
        pytest.skip("the test class does not override restart(backend)")

    def unreachable(self) -> Backend:
        """Return a backend whose store does not answer, say at a closed port. Override it where that can be."""
        pytest.skip("the test class does not override unreachable()")

    @pytest.fixture
    def watch(self) -> Iterator[Watch]:
        watch = Watch(self.verb_timeout)
        yield watch
        watch.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Tell each rule once and run it through the verbs and, where there is one, through `aio`."""
        if "way" in metafunc.fixturenames:
            metafunc.parametrize("way", ["sync", "aio"] if self.has_aio else ["sync"])

    @pytest.fixture
    def ask(self, way: Way, backend: Backend, watch: Watch) -> Ask:
        return Ask(backend, way, watch)

    @pytest.fixture
    def ask_directly(self, backend: Backend, watch: Watch) -> Ask:
        """Ask the backend by its four blocking verbs only."""
        return Ask(backend, "sync", watch)

    @pytest.fixture
    def key(self) -> str:
        """Return a key that nobody else uses."""
        return new_key()

    def take(self, ask: Ask, key: str, ttl: float = LONG, token: str = "") -> Taken:
        """Acquire *key*, which is free, with a new token."""
        __tracebackhide__ = True
        token = token or new_token()
        asked = monotonic()
        grant = ask.acquire(key, token, ttl)
        answered = monotonic()
        if grant is None:
            RULES[1].broken(f"acquire of the free key {shown(key)} was refused", "the work would never be done")
        return Taken(key, token, ttl, grant.fence, asked, answered)

    def refused(self, ask: Ask, key: str, what: str = "acquire of a held key by a stranger") -> None:
        __tracebackhide__ = True
        RULES[1].refused(ask.acquire(key, new_token(), LONG), what)

    def still_holds(self, ask: Ask, lease: Taken, number: int, after: str) -> None:
        """Check that *lease*, taken for LONG, is held, can be renewed and keeps others out."""
        __tracebackhide__ = True
        holder = ask.holder(lease.key)
        if holder is None or holder.token != lease.token:
            RULES[number].broken(f"after {after} the key of {lease.token!r} is held by {holder}")
        RULES[number].refused(ask.acquire(lease.key, new_token(), LONG), f"after {after} acquire by another token")
        RULES[number].expect(True, ask.renew(lease.key, lease.token, LONG), f"after {after} renew by the holder")

    def pass_time(self) -> None:
        """Wait for longer than the shortest ttl, slack included."""
        sleep(self.min_ttl + self.expiry_slack + 0.1)

    def expired(self, ask: Ask, key: str) -> Taken:
        """Return a lease on *key* that has ended by itself, the key being free again."""
        __tracebackhide__ = True
        lease = self.take(ask, key, self.min_ttl)
        self.wait_for_the_end(
            lease.answered + self.min_ttl, lambda: ask.holder(key) is None, "holder() still told a holder"
        )
        return lease

    def wait_for_the_end(self, end: float, has_ended: Callable[[], bool], seen: str) -> None:
        """Poll until *has_ended*; fail when a question asked later than *end*, slack included, still says no."""
        __tracebackhide__ = True
        end += self.expiry_slack + _ALLOWANCE
        asked = monotonic()
        while not has_ended():
            if asked > end:
                RULES[2].broken(
                    f"{seen} {asked - end + _ALLOWANCE:.2f} s after the lease had to end "
                    f"(ttl {self.min_ttl:g} s, expiry_slack {self.expiry_slack:g} s)",
                    "a worker that died would keep its key from every later run",
                )
            sleep(0.01)
            asked = monotonic()

    def held_to_the_end(self, start: Callable[[str, float], Taken | None], ask: Ask, what: str) -> None:
        """Check that strangers are refused until ttl after `start(key, ttl)` asked for it.

        A stranger's grant counts only if it came back before that moment. If the machine stood still so long that
        nobody asked near the end, nothing is known, and it is tried again with another key.
        """
        __tracebackhide__ = True
        ttl = 1.5 * self.min_ttl
        for _ in range(_PATIENCE):
            if (lease := start(new_key(), ttl)) is None:
                continue
            last_refusal, end = lease.asked, lease.asked + ttl
            while (asked := monotonic()) < end:
                grant = ask.acquire(lease.key, new_token(), LONG)
                if grant is not None:
                    if (answered := monotonic()) < end:
                        RULES[2].broken(
                            f"{what} for {ttl:g} s was another token's after {answered - lease.asked:.2f} s"
                        )
                    break
                last_refusal = asked
                sleep(0.005)
            if last_refusal > end - 0.2 * ttl:
                return
        pytest.skip(f"this machine stood still in each of {_PATIENCE} attempts: nothing is known")


def new_key() -> str:
    return f"once-kit-{token_hex(8)}"


def new_token() -> str:
    """Return a token of the core's form."""
    return f"kit:{getpid()}:{1_700_000_000_000}:{token_hex(8)}"


def growing(earlier: int | None, later: Grant, after: str) -> int | None:
    """Check that the fence of *later* is greater than *earlier*, or both are None; return it."""
    __tracebackhide__ = True
    fence = later.fence
    if earlier is None and fence is None:
        return None
    if earlier is None or fence is None:
        RULES[6].broken(f"{after} the fence was {fence} where it had been {earlier}: it is always a number or never")
    if fence <= earlier:
        RULES[6].broken(f"{after} the fence was {fence}, which is not greater than {earlier}")
    return fence
