"""G3: a skip never waits for the holder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from once_core import SKIPPED

from .backends import Relay
from .calls import Held, wait_until
from .kinds import Kind
from .processes import Programs
from .stores import Store


def test_a_skip_returns_while_the_body_is_blocked(store: Store, form: Kind) -> None:
    once = store.once()
    with Held(partial(form, once, "key")) as held:
        assert SKIPPED is form(once, "key", lambda: "ran")()
        assert not held.call.over
        assert "result" == held.end()


def test_a_skip_that_the_store_tells_returns_while_the_body_is_blocked(store: Store, form: Kind) -> None:
    with Held(partial(form, store.once(Relay(store.backend())), "key")) as held:
        elsewhere = store.once(Relay(store.backend()))
        assert SKIPPED is form(elsewhere, "key", lambda: "ran")()
        assert not held.call.over
        assert "result" == held.end()


def test_a_skip_returns_while_another_process_is_in_the_body(
    store: Store, form: Kind, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    holding = programs.start("hold", store.url, store.prefix, "def", "key", 300, tmp_path)
    wait_until((tmp_path / "begun").exists, "the other process has begun")

    assert SKIPPED is form(store.once(), "key", lambda: "ran")()
    assert holding.poll() is None
    (tmp_path / "go").touch()
    assert (0, "kept", "") == programs.result(holding)


def test_another_process_skips_while_this_one_is_in_the_body(
    store: Store, kind: Kind, programs: Programs, tmp_path: Path
) -> None:
    store.needs_processes()
    with Held(partial(kind, store.once(), "key")) as held:
        skipping = [
            programs.start("hold", store.url, store.prefix, k, "key", 300, tmp_path) for k in ("def", "async with")
        ]
        assert [(0, "skipped", "")] * 2 == [programs.result(process) for process in skipping]
        assert not held.call.over
        assert "result" == held.end()
