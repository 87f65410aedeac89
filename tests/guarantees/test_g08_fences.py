"""G8: fences grow; a resource that remembers the highest rejects every later write of an earlier holder."""

from __future__ import annotations

import signal
from pathlib import Path
from time import sleep

import pytest

from once_core import SKIPPED, current_lease

from .backends import Relay
from .calls import wait_until
from .kinds import KINDS, Kind
from .processes import Programs
from .programs.write_late import Resource
from .stores import Store


def fence() -> int:
    lease = current_lease()
    assert lease is not None
    assert lease.fence is not None
    return lease.fence


def test_fences_grow_over_releases_losses_and_new_connections(store: Store, form: Kind) -> None:
    store.needs_fences()
    once = store.once()
    seen = [form(once, "key", fence)(), form(once, "key", fence)()]

    once.close()
    seen.append(form(once, "key", fence)())

    store.backend().acquire(f"{store.prefix}key", "forced", 300.0)
    once.lock("key").release()
    seen.append(form(once, "key", fence)())

    store.backend().acquire(f"{store.prefix}key", "expires", 0.3)
    wait_until(lambda: store.free_at_once("key"), "the lease is over")
    seen.append(form(store.once(Relay(store.backend())), "key", fence)())

    assert sorted(set(seen)) == seen


def test_a_repeated_question_of_one_run_has_one_fence(store: Store) -> None:
    store.needs_fences()
    backend = store.backend()
    grants = [backend.acquire(f"{store.prefix}key", "token", 300.0) for _ in range(3)]

    assert grants[0] is not None
    assert [grants[0].fence] * 3 == [grant and grant.fence for grant in grants]


@pytest.mark.parametrize("paused", ["def", "async def"])
def test_a_process_that_was_paused_beyond_its_lease_can_not_write_and_is_told(
    store: Store, paused: str, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    store.needs_fences()
    resource = Resource(tmp_path / "resource.db")
    process = programs.start("write_late", store.url, store.prefix, paused, "key", 1.0, tmp_path)
    wait_until((tmp_path / "begun").exists, "the other process has begun")
    assert "written by the early one" == resource.text()
    process.send_signal(signal.SIGSTOP)

    def write() -> bool:
        return resource.write(fence(), "written by the later one")

    call = KINDS["def"](store.once(), "key", write)
    while (written := call()) is SKIPPED:
        sleep(0.02)
    assert written
    (tmp_path / "go").touch()
    process.send_signal(signal.SIGCONT)

    assert (0, "rejected lost", "") == programs.result(process)
    assert "written by the later one" == resource.text()
