"""A template that can't work is refused at decoration, by a text that names the field and the parameters."""

from __future__ import annotations

from typing import Any

import pytest

from once_core import ConfigurationError, once


def check(order_id: int, line: int = 0, **more: Any) -> None: ...


BAD = [
    ("{order}", ["{order}", "order_id, line, more"]),
    ("x-{order_id}-{Line}", ["{Line}", "order_id, line, more"]),
    ("{ order_id}", ["{ order_id}", "order_id"]),
    ("{}", ["{}", "order_id"]),
    ("{order_id}-{}", ["{}", "order_id"]),
    ("{0}", ["{0}", "order_id"]),
    ("{.id}", ["{.id}", "order_id"]),
    ("{[0]}", ["{[0]}", "order_id"]),
    ("{order_id.}", ["{order_id.}", "order_id"]),
    ("{order_id[]}", ["{order_id[]}", "order_id"]),
    ("{order_id[0}", ["order_id"]),
    ("{order_id]}", ["{order_id]}"]),
    ("{order_id[0]x}", ["{order_id[0]x}"]),
    ("{order_id:{width}}", ["{width}", "order_id"]),
    ("{order_id:{}}", ["{}", "order_id"]),
    ("{order_id:{line:{more}}}", ["{line}"]),
    ("{order_id!x}", ["!x", "!r"]),
    ("{order_id!}", ["{order_id!}"]),
    ("{order_id", ["{order_id"]),
    ("order_id}", ["order_id}"]),
    ("{order_id}{line}", ["{order_id}{line}", "between {order_id} and {line}", "parameters are: order_id"]),
    ("x{order_id}{line}y", ["x{order_id}{line}y", "between"]),
    ("", ["empty"]),
    ("{order_id-1}", ["{order_id-1}", "order_id"]),
    ("{order_id()}", ["{order_id()}", "order_id"]),
    ("{__import__}", ["{__import__}", "order_id"]),
]


@pytest.mark.parametrize(("template", "named"), BAD)
def test_a_template_that_cannot_work_is_refused_at_decoration(template: str, named: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        once(key=template)(check)

    assert [] == [text for text in ["check", *named] if text not in str(caught.value)]


def test_a_template_for_a_function_without_parameters_says_that_there_are_none() -> None:
    with pytest.raises(ConfigurationError, match="parameters are: none"):
        once(key="{order_id}")(lambda: None)


@pytest.mark.parametrize("key", [None, 7, b"check", ["check"], object()])
def test_a_key_that_is_neither_text_nor_function_is_refused_at_decoration(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="template or a function"):
        once(key=key)(check)


def test_a_coroutine_function_as_key_is_refused_at_decoration() -> None:
    async def key(order_id: int) -> str:
        return str(order_id)

    with pytest.raises(ConfigurationError, match="coroutine"):
        once(key=key)(check)  # type: ignore[arg-type]  # this is the point


def test_a_configuration_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        once(key="")(check)
