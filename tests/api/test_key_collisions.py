"""Two calls whose fields differ never meet in one key (G12)."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from once_core import ConfigurationError, once


@pytest.mark.parametrize("separator", ["-", "--", "2", "5", "D", "25", "2D", "%x", "%2D", "é", "{{", "-%", "a%"])
def test_different_values_make_different_keys(separator: str) -> None:
    @once(key=f"{{a}}{separator}{{b}}")
    def check(a: str, b: str) -> None: ...

    alphabet = sorted({"x", "%", "2", "5", *separator.replace("{{", "{")})
    words = ["".join(word) for length in range(4) for word in product(alphabet, repeat=length)]
    if len(words) > 90:
        words = Random(7).sample(words, 90)
    calls: dict[str, tuple[str, str]] = {}
    for call in product(words, words):
        meets = calls.setdefault(check.key_for(*call), call)

        assert call == meets


@pytest.mark.parametrize("separator", ["%", "%2", "%25", "%25-"])
def test_a_separator_that_reads_like_an_escaped_percent_sign_is_refused(separator: str) -> None:
    with pytest.raises(ConfigurationError, match="choose another text"):

        @once(key=f"{{a}}{separator}{{b}}")
        def check(a: str, b: str) -> None: ...


def test_different_values_of_many_fields_make_different_keys() -> None:
    @once(key="{a}-{b}:{c}%x{d}")
    def check(a: str, b: str, c: str, d: str) -> None: ...

    random = Random(11)
    calls: dict[str, tuple[str, ...]] = {}
    for _ in range(20_000):
        call = tuple("".join(random.choices("-:%x2", k=random.randrange(4))) for _ in "abcd")
        meets = calls.setdefault(check.key_for(*call), call)

        assert call == meets


def test_a_lone_surrogate_is_told_apart_too() -> None:
    @once(key="{a}\ud800{b}")
    def check(a: str, b: str) -> None: ...

    assert check.key_for("\ud800", "") != check.key_for("", "\ud800")
