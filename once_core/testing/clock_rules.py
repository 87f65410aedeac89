"""Rule 8: setting this machine's wall clock changes nothing."""

from __future__ import annotations

import datetime as datetime_module
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any

import pytest

from .asking import Ask
from .basis import LONG, Basis, growing, new_token
from .rules import RULES
from .watching import package_of, packages_of

_HOUR = 3600.0
_WHY = "a clock that is set (NTP, a resumed machine, an operator) would end live leases or keep dead ones"


class ClockRules(Basis):
    """Steps of an hour while a lease is held. They reach a backend that has imported `time` by name, too."""

    @pytest.mark.parametrize("step", [_HOUR, -_HOUR], ids=["forward", "back"])
    def test_a_step_of_the_wall_clock_ends_no_lease(self, ask: Ask, key: str, step: float) -> None:
        lease = self.take(ask, key)

        with wall_clock_off_by(step, ask.backend):
            RULES[8].refused(ask.acquire(key, new_token(), LONG), f"after a step of {step:+g} s acquire", _WHY)
            RULES[8].expect(True, ask.renew(key, lease.token, LONG), f"after a step of {step:+g} s renew", _WHY)
        self.still_holds(ask, lease, 8, f"a step of {step:+g} s and back")

    @pytest.mark.parametrize("step", [_HOUR, -_HOUR], ids=["forward", "back"])
    def test_a_step_of_the_wall_clock_prolongs_no_lease(self, ask: Ask, key: str, step: float) -> None:
        with wall_clock_off_by(-step, ask.backend):
            lease = self.take(ask, key, self.min_ttl)

        self.pass_time()
        RULES[8].granted(ask.acquire(key, new_token(), LONG), f"after expiry and a step of {step:+g} s acquire", _WHY)
        RULES[8].expect(False, ask.release(key, lease.token), "release by a token that had expired", _WHY)

    def test_the_fence_grows_though_the_wall_clock_goes_back(self, ask: Ask, key: str) -> None:
        lease = self.take(ask, key)
        ask.release(key, lease.token)

        with wall_clock_off_by(-_HOUR, ask.backend):
            grant = RULES[8].granted(ask.acquire(key, new_token(), LONG), "after a step back acquire", _WHY)
        growing(lease.fence, grant, "after the wall clock went back an hour")


@contextmanager
def wall_clock_off_by(seconds: float, backend: object) -> Generator[None]:
    """Let `time.time`, `time.time_ns` and `datetime.now` be wrong, also where *backend*'s package imported them."""
    real_time, real_time_ns = time.time, time.time_ns

    class SameInstances(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Datetime(datetime, metaclass=SameInstances):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.now(datetime_module.UTC).replace(tzinfo=None) + timedelta(seconds=seconds)

    wrong: dict[Any, Any] = {
        real_time: lambda: real_time() + seconds,
        real_time_ns: lambda: real_time_ns() + int(seconds * 1e9),
        datetime: Datetime,
    }
    with pytest.MonkeyPatch.context() as patch:
        for module in [time, datetime_module, *_modules_of(backend)]:
            for name, value in list(vars(module).items()):
                if any(value is real for real in wrong):
                    patch.setattr(module, name, wrong[value])
        yield


def _modules_of(backend: object) -> list[ModuleType]:
    packages = packages_of(backend)
    return [module for name, module in list(sys.modules.items()) if package_of(name) in packages and module]
