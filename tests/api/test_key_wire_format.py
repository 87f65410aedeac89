"""The text of a key is a wire format that old and new deploys share: every line here is a promise (G12)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from once_core import once

from .programs import run

ID = UUID("12345678-1234-5678-1234-567812345678")
WHEN = datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC)


@dataclass
class Order:
    id: Any
    lines: Any = ()


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


def one(a: Any) -> None: ...


def two(a: Any, b: Any) -> None: ...


def three(a: Any, b: Any, c: Any) -> None: ...


def with_defaults(a: Any, b: Any = "b", *, c: Any = None) -> None: ...


def with_rest(a: Any, *rest: Any, **named: Any) -> None: ...


GOLDEN: list[tuple[str, Callable[..., Any], tuple[Any, ...], str]] = [
    # A lone field is never touched.
    ("check_order-{a}", one, (42,), "check_order-42"),
    ("check_order-{a}", one, ("42",), "check_order-42"),
    ("check_order-{a}", one, (ID,), "check_order-12345678-1234-5678-1234-567812345678"),
    ("{a}", one, ("50% - of 1/2",), "50% - of 1/2"),
    ("{a}-end", one, ("a-b%-",), "a-b%--end"),
    ("{a}", one, (None,), "None"),
    ("{a}", one, (True,), "True"),
    ("{a}", one, (1.0,), "1.0"),
    ("{a}", one, (Decimal("1.50"),), "1.50"),
    ("{a}", one, (b"x",), "b'x'"),
    ("{a}", one, (date(2024, 2, 29),), "2024-02-29"),
    ("{a}", one, (WHEN,), "2024-02-29 13:05:09+00:00"),
    ("{a}", one, (PurePosixPath("/a/b"),), "/a/b"),
    ("{a}", one, (Colour.RED,), "Colour.RED"),
    ("{a}", one, (Level.HIGH,), "3"),
    ("{a}", one, ([1, "x"],), "[1, 'x']"),
    ("{a}", one, ({"k": (1, None)},), "{'k': (1, None)}"),
    ("{a}", one, (" \n\t",), " \n\t"),
    ("{a}", one, ("ключ 鍵 🔑",), "ключ 鍵 🔑"),
    # Texts without fields, and braces that stand for themselves.
    ("static", one, (1,), "static"),
    ("100%", one, (1,), "100%"),
    ("{{a}}", one, (1,), "{a}"),
    ("{{{a}}}", one, (1,), "{1}"),
    ("'\"\\n\\{a}", one, ("'\"",), "'\"\\n\\'\""),
    ("line\nbreak {a}", one, (1,), "line\nbreak 1"),
    # In every field but the last, `%` and the first character of the text that follows are percent-encoded.
    ("{a}-{b}", two, ("1-2", "3"), "1%2D2-3"),
    ("{a}-{b}", two, ("1", "2-3"), "1-2-3"),
    ("{a}-{b}", two, ("100%", "100%"), "100%25-100%"),
    ("{a}-{b}", two, ("%2D", "x"), "%252D-x"),
    ("{a}-{b}", two, ("", ""), "-"),
    ("{a}-{b}", two, (None, -1), "None--1"),
    ("{a}-{b}", two, (-1, None), "%2D1-None"),
    ("{a}::{b}", two, ("x:y", "p:q"), "x%3Ay::p:q"),
    ("{a} to {b}", two, ("a to b", "c"), "a%20to%20b to c"),
    ("{a}é{b}", two, ("caféé", "é"), "caf%C3%A9%C3%A9éé"),
    ("{a}鍵{b}", two, ("鍵", "鍵"), "%E9%8D%B5鍵鍵"),
    ("{a}🔑{b}", two, ("🔑", "x"), "%F0%9F%94%91🔑x"),
    ("{a}2{b}", two, ("2%", "2"), "%32%2522"),
    ("{a}5{b}", two, ("%5", "5"), "%25%3555"),
    ("{a}a{b}", two, ("a%", "a"), "%61%25aa"),
    ("{a}{{{b}", two, ("{x", "{y"), "%7Bx{{y"),
    ("{a}}}{b}", two, ("x}", "y}"), "x%7D}y}"),
    ("{a}/{b}/{c}", three, ("a/b", "c/d", "e/f"), "a%2Fb/c%2Fd/e/f"),
    ("{a}-{b}/{c}", three, ("-/", "-/", "-/"), "%2D/--%2F/-/"),
    ("{a}-{b}.end", two, ("x.", "y-."), "x.-y-..end"),
    ("<{a}>-<{b}>", two, (">-<", ">-<"), "<%3E-<>-<>-<>"),
    ("{a}-{a}", one, ("-",), "%2D--"),
    ("{b}-{a}", two, ("1", "2"), "2-1"),
    # Attributes, indexes, conversions and formats, as in `str.format`.
    ("{a.id}", one, (Order(7),), "7"),
    ("{a.id.hex}", one, (Order(ID),), "12345678123456781234567812345678"),
    ("{a.lines[0].id}", one, (Order(1, [Order("x")]),), "x"),
    ("{a[0]}", one, (["x", "y"],), "x"),
    ("{a[1][k]}", one, ([0, {"k": "v"}],), "v"),
    ("{a[two words]}", one, ({"two words": 1},), "1"),
    ("{a[-1]}", one, ({"-1": "text"},), "text"),
    ("{a.id}-{b[0]}", two, (Order("x-y"), ["p-q"]), "x%2Dy-p-q"),
    ("{a!r}", one, ("x",), "'x'"),
    ("{a!s}", one, (ID,), "12345678-1234-5678-1234-567812345678"),
    ("{a!a}", one, ("é",), "'\\xe9'"),
    ("{a!r}-{b!r}", two, ("x-y", "z"), "'x%2Dy'-'z'"),
    ("{a!r:>5}", one, ("x",), "  'x'"),
    ("{a:%Y-%m-%d}", one, (WHEN,), "2024-02-29"),
    ("{a:%H:%M}", one, (WHEN,), "13:05"),
    ("{a:%Y-%m-%d}-{b}", two, (WHEN, 1), "2024%2D02%2D29-1"),
    ("{a:05d}", one, (42,), "00042"),
    ("{a:.2f}", one, (1.005,), "1.00"),
    ("{a:x}", one, (255,), "ff"),
    ("{a:{b}}", two, (7, "03d"), "007"),
    ("{a:>{b}}|", two, ("x", 3), "  x|"),
    ("{a:{b.id}{c[0]}}", three, (7, Order("0"), [3]), "007"),
    # Defaults and rests.
    ("{a}-{b}-{c}", with_defaults, (1,), "1-b-None"),
    ("{a}-{b}-{c}", with_defaults, (1, 2), "1-2-None"),
    ("{a}-{rest}", with_rest, (1, 2, "x"), "1-(2, 'x')"),
    ("{a}-{rest}-{named}", with_rest, (1,), "1-()-{}"),
    ("{rest[1]}", with_rest, (1, 2, 3), "3"),
]


@pytest.mark.parametrize(("template", "function", "args", "key"), GOLDEN)
def test_a_key_has_the_text_that_is_promised(
    template: str, function: Callable[..., Any], args: tuple[Any, ...], key: str
) -> None:
    check = once(key=template)(function)

    assert key == check.key_for(*args)


@pytest.mark.parametrize(("template", "function", "args", "key"), [row for row in GOLDEN if "%" not in row[3]])
def test_where_nothing_is_escaped_a_template_says_what_str_format_says(
    template: str, function: Callable[..., Any], args: tuple[Any, ...], key: str
) -> None:
    bound = inspect.signature(function).bind(*args)
    bound.apply_defaults()

    assert template.format(**bound.arguments) == key


def test_keywords_that_the_function_collects_can_be_fields() -> None:
    @once(key="{a}-{named[colour]}")
    def check(a: int, **named: str) -> None: ...

    assert "1-red" == check.key_for(1, colour="red")
    assert "1-red" == check.key_for(colour="red", a=1)


def test_position_keyword_and_default_make_no_difference() -> None:
    @once(key="{a}-{b}-{c}")
    def check(a: int, b: int = 2, *, c: int = 3) -> None: ...

    keys = {check.key_for(1), check.key_for(1, 2), check.key_for(a=1), check.key_for(c=3, b=2, a=1)}

    assert {"1-2-3"} == keys


def test_a_key_function_decides_the_text() -> None:
    check = once(key=lambda a, b: f"{a}-{b}%")(two)

    assert "1-2-3-4%" == check.key_for("1-2", "3-4")


def test_a_key_is_the_same_in_a_process_with_other_hashes() -> None:
    program = """
        from uuid import UUID
        from once_core import once

        @once(key="{a}-{b}-{c}")
        def check(a, b={"y": 1, "x": [2]}, *, c=UUID(int=7)): ...

        print(check.key_for("1-2"))
    """

    keys = {run(program, PYTHONHASHSEED=seed) for seed in ("1", "2")}

    assert {"1%2D2-{'y': 1, 'x': [2]}-00000000-0000-0000-0000-000000000007"} == keys
