"""The nine rules in a sentence each, and how a test says that one was broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import pytest

from ..backend import Grant


@dataclass(frozen=True)
class Rule:
    """A rule of `once_core/backend.py`, with what goes wrong in production when it is broken."""

    number: int
    sentence: str
    why: str

    def broken(self, seen: str, why: str = "") -> NoReturn:
        """Fail the test: *seen* is what the backend did, *why* replaces the rule's usual consequence."""
        __tracebackhide__ = True
        pytest.fail(
            f"rule {self.number}: {self.sentence}\n"
            f"  seen: {seen}\n"
            f"  why it matters: {why or self.why}\n"
            f"  read: docs/writing_a_backend.md#rule-{self.number}, or `python -m pydoc once_core.backend`"
        )

    def expect(self, expected: object, actual: object, what: str, why: str = "") -> None:
        __tracebackhide__ = True
        if expected != actual:
            self.broken(f"{what} answered {shown(actual)}, not {shown(expected)}", why)

    def granted(self, answer: Grant | None, what: str, why: str = "") -> Grant:
        __tracebackhide__ = True
        if answer is None:
            self.broken(f"{what} was refused, but had to be granted", why)
        return answer

    def refused(self, answer: Grant | None, what: str, why: str = "") -> None:
        __tracebackhide__ = True
        if answer is not None:
            self.broken(f"{what} was granted ({answer}), but had to be refused", why)


def shown(value: object) -> str:
    """Return *value* as a message can bear it: a key may have 10,000 characters."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:80]}...{text[-20:]} ({len(text)} characters)"


RULES = {
    rule.number: rule
    for rule in (
        Rule(
            1,
            "every call is one question with one linearizable answer, in bounded time; a backend never sleeps",
            "with two winners two runs of one order are active at once; a call that waits blocks its worker",
        ),
        Rule(
            2,
            "a Grant, or True from renew, means held for at least ttl from now, and unless renewed it ends then",
            "a lease that ends early lets a second run in; one that ends late keeps a dead worker's key",
        ),
        Rule(
            3,
            "only the token that holds may renew or release; a stranger gets False and changes nothing",
            "a late worker would free or keep the key of the run that came after it: two runs of one order at once",
        ),
        Rule(
            4,
            "after expiry nobody holds: renew does not revive, release does not touch the next holder",
            "a worker that was paused would go on as if it held the key, beside the run that took over",
        ),
        Rule(
            5,
            "asking again with the token that already holds is granted again, with the same fence",
            "after a lost reply the attempt would take its own lease for another's, and the work would not be done",
        ),
        Rule(
            6,
            "Grant.fence is greater than in every earlier grant of that key, or None where the store can't promise it",
            "the protected resource tells a late writer by its lower fence: it would reject the wrong one",
        ),
        Rule(
            7,
            "any non-empty text is a key; what a store can't take is encoded injectively",
            "two different orders that meet in one key skip each other; a key that is refused can never run",
        ),
        Rule(
            8,
            "time is the store's; objects are shared by threads and survive a fork",
            "a clock that is set, or a worker that is forked, would end leases or hang",
        ),
        Rule(
            9,
            '"I don\'t know" is BackendUnavailable, never False or None and never another exception',
            "a store that is away would look like a held key, and work would be skipped in silence",
        ),
    )
}
