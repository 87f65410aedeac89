"""Rule 1 under load: many threads, or many tasks of one event loop, ask at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import Grant
from ..errors import BackendUnavailable
from .asking import Ask, Call, Script
from .basis import LONG, Basis, Taken, growing, new_key, new_token
from .rules import RULES, shown


class RaceRules(Basis):
    """Races with one winner, and calls that overtake each other."""

    def test_one_of_many_wins_a_new_key(self, ask: Ask) -> None:
        self.race(ask, [new_key() for _ in range(self.race_rounds)], "a new key")

    def test_one_of_many_wins_a_released_key(self, ask: Ask) -> None:
        leases = [self.take(ask, new_key()) for _ in range(self.race_rounds)]
        for lease in leases:
            ask.release(lease.key, lease.token)

        winners = self.race(ask, [lease.key for lease in leases], "a released key")
        for lease, grant in zip(leases, winners, strict=True):
            growing(lease.fence, grant, "after a release, in a race,")

    def test_one_of_many_wins_an_expired_key(self, ask: Ask) -> None:
        leases = self.many_expired(ask)

        winners = self.race(ask, [lease.key for lease in leases], "an expired key")
        for lease, grant in zip(leases, winners, strict=True):
            growing(lease.fence, grant, "after expiry, in a race,")

    def test_a_late_release_never_frees_the_winner(self, ask: Ask) -> None:
        leases = self.many_expired(ask)

        self.overtake(ask, leases, lambda lease: [[("release", lease.key, lease.token)]], rule=4)

    def test_a_late_renewal_never_ousts_the_winner(self, ask: Ask) -> None:
        leases = self.many_expired(ask)

        self.overtake(ask, leases, lambda lease: [[("renew", lease.key, lease.token, LONG)] * 2] * 3, rule=4)

    def test_many_releases_at_once_never_free_the_winner(self, ask: Ask) -> None:
        leases = [self.take(ask, new_key()) for _ in range(self.race_rounds)]

        answers = self.overtake(ask, leases, lambda lease: [[("release", lease.key, lease.token)]] * 5, rule=3)
        for row in answers:
            RULES[1].expect(
                [False] * 4 + [True], sorted(answer for [answer] in row[:5]), "five releases at once by the holder"
            )

    def test_a_renewal_during_a_release_never_ousts_the_winner(self, ask: Ask) -> None:
        leases = [self.take(ask, new_key()) for _ in range(self.race_rounds)]

        self.overtake(
            ask,
            leases,
            lambda lease: [*[[("renew", lease.key, lease.token, LONG)] * 5] * 4, [("release", lease.key, lease.token)]],
            rule=3,
        )

    def test_a_crowd_on_different_keys_is_never_told_held(self, ask: Ask) -> None:
        rounds: list[list[Script]] = [
            [[("acquire", new_key(), new_token(), LONG)] for _ in range(self.crowd(ask))] for _ in range(10)
        ]

        answers = [answer for row in ask.at_once(rounds) for [answer] in row]
        if None in answers:
            RULES[9].broken(f"{answers.count(None)} of {len(answers)} acquires of free keys at once were refused")
        if not any(isinstance(answer, Grant) for answer in answers):
            raise next(answer for answer in answers if isinstance(answer, BackendUnavailable))

    def crowd(self, ask: Ask) -> int:
        """Return how many race: tasks cost less than threads, and a service has more of them."""
        return self.race_threads * (10 if ask.way == "aio" else 1)

    def many_expired(self, ask: Ask) -> list[Taken]:
        leases = [self.take(ask, new_key(), self.min_ttl) for _ in range(self.race_rounds)]
        for lease in leases:
            self.wait_for_the_end(
                leases[-1].answered + self.min_ttl,
                lambda key=lease.key: ask.holder(key) is None,  # type: ignore[misc]  # binds the key of this turn
                "holder() still told a holder",
            )
        return leases

    def race(self, ask: Ask, keys: Sequence[str], what: str) -> list[Grant]:
        """Let many acquire each of *keys* at the same moment; return the winners' grants."""
        __tracebackhide__ = True
        crowd = self.crowd(ask)
        winners: list[Grant] = []
        for row in ask.at_once([[[("acquire", key, new_token(), LONG)] for _ in range(crowd)] for key in keys]):
            grants = [answer for [answer] in row if isinstance(answer, Grant)]
            unavailable = [answer for [answer] in row if isinstance(answer, BackendUnavailable)]
            if unavailable:
                raise unavailable[0]
            if len(grants) != 1:
                RULES[1].broken(f"{len(grants)} of {crowd} who asked for {what} at the same moment won it")
            winners += grants
        return winners

    def overtake(
        self, ask: Ask, leases: Sequence[Taken], others: Callable[[Taken], list[Script]], rule: int
    ) -> list[list[list[Any]]]:
        """Let a new token take each lease's key while `others(lease)` are asked; whoever was granted must hold it."""
        __tracebackhide__ = True
        tokens = [new_token() for _ in leases]
        rounds: list[list[Script]] = []
        for lease, token in zip(leases, tokens, strict=True):
            take: Call = ("acquire", lease.key, token, LONG)
            rounds.append([*others(lease), [take] * 100])
        answers = ask.at_once(rounds)
        for lease, token, row in zip(leases, tokens, answers, strict=True):
            for script in row:
                for answer in script:
                    if isinstance(answer, BackendUnavailable):
                        raise answer
            holder = ask.holder(lease.key)
            if row[-1][-1] is not None and (holder is None or holder.token != token):
                calls = " and ".join(sorted({script[0][0] for script in others(lease)}))
                RULES[rule].broken(
                    f"while {calls} by the last holder were under way, {token!r} was granted {shown(lease.key)}; "
                    f"then {holder} held it"
                )
        return answers
