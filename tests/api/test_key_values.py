"""A value that can't be part of a key is refused at the call, before anything is held."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from once_core import ConfigurationError, Once

from .both import Both
from .stores import Stage


class Thing:
    """Its text is its address."""

    def method(self) -> None: ...


@dataclass
class Order:
    id: Any = None


def a_function() -> None: ...


ADDRESSES = [Thing(), a_function, Thing().method, (Thing(),), [[Thing()]], {"k": Thing()}, Order(Thing()), iter([1])]
SETS = [{1}, set(), frozenset("x"), [{1}], ({"k": frozenset()},), {"k": [{1}]}, {frozenset(): 1}]


@pytest.mark.parametrize("value", ADDRESSES, ids=lambda value: type(value).__name__)
def test_an_address_is_refused(both: Both, stage: Stage, value: Any) -> None:
    check = stage.once.once(key="check-{order}")(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match=r"\{order\}.* at 0x"):
        both.call(check, value)


@pytest.mark.parametrize("value", SETS, ids=repr)
def test_a_set_is_refused(both: Both, once: Once, value: Any) -> None:
    check = once.once(key="check-{order}")(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match=r"\{order\}.*set"):
        both.call(check, value)


@pytest.mark.parametrize("template", ["{order!r}", "{order!s}", "{order.id}", "x-{order.id!r}-{other}"])
@pytest.mark.parametrize("value", [Thing(), {1, 2}], ids=["address", "set"])
def test_neither_conversion_nor_attribute_hides_a_bad_value(once: Once, template: str, value: Any) -> None:
    @once.once(key=template)
    def check(order: Any, other: int = 0) -> None: ...

    with pytest.raises(ConfigurationError, match="order"):
        check.key_for(Order(value) if ".id" in template else value)


def test_texts_that_only_look_a_little_like_an_address_are_keys(once: Once) -> None:
    check = once.once(key="{text}")(lambda text: None)

    assert "meet at 0xBEEF" == check.key_for("meet at 0xBEEF")
    assert "a < b at 0 or <c>" == check.key_for("a < b at 0 or <c>")


@dataclass
class Tagged:
    tags: set[str]
    hidden: set[str] = field(default_factory=lambda: {"x"}, repr=False)


@dataclass
class Named(Tagged):
    def __str__(self) -> str:
        return "named"


def test_a_set_that_shows_inside_another_value_is_refused(once: Once) -> None:
    check = once.once(key="{value}")(lambda value: None)

    for value in (Tagged({"a"}), deque([{"a"}]), [Tagged({"a"})]):
        with pytest.raises(ConfigurationError, match="order differs"):
            check.key_for(value)


def test_a_set_that_does_not_show_is_no_part_of_the_key(once: Once) -> None:
    endless: list[object] = [1]
    endless.append(endless)
    check = once.once(key="{value}")(lambda value: None)

    assert "named" == check.key_for(Named({"a"}))
    assert "[1, [...]]" == check.key_for(endless)


def test_the_order_of_keywords_makes_no_difference(both: Both, once: Once) -> None:
    check = once.once(key="{kind}-{more}")(both.function(lambda kind, **more: None))

    assert "x-{'a': 1, 'b': 2}" == check.key_for("x", a=1, b=2)
    assert check.key_for("x", a=1, b=2) == check.key_for("x", b=2, a=1)


def test_sequences_that_keep_their_order_are_keys(once: Once) -> None:
    check = once.once(key="{texts}")(lambda texts: None)

    assert "deque([1])" == check.key_for(deque([1]))
    assert "dict_keys([1])" == check.key_for({1: 2}.keys())


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{order.id}", None),
        ("{order.id.hex}", Order()),
        ("{order[0]}", []),
        ("{order[0]}", None),
        ("{order[k]}", {}),
        ("{order[k]}", []),
        ("{order:05d}", "text"),
        ("{order:%Y}", 7),
        ("{order:>5}", None),
    ],
)
def test_a_field_that_this_call_lacks_is_a_configuration_error(
    both: Both, once: Once, template: str, value: Any
) -> None:
    check = once.once(key=template)(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match="order") as caught:
        both.call(check, value)

    assert template in str(caught.value)
    assert isinstance(caught.value.__cause__, AttributeError | LookupError | TypeError | ValueError)


@pytest.mark.parametrize("template", ["{order}", "{order[0]}"])
def test_an_empty_key_is_refused(both: Both, once: Once, template: str) -> None:
    check = once.once(key=template)(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match="empty"):
        both.call(check, [""] if "[" in template else "")


@pytest.mark.parametrize("key", [None, 7, b"x", ["x"]])
def test_a_key_function_that_returns_no_text_is_refused(both: Both, once: Once, key: Any) -> None:
    check = once.once(key=lambda order: key)(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match="must be a text"):
        both.call(check, 1)


@pytest.mark.parametrize("key", ["", f"order {Thing()}"], ids=["empty", "address"])
def test_a_key_function_that_returns_a_bad_text_is_refused(both: Both, once: Once, key: str) -> None:
    check = once.once(key=lambda order: key)(both.function(lambda order: "ran"))

    with pytest.raises(ConfigurationError, match=r"empty|address"):
        both.call(check, 1)


async def _key() -> str:
    return "check"


def test_a_key_function_that_returns_a_coroutine_is_refused_and_the_coroutine_closed(once: Once) -> None:
    check = once.once(key=lambda: _key())(lambda: None)  # type: ignore[arg-type, return-value]  # this is the point

    with pytest.raises(ConfigurationError, match="must be a text"):
        check()


def test_what_a_key_function_raises_passes(both: Both, once: Once) -> None:
    check = once.once(key=lambda order: str(1 // order))(both.function(lambda order: "ran"))

    with pytest.raises(ZeroDivisionError):
        both.call(check, 0)
