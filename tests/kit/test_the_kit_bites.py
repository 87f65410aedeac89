"""The kit catches every broken backend by the test that is named for the rule, and passes the right ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import once_core.testing
from once_memory import MemoryBackend

from . import right
from .broken import BROKEN

pytest_plugins = ["pytester"]

_TURNS = int(os.environ.get("ONCE_KIT_TURNS", "1"))
"""How often each broken backend has to be caught: 20 of 20 shows that it is no luck."""

_CASES = [(cls, test, rule) for cls in BROKEN for test, rule in cls.caught_by.items()]  # type: ignore[attr-defined]  # all have it

_SUITE = """
import pytest
from once_core.testing import BackendConformance
from {module} import {name} as Subject


class TestIt(BackendConformance):
    {body}

    @pytest.fixture
    def backend(self, tmp_path):
        return Subject({arguments})


for knob, value in getattr(Subject, "knobs", {{}}).items():
    setattr(TestIt, knob, value)
"""


@pytest.fixture
def run_kit(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Return what runs the kit, or one test of it, on a backend as an author would, with pytest and no plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(cls: type, test: str = "", body: str = "pass") -> pytest.RunResult:
        arguments = 'tmp_path / "store"' if issubclass(cls, right.FileBackend) else ""
        suite = _SUITE.format(module=cls.__module__, name=cls.__name__, body=body, arguments=arguments)
        path = pytester.makepyfile(test_it=suite)
        # The plugin's five garbage collections at the end would take a third of the time of a run of one test.
        what = [f"{path}::TestIt::{test}", "-p", "no:unraisableexception"] if test else [path]
        return pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider", *what)

    return run


@pytest.mark.parametrize("turn", range(_TURNS))
@pytest.mark.parametrize(("cls", "test", "rule"), _CASES, ids=[f"{cls.__name__}-{test}" for cls, test, _ in _CASES])
def test_a_broken_backend_is_caught(
    run_kit: Callable[..., pytest.RunResult], cls: type, test: str, rule: int, turn: int
) -> None:
    result = run_kit(cls, test, "min_ttl, race_rounds = 0.15, 100")

    assert {"failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(
        [f"*rule {rule}: *", "*seen: *", "*why it matters: *", f"*writing_a_backend.md#rule-{rule},*"]
    )


@pytest.mark.parametrize(
    ("cls", "body", "skipped"),
    [
        (right.AbleBackend, "process_local = has_aio = True", 13),
        (right.FileBackend, "restart = lambda self, backend: backend", 24),
    ],
    ids=["able", "file"],
)
def test_a_right_backend_passes(run_kit: Callable[..., pytest.RunResult], cls: type, body: str, skipped: int) -> None:
    outcomes = run_kit(cls, body=f"min_ttl, race_rounds = 0.1, 30; {body}").parseoutcomes()

    assert {"passed", "skipped"} == set(outcomes)
    assert skipped == outcomes["skipped"]


_OVERRIDE = "test_a_stranger_can_not_release = lambda self: None"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_OVERRIDE, "overrides test_a_stranger_can_not_release"),
        (f"{_OVERRIDE}; overridden = {{'test_a_stranger_can_not_release': ' '}}", "overrides test_a_stranger_can_not"),
        ("ask = None", "overrides ask"),
        ("overridden = {'test_gone': 'a reason'}", "names test_gone, which it does not override"),
    ],
    ids=["without a reason", "with a blank reason", "by a fixture", "no longer"],
)
def test_an_override_is_noticed(run_kit: Callable[..., pytest.RunResult], body: str, said: str) -> None:
    result = run_kit(MemoryBackend, "test_no_test_of_the_kit_is_overridden", body)

    assert {"failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines([f"*{said}*"])


def test_an_override_with_a_reason_passes(run_kit: Callable[..., pytest.RunResult]) -> None:
    body = f"{_OVERRIDE}; overridden = {{'test_a_stranger_can_not_release': 'this store has one user'}}"

    assert {"passed": 1} == run_kit(MemoryBackend, "test_no_test_of_the_kit_is_overridden", body).parseoutcomes()


def test_an_aio_that_is_not_tested_is_noticed(run_kit: Callable[..., pytest.RunResult]) -> None:
    result = run_kit(right.AbleBackend, "test_the_aio_of_the_backend_is_tested")

    assert {"failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*set has_aio = True on TestIt*"])


@pytest.mark.parametrize(
    ("url", "cls", "said"),
    [
        ("nosuch://host", MemoryBackend, "*Once('nosuch://host') is told UnknownBackend: *nosuch://*"),
        ("memory://", right.AbleBackend, "*opens a MemoryBackend of once-memory*, and * yields a *AbleBackend"),
    ],
)
def test_a_url_that_opens_another_backend_or_none_is_noticed(
    run_kit: Callable[..., pytest.RunResult], url: str, cls: type, said: str
) -> None:
    result = run_kit(cls, "test_the_installed_plugin_serves_its_url", f"url = {url!r}")

    assert {"failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines([said])


def test_a_url_whose_plugin_is_installed_passes(run_kit: Callable[..., pytest.RunResult]) -> None:
    result = run_kit(MemoryBackend, "test_the_installed_plugin_serves_its_url", "url = 'memory://'")

    assert {"passed": 1} == result.parseoutcomes()


def test_a_url_that_forgets_is_noticed(
    run_kit: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryBackend, "holder", lambda self, key: None)
    result = run_kit(MemoryBackend, "test_the_installed_plugin_serves_its_url", "url = 'memory://'")

    assert {"failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*a key that was taken at memory:// is held by nobody there"])


def test_a_class_without_a_backend_is_told_what_to_write(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("from once_core.testing import BackendConformance\nclass TestIt(BackendConformance): pass")

    result = pytester.runpytest_inprocess("-k", "test_a_stranger_can_not_release")

    assert 1 == result.parseoutcomes()["errors"]
    result.stdout.fnmatch_lines(["*TestIt has to supply a fixture `backend` that yields a Backend*"])


def test_every_test_of_the_kit_has_caught_a_broken_backend() -> None:
    rules = {name for name in dir(once_core.testing.BackendConformance) if name.startswith("test_")}
    guards = {
        "test_no_test_of_the_kit_is_overridden",
        "test_the_aio_of_the_backend_is_tested",
        "test_the_installed_plugin_serves_its_url",
    }
    caught = {test.partition("[")[0] for _, test, _ in _CASES}

    assert set() == rules - caught - guards


def test_without_pytest_the_kit_names_the_extra() -> None:
    code = "import sys; sys.modules['pytest'] = None; import once_core.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr.rstrip().endswith(
        'ImportError: once_core.testing needs pytest, which is not installed: run pip install "once-core[testing]"'
    )
