"""G5: whoever waits for a key is told who holds it, since when, and when that ends at the latest."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from once_core import AlreadyLocked

from .calls import wait_until
from .processes import Programs
from .stores import Store

TTL = 5.0


def test_a_holder_of_another_process_is_known_by_host_pid_moment_and_the_rest_of_its_lease(
    store: Store, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    once = store.once()
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # what is told is in whole ones
    process = programs.start("hold", store.url, store.prefix, "def", "key", TTL, tmp_path)
    wait_until((tmp_path / "begun").exists, "the other process has begun")

    with pytest.raises(AlreadyLocked) as caught, once.lock("key"):
        pass
    for holder in (once.lock("key").holder(), caught.value.holder):
        assert holder is not None
        assert holder.since is not None
        assert holder.remaining is not None
        assert (socket.gethostname().replace(":", "-"), process.pid) == (holder.host, holder.pid)
        assert before <= holder.since <= datetime.now(UTC)
        assert 0 < holder.remaining <= TTL + 0.1 + store.place.slack
    (tmp_path / "go").touch()
    assert (0, "kept", "") == programs.result(process)
    assert once.lock("key").holder() is None


def test_a_holder_of_this_process_is_known_with_the_rest_of_its_lease(store: Store) -> None:
    once = store.once(ttl=TTL)
    with once.lock("key") as lease:
        holder = once.lock("key").holder()

    assert holder is not None
    assert holder.token == lease.token
    assert holder.remaining is not None
    assert 0 < holder.remaining <= TTL + 0.1 + store.place.slack
