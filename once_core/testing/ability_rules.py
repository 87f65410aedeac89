"""What a backend may have beside the four verbs: each is tested where the object has it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from ..backend import Holder
from ..errors import BackendUnavailable
from .asking import Ask, is_holder
from .basis import LONG, Basis, growing, new_key, new_token
from .rules import RULES, shown

_BATCH = "the core renews all leases of a process by one question: a wrong answer ends, or revives, another's run"
_TWINS = "the core takes a coroutine's lease through `aio`, and renews it by `renew` from a thread"
_CANCELLED = "a task that is cancelled while it waits for the store must not leave its reply to the next who asks"
_LISTED = "`holders(prefix)` shows operators what is held"


class AbilityRules(Basis):
    """`aio`, `renew_many`, `holders`, `purge`, `close`."""

    def test_coroutines_and_plain_calls_share_their_leases(self, ask_directly: Ask, key: str) -> None:
        coroutines = self.coroutines(ask_directly)
        lease = self.take(coroutines, key)

        self.still_holds(ask_directly, lease, 1, "being taken by a coroutine")
        RULES[1].expect(
            True, ask_directly.release(key, lease.token), "release of a lease that a coroutine took", _TWINS
        )
        RULES[1].expect(None, coroutines.holder(key), "aio.holder of a released key", _TWINS)

    def test_a_cancelled_coroutine_leaves_the_next_call_its_own_answer(self, ask_directly: Ask, key: str) -> None:
        coroutines = self.coroutines(ask_directly)
        other = self.take(coroutines, key)

        for after in range(40):
            mine, token = new_key(), new_token()
            take = ("acquire", mine, token, LONG)
            answers = coroutines.cancelling(
                take, after, [("holder", key), take, ("holder", mine), ("release", mine, token), ("holder", mine)]
            )
            tokens = [getattr(answer, "token", answer) for answer in answers]
            granted = RULES[5].granted(answers[1], "acquire asked again after it was cancelled", _CANCELLED)
            RULES[1].expect(
                [other.token, granted, token, True, None],
                tokens,
                "after a cancelled acquire: holder of another key, acquire again, holder, release, holder",
                _CANCELLED,
            )

    def test_renew_many_answers_each_lease_in_order(self, ask_directly: Ask, key: str) -> None:
        renew_many = self.ability(ask_directly, "renew_many")
        first, last = self.take(ask_directly, key + "-1"), self.take(ask_directly, key + "-2" + "ж" * 300)
        held = self.take(ask_directly, key + "-3")
        expired = self.expired(ask_directly, key + "-4")

        answers = renew_many(
            [
                (first.key, first.token, LONG),
                (held.key, new_token(), self.min_ttl),
                (last.key, last.token, LONG),
                (expired.key, expired.token, LONG),
                (new_key(), new_token(), LONG),
            ]
        )
        RULES[3].expect(
            [True, False, True, False, False],
            answers,
            "renew_many of leases held, a stranger's, held, expired and unknown",
            _BATCH,
        )
        RULES[4].expect(None, ask_directly.holder(expired.key), "holder of an expired key after renew_many", _BATCH)
        self.pass_time()
        for lease in (first, held, last):
            self.still_holds(ask_directly, lease, 3, "renew_many")

    def test_renew_many_of_nothing_answers_nothing(self, ask_directly: Ask) -> None:
        answers = self.ability(ask_directly, "renew_many")([])

        RULES[1].expect([], answers, "renew_many of no leases", _BATCH)

    def test_renew_many_sets_the_end_of_each_lease(self, ask_directly: Ask, key: str) -> None:
        renew_many = self.ability(ask_directly, "renew_many")
        shorter, longer = self.take(ask_directly, key + "-1"), self.take(ask_directly, key + "-2")

        answers = renew_many([(shorter.key, shorter.token, self.min_ttl), (longer.key, longer.token, LONG)])
        answered = monotonic()
        RULES[2].expect([True, True], answers, "renew_many of two leases held", _BATCH)
        self.wait_for_the_end(
            answered + self.min_ttl,
            lambda: ask_directly.acquire(shorter.key, new_token(), LONG) is not None,
            "acquire of a key renewed by renew_many was refused",
        )
        self.still_holds(ask_directly, longer, 2, "renew_many with a shorter ttl for another lease")

    def test_renew_many_takes_a_thousand_leases(self, ask_directly: Ask) -> None:
        renew_many = self.ability(ask_directly, "renew_many")
        leases = [self.take(ask_directly, new_key()) for _ in range(1000)]

        strangers = set(range(0, 1000, 7))
        asked = [(x.key, new_token() if i in strangers else x.token, LONG) for i, x in enumerate(leases)]
        answers = renew_many(asked)
        wrong = [i for i, answer in enumerate(answers) if answer is not (i not in strangers)]
        if len(answers) != 1000 or wrong:
            RULES[3].broken(f"renew_many of 1,000 leases: {len(answers)} answers, {len(wrong)} of them wrong", _BATCH)

    @pytest.mark.parametrize("name", ["renew_many", "holders"])
    def test_an_ability_of_a_store_that_can_not_be_asked_is_never_a_no(self, ask_directly: Ask, name: str) -> None:
        self.ability(ask_directly, name)
        away = self.unreachable()

        try:
            answers = list(getattr(away, name)([(new_key(), new_token(), LONG)] if name == "renew_many" else ""))
        except BackendUnavailable:
            return
        if name != "renew_many" or answers != [None]:
            RULES[9].broken(f"{name}() answered {answers} though its store can't be reached", _BATCH)

    def test_holders_lists_exactly_what_starts_with_the_prefix(self, ask_directly: Ask, key: str) -> None:
        leases = {name: self.take(ask_directly, key + name) for name in ("ab", "aB", "a", "b", "aж", "Ab")}
        self.take(ask_directly, "x" + key + "a")

        for prefix in ("", "a", "ab", "A", "aж", "none"):
            expected = {key + name: lease.token for name, lease in leases.items() if name.startswith(prefix)}
            listed = self.listed(ask_directly, key + prefix)
            RULES[7].expect(expected, listed, f"holders({key + prefix!r})", _LISTED)

    @pytest.mark.parametrize("wildcard", [*"%_*?[]^\\.'"])
    def test_holders_takes_a_wildcard_literally(self, ask_directly: Ask, key: str, wildcard: str) -> None:
        self.take(ask_directly, key + "ab")
        lease = self.take(ask_directly, key + wildcard + "b")

        listed = self.listed(ask_directly, key + wildcard)
        RULES[7].expect({lease.key: lease.token}, listed, f"holders of the prefix {key + wildcard!r}", _LISTED)

    def test_holders_lists_nothing_that_ended(self, ask_directly: Ask, key: str) -> None:
        self.ability(ask_directly, "holders")
        self.expired(ask_directly, key + "-1")
        released, held = self.take(ask_directly, key + "-2"), self.take(ask_directly, key + "-3")
        ask_directly.release(released.key, released.token)

        listed = self.listed(ask_directly, key)
        RULES[4].expect({held.key: held.token}, listed, "holders(), beside an expired and a released key,", _LISTED)

    def test_purge_leaves_live_leases_and_growing_fences(self, ask_directly: Ask, key: str) -> None:
        purge = self.ability(ask_directly, "purge")
        held, released = self.take(ask_directly, key + "-1"), self.take(ask_directly, key + "-2")
        ask_directly.release(released.key, released.token)
        expired = self.expired(ask_directly, key + "-3")

        purge()
        self.still_holds(ask_directly, held, 2, "purge()")
        for ended in (released, expired):
            grant = RULES[6].granted(ask_directly.acquire(ended.key, new_token(), LONG), "acquire of a purged key")
            growing(ended.fence, grant, "after purge()")

    def test_close_twice_is_harmless(self, ask_directly: Ask, key: str) -> None:
        close = self.ability(ask_directly, "close")
        self.take(ask_directly, key)

        close()
        close()

    def coroutines(self, ask: Ask) -> Ask:
        if not self.has_aio:
            pytest.skip("the backend has no `aio`")
        return Ask(ask.backend, "aio", ask.watch)

    def ability(self, ask: Ask, name: str) -> Callable[..., list[Any]]:
        """Return the backend's method *name*, limited in time like the verbs and with its answers as a list."""
        found = getattr(ask.backend, name, None)
        if found is None:
            pytest.skip(f"the backend has no `{name}`")

        def call(*arguments: Any) -> list[Any]:
            return list(found(*arguments) or ())

        def watched(*arguments: Any) -> list[Any]:
            __tracebackhide__ = True
            try:
                return ask.watched(f"{name}()", lambda: call(*arguments))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is the backend's
                RULES[9].broken(f"{name}() raised {type(error).__name__}: {error}")

        return watched

    def listed(self, ask: Ask, prefix: str) -> dict[str, str]:
        __tracebackhide__ = True
        found = self.ability(ask, "holders")(prefix)
        for entry in found:
            if [str, Holder] != [*map(type, entry)] or not is_holder(entry[1]):
                RULES[1].broken(f"holders() listed {shown(entry)}, which is no (key, Holder)", _LISTED)
        if len(found) != len(dict(found)):
            RULES[1].broken(f"holders({prefix!r}) listed a key twice", _LISTED)
        return {key: holder.token for key, holder in found}
