"""Print the keys of many calls, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from once_core import Once


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@dataclass
class Order:
    id: int
    lines: tuple[str, ...] = ("a", "b")


VALUES: list[Any] = [
    None,
    True,
    0,
    -7,
    1.5,
    1e300,
    "",
    "text",
    "ünï-çode ☃ %",
    b"bytes",
    Decimal("1.10"),
    Fraction(1, 3),
    UUID(int=42),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    timedelta(days=1),
    Colour.RED,
    Size.BIG,
    PurePosixPath("/a/b"),
    [1, "two", None],
    (1, (2, 3)),
    {"b": 1, "a": [2]},
    Order(7),
    hash,
]

once = Once("memory://")


@once.once(key="one {value}")
def one(value: Any) -> None: ...


@once.once(key="{value!r}-{other}")
async def two(value: Any, other: Any = "default-%") -> None: ...


@once.once(key=lambda order: f"{order.id}:{order.lines[-1]}")
def made(order: Order) -> None: ...


@once.once(key="{order.id}/{order.lines[0]}/{order}")
def steps(order: Order) -> None: ...


def keys() -> Iterator[str]:
    for value in VALUES:
        yield one.key_for(value)
        yield two.key_for(value)
        yield two.key_for(value, other=value)
    yield made.key_for(Order(7))
    yield steps.key_for(Order(7))


if __name__ == "__main__":
    for key in keys():
        print(ascii(key))
