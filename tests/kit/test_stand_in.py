"""The fixture for users' own tests: what is configured is swapped for memory, and comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import once_core
from api.both import Both
from once_core import (
    ConfigurationError,
    NotConfigured,
    Once,
)
from once_core.testing import in_memory
from once_memory import MemoryBackend

NOWHERE = "sqlite:////no/such/folder/once.db"


def body() -> str:
    return "ran"


def test_what_was_decorated_before_asks_memory_with_no_store_configured(both: Both) -> None:
    work = once_core.once(key="work")(both.function(body))

    with in_memory() as store, store.held("work"):
        assert both.call(work) is None
        assert both.call(work.is_locked)
    with pytest.raises(NotConfigured):
        both.call(work)


@pytest.mark.parametrize("source", [NOWHERE, MemoryBackend()], ids=["URL", "object"])
def test_other_onces_ask_memory_too_and_their_own_store_afterwards(both: Both, source: Any) -> None:
    once = Once(source, prefix="billing:", ttl=7)
    work = once.once(key="work")(both.function(body))

    with in_memory() as store:
        assert "ran" == both.call(work)
        with store.held("work"):
            assert "ran" == both.call(work)
        with store.of(once).held("work"):
            assert both.call(work) is None
        with once.lock("ttl") as lease:
            assert 7 == lease.ttl
    if source is NOWHERE:
        with pytest.raises(ConfigurationError, match="no folder /no/such/folder"):
            both.call(work)
    else:
        source.acquire("billing:work", "token", 60)
        assert both.call(work) is None


def test_onces_on_one_store_share_what_stands_in_for_it_and_others_do_not() -> None:
    one, same, other = Once(NOWHERE), Once(NOWHERE), Once("memory://other")

    with in_memory(), one.lock("key"):
        assert same.lock("key").is_locked()
        assert not other.lock("key").is_locked()


def test_each_test_begins_with_an_empty_store() -> None:
    for _ in range(2):
        with in_memory():
            assert not once_core.lock("key").is_locked()
            assert "ran" == once_core.once(key="key", hold_at_least=60)(body)()


def test_a_store_that_was_open_stays_open() -> None:
    once = Once(MemoryBackend())
    setting = once.open()

    with once.lock("key"):
        with in_memory():
            assert not once.lock("key").is_locked()
        assert once.lock("key").is_locked()

    assert once.open() is setting


def test_a_configuration_of_the_test_asks_memory_and_ends_with_it() -> None:
    once = Once(MemoryBackend(), prefix="before:")

    with in_memory() as store:
        once.configure(NOWHERE, prefix="meanwhile:")
        with store.of(once).held("key"):
            assert once.lock("key").is_locked()
        with pytest.raises(ConfigurationError):
            once.configure("nosuch://")

    assert "before:" == once.open().prefix
    assert not once.lock("key").is_locked()


def test_a_once_that_was_made_meanwhile_asks_its_own_store_afterwards() -> None:
    with in_memory() as store:
        once = Once(NOWHERE)
        with store.of(once).held("key"):
            assert once.lock("key").is_locked()

    with pytest.raises(ConfigurationError, match="no folder /no/such/folder"):
        once.lock("key").is_locked()


def test_a_test_that_fails_restores_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE_URL", "memory://theirs")
    with pytest.raises(ZeroDivisionError), in_memory():
        assert "memory://" == os.environ["ONCE_URL"]
        raise ZeroDivisionError

    assert "memory://theirs" == os.environ["ONCE_URL"]
    assert "memory://theirs" == once_core.decorator.default.open().store.source
    once_core.decorator.default.close()


@pytest.mark.parametrize(
    "line",
    [
        "from once_core.testing import once_store",
        'pytest_plugins = ["once_core.testing"]',
        'import once_core.testing\npytest_plugins = ["once_core.testing.stand_in"]',
    ],
)
def test_one_line_in_conftest_brings_the_fixture(line: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(line)
    (tmp_path / "test_it.py").write_text("def test_it(once_store): once_store.step(1)")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", tmp_path],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_is_loaded_into_runs_that_do_not_ask_for_it() -> None:
    assert [] == [entry.name for entry in entry_points(group="pytest11") if entry.value.startswith("once")]


def test_without_once_memory_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "once_memory", None)

    with pytest.raises(ImportError, match=r'pip install "once-core\[testing\]"'), in_memory() as store:
        store.held("key").__enter__()
