"""The wrapped function looks like the function: task queues find, pickle, check and inject by what they see."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import TYPE_CHECKING, Any, get_type_hints
from uuid import UUID

import pytest

import once_core
from once_core import Once

from .both import Both
from .programs import run

if TYPE_CHECKING:
    from decimal import Decimal


@once_core.once(key="check-{order_id}")
def check(order_id: UUID, line: int = 0, *, when: Decimal | None = None) -> list[UUID]:
    """Look after an order."""
    return [order_id]


@once_core.once(key="check-{order_id}")
async def acheck(order_id: UUID, line: int = 0, *, when: Decimal | None = None) -> list[UUID]:
    """Look after an order."""
    return [order_id]


class Shop:
    @once_core.once(key="{order_id}")
    def method(self, order_id: int) -> None: ...


WRAPPED = pytest.mark.parametrize(("function", "name"), [(check, "check"), (acheck, "acheck")])


@WRAPPED
def test_it_is_a_function_with_its_name_module_and_docstring(function: Any, name: str) -> None:
    assert inspect.isfunction(function)
    assert (name, name, __name__) == (function.__name__, function.__qualname__, function.__module__)
    assert "Look after an order." == function.__doc__


def test_it_is_a_coroutine_function_only_if_the_function_is() -> None:
    assert (False, True) == (inspect.iscoroutinefunction(check), inspect.iscoroutinefunction(acheck))


@WRAPPED
def test_it_knows_what_it_wraps(function: Any, name: str) -> None:
    assert name == function.__wrapped__.__name__
    assert function.__wrapped__ is not function
    assert function.__wrapped__.__annotations__ == function.__annotations__


@WRAPPED
def test_it_is_pickled_and_copied_by_name(function: Any, name: str) -> None:
    assert function is pickle.loads(pickle.dumps(function))
    assert function is copy.deepcopy(function)


@WRAPPED
def test_it_can_be_renamed_and_is_pickled_by_its_new_name(
    function: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "__name__", f"{name}__original")  # as taskiq does, which needs the old one
    monkeypatch.setattr(function, "__qualname__", f"{name}__original")
    monkeypatch.setitem(globals(), f"{name}__original", function)

    assert f"{name}__original".encode() in pickle.dumps(function)
    assert function is pickle.loads(pickle.dumps(function))


def test_a_method_is_pickled_by_name() -> None:
    assert Shop.method is pickle.loads(pickle.dumps(Shop.method))
    assert "Shop.method" == Shop.method.__qualname__


@WRAPPED
def test_its_signature_has_evaluated_annotations_where_they_can_be_evaluated(function: Any, name: str) -> None:
    signature = function.__signature__

    assert ["order_id", "line", "when"] == list(signature.parameters)
    assert [UUID, int, "Decimal | None"] == [p.annotation for p in signature.parameters.values()]
    assert list[UUID] == signature.return_annotation
    assert signature == inspect.signature(function)


def test_its_type_hints_are_those_of_the_function() -> None:
    assert {"order_id": int, "return": type(None)} == get_type_hints(Shop.method)


@WRAPPED
def test_its_signature_checks_arguments(function: Any, name: str) -> None:
    with pytest.raises(TypeError, match="order_id"):
        function.__signature__.bind()
    with pytest.raises(TypeError, match="unexpected"):
        inspect.signature(function).bind(1, nonsense=2)


def test_a_name_of_an_enclosing_function_stays_a_text() -> None:
    class Local: ...

    @once_core.once(key="{order}")
    def nested(order: Local, line: int) -> None: ...

    assert ["Local", int] == [p.annotation for p in inspect.signature(nested).parameters.values()]


def test_an_annotation_that_fails_harms_nobody() -> None:
    def nested(order: int) -> None: ...

    nested.__annotations__["order"] = "1 / 0"

    assert "1 / 0" == inspect.signature(once_core.once(key="{order}")(nested)).parameters["order"].annotation


def test_attributes_that_the_function_has_are_kept(both: Both, once: Once) -> None:
    function = both.function(lambda order: order)
    function.max_retries = 3
    wrapped = once.once(key="{order}")(function)

    assert 3 == wrapped.max_retries
    wrapped.queue = "slow"
    assert not hasattr(function, "queue")


def test_the_module_of_an_importable_task_finds_it_again() -> None:
    program = """
        import pickle, sys, types
        module = types.ModuleType("tasks")
        sys.modules["tasks"] = module
        exec('''
        from once_core import once
        @once(key="{order}")
        def check(order): return order
        '''.replace("\\n        ", "\\n"), module.__dict__)
        print(pickle.loads(pickle.dumps(module.check)) is module.check)
    """

    assert "True" == run(program)
