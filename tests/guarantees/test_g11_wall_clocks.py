"""G11: no clocks of two machines are compared, and stepping a client's wall clock changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from once_core import SKIPPED, current_lease

from .calls import together, wait_until
from .kinds import Kind
from .processes import Programs
from .stores import Store

HOURS = 5 * 3600
TTL = 1.5


def test_steps_of_the_wall_clock_during_a_run_change_nothing(
    store: Store, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = store.once(ttl=TTL)
    real, real_ns = time.time, time.time_ns

    def body() -> list[tuple[bool, bool]]:
        lease = current_lease()
        assert lease is not None
        seen = []
        for step in (HOURS, -HOURS):
            monkeypatch.setattr(time, "time", lambda step=step: real() + step)
            monkeypatch.setattr(time, "time_ns", lambda step=step: real_ns() + step * 10**9)
            assert [SKIPPED] == together([kind(once, "key", lambda: "ran")])
            end = time.monotonic() + 0.8 * TTL
            while time.monotonic() < end:
                assert 0 < lease.remaining <= TTL
                time.sleep(0.01)
            seen.append((lease.lost, once.lock("key").is_locked()))
        return seen

    assert [(False, True)] * 2 == kind(once, "key", body)()
    assert "again" == kind(once, "key", lambda: "again")()


@pytest.mark.parametrize(("step", "holding"), [(HOURS, "def"), (-HOURS, "async def")])
def test_a_machine_whose_clock_is_wrong_holds_and_skips_like_any_other(
    store: Store, holding: str, step: int, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    process = programs.start("wrong_clock", step, store.url, store.prefix, holding, "key", TTL, tmp_path)
    wait_until((tmp_path / "begun").exists, "the other process has begun")
    once = store.once()
    end = time.monotonic() + 1.5 * TTL
    while time.monotonic() < end:
        with pytest.raises(Exception, match="held by process"), once.lock("key"):
            pass
    holder = once.lock("key").holder()
    assert holder is not None
    assert holder.remaining is not None
    assert 0 < holder.remaining <= TTL + 0.1 + store.place.slack
    (tmp_path / "go").touch()
    assert (0, "kept", "") == programs.result(process)

    with once.lock("key"):
        (tmp_path / "go").unlink()
        skipping = programs.run("wrong_clock", step, store.url, store.prefix, holding, "key", TTL, tmp_path)
    assert (0, "skipped", "") == skipping
