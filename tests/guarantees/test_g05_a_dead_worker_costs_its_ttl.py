"""G5: a worker that dies frees its key within ttl, and not before."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from once_core import SKIPPED

from .calls import wait_until
from .kinds import KINDS
from .processes import Programs
from .stores import Store

TTL = 1.5
PATIENCE = 15.0
"""Seconds by which a busy machine may delay what happens at a certain moment."""


@pytest.mark.parametrize("holding", ["def", "async def"])
def test_a_killed_worker_frees_its_key_within_ttl_and_not_before(
    store: Store, holding: str, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    process = programs.start("hold", store.url, store.prefix, holding, "key", TTL, tmp_path)
    wait_until((tmp_path / "begun").exists, "the worker has begun")
    once = store.once(ttl=TTL)
    call = KINDS["def"](once, "key", monotonic)
    begun = monotonic()
    while monotonic() < begun + 2 * TTL:  # the worker renews, or it would be over by now
        assert SKIPPED is call()
    process.kill()
    process.wait()
    killed = monotonic()
    holder = once.lock("key").holder()
    assert holder is not None, "the worker was not renewing"
    assert holder.remaining is not None
    assert 0 < holder.remaining <= TTL + 0.1 + store.place.slack
    freed: list[float] = []

    def try_again() -> bool:
        result = call()
        if result is not SKIPPED:
            freed.append(result)
        return bool(freed)

    wait_until(try_again, "the key is free", TTL + store.place.slack + PATIENCE)
    assert freed[0] >= killed + holder.remaining - 0.05 - store.place.slack
