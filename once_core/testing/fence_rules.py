"""Rule 6: fences grow."""

from __future__ import annotations

from .asking import Ask
from .basis import LONG, Basis, growing, new_token
from .rules import RULES


class FenceRules(Basis):
    """The fences of one key, in the order of its grants."""

    def test_the_fence_grows_after_a_release(self, ask: Ask, key: str) -> None:
        first = self.take(ask, key)

        RULES[3].expect(True, ask.release(key, first.token), "release by the holder")
        again = RULES[6].granted(ask.acquire(key, first.token, LONG), "acquire by a token that released")
        fence = growing(first.fence, again, "after a release")
        RULES[3].expect(True, ask.release(key, first.token), "release by the holder")
        next_grant = RULES[6].granted(ask.acquire(key, new_token(), LONG), "acquire of a released key")
        growing(fence, next_grant, "after a second release")

    def test_the_fence_grows_after_expiry(self, ask: Ask, key: str) -> None:
        first = self.expired(ask, key)

        grant = RULES[6].granted(ask.acquire(key, new_token(), self.min_ttl), "acquire of an expired key")
        growing(first.fence, grant, "after expiry")

    def test_the_same_token_after_expiry_is_a_new_grant(self, ask: Ask, key: str) -> None:
        first = self.expired(ask, key)

        grant = RULES[6].granted(ask.acquire(key, first.token, LONG), "acquire by a token that had expired")
        growing(first.fence, grant, "after the same token had expired")

    def test_the_fence_grows_over_many_quick_grants(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)
        fence = lease.fence

        for _ in range(200):
            RULES[3].expect(True, ask.release(key, lease.token), "release by the holder")
            lease = self.take(ask, key)
            fence = growing(fence, RULES[6].granted(ask.acquire(key, lease.token, LONG), "asking again"), "at once")

    def test_the_fence_grows_over_a_restart_of_the_store(self, ask: Ask, key: str) -> None:
        first = self.take(ask, key)
        ask.release(key, first.token)

        restarted = ask.of(self.restart(ask.backend))
        grant = RULES[6].granted(
            restarted.acquire(key, new_token(), LONG), "acquire of a key released before a restart"
        )
        growing(first.fence, grant, "after a restart of the store")
