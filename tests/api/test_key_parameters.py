"""Any parameter list can be rendered, and wrong arguments are refused as the function itself refuses them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from once_core import Once, once

from .both import Both
from .stores import FailingBackend


class Odd:
    """A default that no source text could spell."""

    def __repr__(self) -> str:
        return "import os; ) or ("

    def __str__(self) -> str:
        return "odd"


ODD = Odd()


def clashing(
    type: Any = 1,
    format: Any = 2,
    getattr: Any = 3,
    repr: Any = 4,
    _v0: Any = 5,
    __key: Any = 6,
    _type: Any = 7,
    ___t1: Any = 8,
    key_of_call: Any = 9,
    errors: Any = 10,
    __d0: Any = 11,
) -> None: ...


def test_no_name_of_a_parameter_clashes() -> None:
    names = list(inspect.signature(clashing).parameters)
    check = once(key=" ".join(f"{{{name}:}}" for name in names))(clashing)

    assert " ".join(map(str, range(1, 12))) == check.key_for()
    assert " ".join("x" for _ in names) == check.key_for(**dict.fromkeys(names, "x"))


def test_parameters_called_self_function_key_args_are_ordinary() -> None:
    @once(key="{self}-{function}-{key}-{args}-{kwargs}-{instance}")
    def check(self: int, function: int, key: int, args: int, kwargs: int, instance: int) -> None: ...

    assert "1-2-3-4-5-6" == check.key_for(self=1, function=2, key=3, args=4, kwargs=5, instance=6)


def test_such_parameters_can_be_given_by_name(both: Both, once: Once) -> None:
    def body(self: int, function: int, key: int, args: int) -> int:
        return self + function + key + args

    check = once.once(key="{self}-{function}-{key}-{args}")(both.function(body))

    assert 10 == both.call(check, 1, 2, 3, args=4)
    assert 10 == check(self=1, function=2, key=3, args=4) if both.name == "def" else True


def test_positional_only_and_keyword_only_parameters_are_fields() -> None:
    @once(key="{a}-{b}-{c}-{d}")
    def check(a: int, /, b: int, *, c: int, d: int = 4) -> None: ...

    assert "1-2-3-4" == check.key_for(1, 2, c=3)
    assert "1-2-3-4" == check.key_for(1, c=3, b=2)
    with pytest.raises(TypeError, match="positional-only"):
        check.key_for(a=1, b=2, c=3)  # type: ignore[call-arg]  # this is the point


def test_a_default_may_be_any_object() -> None:
    @once(key="{a}-{b}-{c}-{d}")
    def check(a: Any = ODD, *, b: Any = "'\"\\", c: Any = float("inf"), d: Any = (1, [2])) -> None: ...

    assert "odd-'\"\\-inf-(1, [2])" == check.key_for()


def test_a_default_is_the_function_s_own_object() -> None:
    default: list[int] = []

    @once(key="{a}")
    def check(a: Any = default) -> None: ...

    default.append(7)

    assert "[7]" == check.key_for()


def test_a_letter_of_another_script_can_name_a_parameter() -> None:
    @once(key="{größe}-{鍵}")
    def check(größe: int, 鍵: int) -> None: ...

    assert "1-2" == check.key_for(1, 2)


def wrong(a: int, /, b: int, *, c: int = 0) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"d": 4}), ((1, 2), {"b": 2}), ((), {"a": 1, "b": 2})],
)
@pytest.mark.parametrize("template", ["{a}-{b}", "static"])
def test_wrong_arguments_raise_the_function_s_own_error_and_nothing_is_held(
    both: Both, template: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    backend = FailingBackend()
    function = both.function(wrong)
    check = Once(backend).once(key=template)(function)
    with pytest.raises(TypeError) as own:
        both.call(function, *args, **kwargs)

    with pytest.raises(TypeError) as caught:
        both.call(check, *args, **kwargs)

    assert str(own.value) == str(caught.value)
    assert TypeError is type(caught.value)
    assert [] == backend.asked


@pytest.mark.parametrize("attribute", ["is_locked", "holder", "release"])
def test_wrong_arguments_of_an_attribute_are_a_type_error(both: Both, once: Once, attribute: str) -> None:
    check = once.once(key="{a}")(both.function(wrong))
    call: Callable[..., Any] = getattr(check, attribute)

    with pytest.raises(TypeError, match=r"wrong\(\) missing"):
        both.call(call, 1)


def test_a_key_function_gets_the_arguments_as_they_were_given(both: Both, once: Once) -> None:
    seen: list[Any] = []

    def key(*args: Any, **kwargs: Any) -> str:
        seen.append((args, kwargs))
        return "check"

    check = once.once(key=key)(both.function(lambda a, b=2: a + b))

    assert 4 == both.call(check, 1, b=3)
    assert [((1,), {"b": 3})] == seen
