"""A token is `host:pid:started:random`, once; a Holder reads it back, for display."""

from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest

from once_core import Holder, Once

from .stores import Stage


def test_a_holder_reads_host_process_and_time_from_a_token() -> None:
    holder = Holder("host.example:77:1700000000123:abc", 2.5)

    assert ("host.example", 77, 2.5) == (holder.host, holder.pid, holder.remaining)
    assert datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC) == holder.since


ODD = [
    "",
    "token",
    "a:b:c:d",
    "host:77:1700000000000",
    "host:77:1700000000000:a:b",
    "host:-7:1700000000000:abc",
    "host:77:17e9:abc",
    "host:77:-1:abc",
    "host: 77:1700000000000:abc",
    "host:77::abc",
    "host:77:999999999999999999999999:abc",
    "host:²:1700000000000:abc",
    "\ud800::::",
]


@pytest.mark.parametrize("token", ODD)
def test_of_a_token_of_another_form_a_holder_knows_nothing(token: str) -> None:
    holder = Holder(token)

    assert (None, None, None, None) == (holder.host, holder.pid, holder.since, holder.remaining)
    assert token == holder.token


@pytest.mark.parametrize("started", ["0", "1", "99999999999999", "253402300800000", "999999999999999"])
def test_no_time_in_a_token_makes_a_holder_fail(started: str) -> None:
    since = Holder(f"host:77:{started}:abc").since

    assert since is None or since.tzinfo is UTC


def test_holders_are_values() -> None:
    assert Holder("a", 1.0) == Holder("a", 1.0)
    assert Holder("a") != Holder("b")
    assert 1 == len({Holder("a", 1.0), Holder("a", 1.0)})
    with pytest.raises(AttributeError):
        Holder("a").token = "b"  # type: ignore[misc]  # this is the point


def test_a_run_s_token_tells_host_process_and_start(stage: Stage) -> None:
    before = datetime.now(UTC)
    with stage.once.lock("check") as lease:
        holder = stage.holder("check")

    assert holder is not None
    assert lease.token == holder.token
    assert 4 == len(holder.token.split(":"))
    assert (socket.gethostname().replace(":", "-"), os.getpid()) == (holder.host, holder.pid)
    assert holder.since is not None
    assert timedelta(minutes=-5) < holder.since - before < timedelta(minutes=5)


def test_every_attempt_has_a_token_of_its_own(once: Once) -> None:
    tokens: list[str] = []

    def attempt(name: int) -> None:
        for _ in range(200):
            with once.lock(f"check-{name}") as lease:
                tokens.append(lease.token)

    threads = [threading.Thread(target=attempt, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 800 == len(set(tokens))
