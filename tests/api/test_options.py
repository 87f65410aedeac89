"""An option that makes no sense is refused where it is written, by a text that names it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from once_core import ConfigurationError, Once, lock, once
from once_memory import MemoryBackend

NOT_SECONDS: list[Any] = [-1, -0.5, nan, inf, -inf, "30", True, 10**400]
NO_BOOLS: list[Any] = ["no", 0, 1, None]
NO_POLICIES: list[Any] = ["", "RAISE", "ignore", True, 0, [], {}]
BAD: list[dict[str, Any]] = [
    *[{"ttl": value} for value in (*NOT_SECONDS, 0, 0.0, [])],
    *[{"hold_at_most": value} for value in (*NOT_SECONDS, 0, False)],
    *[{"hold_at_least": value} for value in (*NOT_SECONDS, None, "")],
    *[{"raise_on_lost": value} for value in NO_BOOLS],
    *[{"on_unavailable": value} for value in NO_POLICIES],
    {"hold_at_least": 2, "hold_at_most": 1},
    {"hold_at_least": 1.001, "hold_at_most": 1},
]
DOORS: list[Callable[..., Any]] = [
    lambda **options: once(key="check", **options),
    lambda **options: lock("check", **options),
    lambda **options: Once().once(key="check", **options),
    lambda **options: Once().lock("check", **options),
]


@pytest.mark.parametrize("options", BAD, ids=str)
@pytest.mark.parametrize("door", DOORS, ids=["once", "lock", "Once.once", "Once.lock"])
def test_a_bad_option_is_refused_by_name(door: Callable[..., Any], options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        door(**options)

    assert [] == [name for name in options if name not in str(caught.value)]
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("wait", [*NOT_SECONDS, None])
def test_a_bad_wait_of_a_lock_is_refused_by_name(wait: Any) -> None:
    with pytest.raises(ConfigurationError, match="wait"):
        lock("check", wait=wait)


@pytest.mark.parametrize("value", NO_BOOLS)
def test_raising_on_a_held_key_is_chosen_by_true_or_false(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="raise_on_locked"):
        once(key="check", raise_on_locked=value)


@pytest.mark.parametrize("key", ["", None, 7, b"check", object()])
def test_a_bad_key_of_a_lock_is_refused(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="key of lock"):
        lock(key)


def test_the_key_of_a_lock_is_literal(once: Once) -> None:
    with once.lock("{not} a %template%") as lease:
        assert "{not} a %template%" == lease.key


@pytest.mark.parametrize(
    "options",
    [
        *[{"ttl": value} for value in (*NOT_SECONDS, 0, None)],
        *[{"on_unavailable": value} for value in (*NO_POLICIES, None)],
        *[{"prefix": value} for value in (None, 7, b"once:")],
    ],
    ids=str,
)
def test_a_bad_option_of_configure_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Once(MemoryBackend(), **options)

    assert [] == [name for name in options if name not in str(caught.value)]


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 1},
        {"ttl": 0.001},
        {"hold_at_least": 0},
        {"hold_at_least": 5, "hold_at_most": 5.0},
        {"hold_at_least": 100, "ttl": 1},
        {"hold_at_most": 1, "ttl": 100},
        {"on_unavailable": "skip", "raise_on_lost": True},
        {"ttl": None, "hold_at_most": None, "on_unavailable": None},
    ],
    ids=str,
)
def test_a_good_option_is_taken(options: dict[str, Any]) -> None:
    assert 7 == Once(MemoryBackend()).once(key="check", **options)(lambda: 7)()


def test_options_but_the_skip_s_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        once("check", False, None, 30.0)  # type: ignore[call-overload]  # this is the point


def test_a_function_s_ttl_goes_before_the_once_s() -> None:
    once = Once(MemoryBackend(), ttl=7.0)

    with once.lock("a") as by_default, once.lock("b", ttl=3.0) as chosen:
        assert (7.0, 3.0) == (by_default.ttl, chosen.ttl)
