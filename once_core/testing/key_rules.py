"""Rule 7: any non-empty text is a key, and different texts are different keys."""

from __future__ import annotations

import pytest

from .asking import Ask
from .basis import LONG, Basis, new_token
from .rules import RULES

_POEM = "Мороз и солнце; день чудесный!\nЕщё ты дремлешь, друг прелестный -\n"
_CYRILLIC = (_POEM * 150)[:10_000]

_ODD = {
    "10,000 characters of Cyrillic with newlines": _CYRILLIC,
    "a blank before": " {}",
    "a blank behind": "{} ",
    "blanks within": "{} a  b",
    "a newline": "{}\r\nSTAT 1\r\n",
    "control characters": "{}" + "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "a NUL": "{}\0a",
    "an emoji": "{}\N{PILE OF POO}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    "wildcards": "{}%_*?[a]\\",
    "quotes": "{}'\"`; --",
    "braces and a colon": "{}:{{a}}:{{",
    "a format's percent": "{}%s%(a)s%%:a",
    "250 bytes": "{}" + "x" * 225,
    "251 bytes": "{}" + "x" * 226,
    "a line separator and a byte order mark": "{}\u2028\ufeff\uffff",
}

_PAIRS = {
    "case": ("{}a", "{}A"),
    "case in Cyrillic": ("{}ж", "{}Ж"),
    "a blank behind": ("{}", "{} "),
    "a blank before": ("{}", " {}"),
    "blanks within": ("{}a b", "{}a  b"),
    "a newline behind": ("{}", "{}\n"),
    "a tab for a blank": ("{}a b", "{}a\tb"),
    "an accent": ("{}е", "{}ё"),
    "composed and decomposed": ("{}\u00e9", "{}e\u0301"),
    "sharp s": ("{}ss", "{}ß"),
    "what follows a NUL": ("{}\0a", "{}\0b"),
    "a NUL behind": ("{}", "{}\0"),
    "quoted and unquoted": ("{}a b", "{}a%20b"),
    "a plus for a blank": ("{}a b", "{}a+b"),
    "an underscore for a blank": ("{}a b", "{}a_b"),
    "escaped and unescaped": ("{}\n", "{}\\n"),
    "a wildcard and what it matches": ("{}%", "{}a"),
    "a star and what it matches": ("{}*", "{}a"),
    "a letter beyond ASCII and its substitute": ("{}й", "{}?"),
    "an emoji and another": ("{}\N{DOG FACE}", "{}\N{CAT FACE}"),
    "the last byte of 300": ("{}" + "x" * 275, "{}" + "x" * 274 + "y"),
    "the last byte of 10,000": ("{}" + "x" * 9_975, "{}" + "x" * 9_974 + "y"),
    "the last of 10,000 letters of Cyrillic": (_CYRILLIC + "{}а", _CYRILLIC + "{}б"),
    "the length beyond 250 bytes": ("{}" + "x" * 226, "{}" + "x" * 227),
    "the first byte of 300": ("a{}" + "x" * 275, "b{}" + "x" * 275),
}


class KeyRules(Basis):
    """Odd keys, each taken through a lease's whole life, and pairs that must not meet."""

    def test_two_keys_do_not_know_of_each_other(self, ask: Ask, key: str) -> None:
        lease, other = self.take(ask, key), self.take(ask, key + "-2")

        RULES[7].expect(True, ask.release(key, lease.token), "release of one of two keys")
        self.still_holds(ask, other, 7, "the release of another key")

    def test_one_token_may_hold_two_keys(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)

        other = self.take(ask, key + "-2", token=lease.token)
        RULES[7].expect(True, ask.release(key, lease.token), "release of one of two keys of a token")
        self.still_holds(ask, other, 7, "the release of another key of the same token")

    @pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD)
    def test_any_text_is_a_key(self, ask: Ask, key: str, odd: str) -> None:
        key = odd.replace("{}", key) if "{}" in odd else odd + key

        lease = self.take(ask, key)
        RULES[7].refused(ask.acquire(key, new_token(), LONG), "acquire by a stranger of a held key")
        self.still_holds(ask, lease, 7, "being taken by an odd key")
        RULES[7].expect(True, ask.release(key, lease.token), "release by the holder of an odd key")
        RULES[7].expect(None, ask.holder(key), "holder of a released odd key")

    @pytest.mark.parametrize("pair", _PAIRS.values(), ids=_PAIRS)
    def test_keys_that_differ_a_little_are_two_keys(self, ask: Ask, key: str, pair: tuple[str, str]) -> None:
        one, two = (text.replace("{}", key) for text in pair)
        lease = self.take(ask, one)

        RULES[7].expect(None, ask.holder(two), f"with {one[-20:]!r} held, holder of {two[-20:]!r}")
        other = RULES[7].granted(ask.acquire(two, new_token(), LONG), f"beside {one[-20:]!r} acquire of {two[-20:]!r}")
        RULES[7].expect(type(lease.fence), type(other.fence), "the fence's type")
        RULES[7].expect(True, ask.release(one, lease.token), f"release of {one[-20:]!r}")
        RULES[7].refused(
            ask.acquire(two, new_token(), LONG), f"after release of {one[-20:]!r} acquire of {two[-20:]!r}"
        )
