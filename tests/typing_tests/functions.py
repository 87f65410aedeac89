"""What type checkers see of a decorated function: its own parameters, and its result or the skip's.

These files are not run: mypy and pyright read them, and an ignore that is not needed is an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Literal, assert_type
from uuid import UUID

from once_core import SKIPPED, Holder, Once, once
from once_core.typed import Skipped


@once(key="check-{order_id}")
def check(order_id: UUID, line: int = 0, *, late: bool = False) -> str:
    return ""


@once(key="check-{order_id}", raise_on_locked=True)
def check_or_raise(order_id: UUID) -> str:
    return ""


@once("check-{order_id}", True)
def check_or_raise_by_position(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", raise_on_locked=True, return_on_locked=7)
def check_or_raise_all_the_same(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", return_on_locked=7)
def check_or_number(order_id: UUID) -> str:
    return ""


@once("check-{order_id}", False, 7)
def check_or_number_by_position(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", raise_on_locked=False, return_on_locked=None)
def check_or_none(order_id: UUID) -> str:
    return ""


@once(key="check-{order_id}", return_on_locked=SKIPPED)
def check_or_skipped(order_id: UUID) -> str | None:
    return None


@once(key="check-{order_id}")
def check_nothing(order_id: UUID) -> None: ...


def key_of_order(order_id: int) -> str:
    return str(order_id)


@once(key=key_of_order)
def check_by_key_function(order_id: int) -> str:
    return ""


def results(order: UUID, chosen: bool) -> None:
    assert_type(check(order), str | None)
    assert_type(check(order, 1, late=True), str | None)
    assert_type(check_or_raise(order), str)
    assert_type(check_or_raise_by_position(order), str)
    assert_type(check_or_raise_all_the_same(order), str)
    assert_type(check_or_number(order), str | int)
    assert_type(check_or_number_by_position(order), str | int)
    assert_type(check_or_none(order), str | None)
    assert_type(check_by_key_function(7), str | None)
    assert_type(check_nothing(order), None)


def skipped(order: UUID) -> None:
    result = check_or_skipped(order)
    assert_type(result, str | Literal[Skipped.SKIPPED] | None)
    if result is not SKIPPED:
        assert_type(result, str | None)


def a_choice_that_is_made_at_run_time(order: UUID, chosen: bool) -> None:
    @once(key="{order}", raise_on_locked=chosen, return_on_locked=7)
    def by_name(order: UUID) -> str:
        return ""

    @once(key="{order}", raise_on_locked=chosen)
    def with_none(order: UUID) -> str:
        return ""

    assert_type(by_name(order), str | int)
    assert_type(with_none(order), str | None)


def wrong_arguments(order: UUID) -> None:
    check()  # type: ignore[call-arg]
    check("7")  # type: ignore[arg-type]
    check(order, 1, True)  # type: ignore[call-arg]
    check(order, late="no")  # type: ignore[arg-type]
    check(order, other=1)  # type: ignore[call-arg]
    check_or_raise()  # type: ignore[call-arg]


def attributes(order: UUID) -> None:
    assert_type(check.key_for(order, line=1), str)
    assert_type(check.is_locked(order), bool)
    assert_type(check.release(order), bool)
    assert_type(check.holder(order), Holder | None)
    assert_type(check.__name__, str)
    assert_type(check.__wrapped__, Callable[..., Any])
    check.key_for()  # type: ignore[call-arg]
    check.is_locked("7")  # type: ignore[arg-type]
    check.release(order, other=1)  # type: ignore[call-arg]
    check.holder(order, late=1)  # type: ignore[arg-type]
    print(check.nothing)  # type: ignore[attr-defined]


def options() -> None:
    once()  # type: ignore[call-overload]
    once(key=7)  # type: ignore[call-overload]
    once(key="x", ttl="30")  # type: ignore[call-overload]
    once(key="x", hold_at_least=None)  # type: ignore[call-overload]
    once(key="x", on_unavailable="ignore")  # type: ignore[call-overload]
    once(key="x", other=1)  # type: ignore[call-overload]
    once(key="x", ttl=1, hold_at_least=0, hold_at_most=None, raise_on_lost=True, on_unavailable="run")


def it_can_be_passed_on(order: UUID) -> None:
    plain: Callable[[UUID], str | None] = check
    wrong: Callable[[int], str | None] = check  # type: ignore[assignment]
    assert_type(partial(check, line=1)(order), str | None)
    print(plain, wrong)


def other_shapes(order: UUID) -> None:
    def body(order: UUID, line: int) -> str:
        return ""

    class Check:
        def __call__(self, order: UUID) -> str:
            return ""

    assert_type(once(key="{order}")(partial(body, line=1))(order), str | None)
    assert_type(once(key="{order}")(Check())(order), str | None)
    assert_type(once(key="{x}")(len)("x"), int | None)
    once(key="x")(7)  # type: ignore[call-overload]


billing = Once("sqlite:///jobs.db", prefix="billing:", ttl=10, on_unavailable="skip")


@billing.once(key="{order}", return_on_locked=False)
def bill(order: UUID) -> int:
    return 1


def several(order: UUID) -> None:
    assert_type(bill(order), int | bool)
    assert_type(billing.configure("memory://", ttl=1), Once)


def decorators_can_be_kept() -> None:
    single = once(key="single", raise_on_locked=True)

    @single
    def first() -> int:
        return 1

    @single
    async def second() -> str:
        return ""

    assert_type(first(), int)
    result: Coroutine[Any, Any, str] = second()
    print(result)


@once(key="any")
def loosely_typed(*args: Any, **kwargs: Any) -> int:
    return 1


@once(key="{model}")
def of_a_class(model: type[UUID], order: int) -> int:
    return 1


def loose_types_stay_usable(anything: Callable[..., int], order: UUID) -> None:
    def body(order: UUID, line: int) -> str:
        return ""

    assert_type(loosely_typed(), int | None)
    assert_type(loosely_typed(1, b=2), int | None)
    assert_type(once(key="x")(anything)(), int | None)
    assert_type(once(key="x")(partial(body, order, 1))(), str | None)
    assert_type(once(key="x")(partial(body, line=1))(order=order), str | None)
    assert_type(of_a_class(UUID, 7), int | None)
    assert_type(of_a_class(model=UUID, order=7), int | None)
    assert_type(of_a_class.is_locked(UUID, 7), bool)
