"""A call that finds its key held exits early, in the way that was chosen."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from once_core import SKIPPED, AlreadyLocked

from .both import Both
from .stores import RIVAL, Stage


def test_a_skip_returns_none_by_default(both: Both, stage: Stage) -> None:
    stage.hold("check-7")
    check = stage.once.once(key="check-{order}")(both.function(lambda order: "ran"))

    assert both.call(check, 7) is None
    assert "ran" == both.call(check, 8)


@pytest.mark.parametrize("value", [SKIPPED, 0, [], "skipped", ValueError, ValueError("x")])
def test_a_skip_returns_the_value_that_was_chosen(both: Both, stage: Stage, value: Any) -> None:
    stage.hold("check-7")
    check = stage.once.once("check-{order}", False, value)(both.function(lambda order: "ran"))

    assert both.call(check, 7) is value


def test_a_skip_raises_if_that_was_chosen_and_names_the_holder(both: Both, stage: Stage) -> None:
    stage.hold("check-7")
    check = stage.once.once(key="check-{order}", raise_on_locked=True, return_on_locked=1)(
        both.function(lambda order: 0)
    )

    with pytest.raises(AlreadyLocked) as caught:
        both.call(check, 7)

    assert "check-7" == caught.value.key
    assert caught.value.holder is not None
    assert (RIVAL, "elsewhere", 77) == (caught.value.holder.token, caught.value.holder.host, caught.value.holder.pid)


def test_a_skip_in_the_same_process_names_its_run(both: Both, stage: Stage) -> None:
    check = stage.once.once(key="check", raise_on_locked=True)(both.function(lambda: 0))

    with stage.once.lock("check") as lease, pytest.raises(AlreadyLocked) as caught:
        both.call(check)

    assert caught.value.holder is not None
    assert lease.token == caught.value.holder.token


def test_a_skip_leaves_nothing_behind(both: Both, stage: Stage) -> None:
    stage.hold("check")
    check = stage.once.once(key="check", return_on_locked="skipped")(both.function(lambda: "ran"))
    answers = [both.call(check) for _ in range(3)]
    holder = stage.holder("check")
    stage.free("check")

    assert ["skipped"] * 3 == answers
    assert holder is not None
    assert RIVAL == holder.token
    assert "ran" == both.call(check)


def test_skipped_is_a_text_that_survives_a_task_queue() -> None:
    assert SKIPPED == json.loads(json.dumps(SKIPPED))
    assert SKIPPED is pickle.loads(pickle.dumps(SKIPPED))
    assert SKIPPED
