"""G12: the same call has the same key in every process, and different calls have different keys."""

from __future__ import annotations

from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from once_core import ConfigurationError

from .processes import Programs
from .stores import Store


def test_keys_are_the_same_in_every_process(programs: Programs, tmp_path: Path) -> None:
    seeds = ["0", "1", "4711", "random", "random"]
    started = [programs.start("keys", PYTHONHASHSEED=seed) for seed in seeds]
    results = [programs.result(process) for process in started]

    assert {0} == {code for code, _, _ in results}
    assert 1 == len({output for _, output, _ in results})
    assert len(results[0][1].splitlines()) > 20


def test_different_fields_make_different_keys(memory: Store) -> None:
    @memory.once().once(key="{one}-{two}.{three}")
    def run(one: str, two: str, three: str) -> None: ...

    texts = ["", "-", ".", "%", "%2D", "%2E", "--", "-.", "-%", "1", "1-", ".1"]
    keys = [run.key_for(*fields) for fields in product(texts, repeat=3)]

    assert len(keys) == len(set(keys))


def test_by_position_by_keyword_and_by_default_is_the_same_call(memory: Store) -> None:
    @memory.once().once(key="{order}-{kind}-{more[colour]}")
    def run(order: int, kind: str = "big", **more: str) -> None: ...

    assert {"7-big-red"} == {
        run.key_for(7, colour="red"),
        run.key_for(7, "big", colour="red"),
        run.key_for(kind="big", order=7, colour="red"),
        run.key_for("7", colour="red"),  # type: ignore[arg-type]  # as JSON may turn it
    }


def test_plain_and_coroutine_functions_have_the_same_keys(memory: Store) -> None:
    once = memory.once()

    @once.once(key="{day:%Y}-{number:04}")
    def plain(day: date, number: int) -> None: ...

    @once.once(key="{day:%Y}-{number:04}")
    async def coroutine(day: date, number: int) -> None: ...

    assert "2024-0007" == plain.key_for(date(2024, 2, 29), 7) == coroutine.key_for(date(2024, 2, 29), 7)


@pytest.mark.parametrize("value", [object(), [object()], {1, 2}, frozenset("ab"), [{1, 2}], {"a": {1}}])
def test_what_differs_between_processes_is_refused(memory: Store, value: Any) -> None:
    @memory.once().once(key="key-{value}")
    def run(value: Any) -> None: ...

    with pytest.raises(ConfigurationError):
        run.key_for(value)
