"""What a user may choose, checked where it is written: per function or lock, and per `Once`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from .errors import ConfigurationError

if TYPE_CHECKING:
    from .store import Store

_ENDLESS = 1e300  # seconds: more can't be added to a clock

OnUnavailable: TypeAlias = Literal["raise", "skip", "run"]


class Choices(TypedDict, total=False):
    """The keywords of `once` that it shares with `lock`."""

    ttl: float | None
    hold_at_least: float
    hold_at_most: float | None
    raise_on_lost: bool
    on_unavailable: OnUnavailable | None


@dataclass(frozen=True, slots=True)
class Options:
    """The choices for one decorated function or one lock. Seconds throughout; None leaves a choice to the `Once`."""

    function: str
    template: str
    ttl: float | None = None
    hold_at_least: float = 0.0
    hold_at_most: float | None = None
    raise_on_lost: bool = False
    on_unavailable: OnUnavailable | None = None

    def __post_init__(self) -> None:
        if self.ttl is not None:
            check_seconds("ttl", self.ttl, self.function)
        if self.hold_at_most is not None:
            check_seconds("hold_at_most", self.hold_at_most, self.function)
        if self.hold_at_least != 0:
            check_seconds("hold_at_least", self.hold_at_least, self.function, ", or 0")
            if self.hold_at_most is not None and self.hold_at_least > self.hold_at_most:
                raise ConfigurationError(
                    f"{self.function}: hold_at_least={self.hold_at_least} is longer than "
                    f"hold_at_most={self.hold_at_most}: a key can't be held for less than its least"
                )
        check_bool("raise_on_lost", self.raise_on_lost, self.function)
        if self.on_unavailable is not None:
            check_policy(self.on_unavailable, self.function)


@dataclass(frozen=True, slots=True)
class Setting:
    """What `configure` chose: the open store, and the defaults of what is run on it."""

    store: Store
    prefix: str
    ttl: float
    on_unavailable: OnUnavailable


def check_seconds(name: str, value: object, where: str, or_else: str = "") -> None:
    """Raise ConfigurationError unless *value* is a number of seconds greater than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _ENDLESS:
        raise ConfigurationError(f"{where}: {name}={value!r} must be a number of seconds greater than 0{or_else}")


def check_bool(name: str, value: object, where: str) -> None:
    """Raise ConfigurationError unless *value* is True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}: {name}={value!r} must be True or False")


def check_policy(value: object, where: str) -> None:
    """Raise ConfigurationError unless *value* is a policy for a store that can't be asked."""
    if value not in get_args(OnUnavailable):
        raise ConfigurationError(f"{where}: on_unavailable={value!r} must be 'raise', 'skip' or 'run'")
