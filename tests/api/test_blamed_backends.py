"""A backend that breaks a rule is told by name, with its distribution and the line to change."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from once_core import BackendUnavailable, ConfigurationError, Grant, Once
from once_memory import MemoryBackend

from .both import Both
from .programs import distribution, run
from .test_plugins import CALL, PLUGIN, backends, missing

HERE = re.escape(__file__)
COCONUT = "Coconut of once-coconut 1.2"

WRONG = """
    from once_core import hookimpl
    from once_memory import MemoryBackend

    class Coconut(MemoryBackend):
        {wrong}

    @hookimpl
    def once_offer_backends():
        return {{"coconut": lambda url: Coconut()}}
"""


def installed(folder: Path, wrong: str) -> Path:
    """Write a distribution whose backend is the memory store with one thing wrong."""
    return distribution(folder, "once-coconut", backends("coconut"), plugin=WRONG.format(wrong=wrong))


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ("renew = None", ["lacks renew", "def renew(self, key: str, token: str, ttl: float) -> bool:"]),
        ("release = holder = 7", ["release and holder", "def holder(self, key: str) -> Holder | None:"]),
        (
            "aio = object()",
            ["the aio of", "async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:"],
        ),
        ("def renew(self, key, token): ...", ["renew with other parameters", "`def renew(self, key:", "plugin.py:6"]),
        ("async def release(self, key, token): ...", ["coroutine function as release", "`def release(", "plugin.py:6"]),
    ],
)
def test_a_backend_that_lacks_a_verb_is_told_the_line_to_write(tmp_path: Path, wrong: str, parts: list[str]) -> None:
    text = run(CALL + "print(error(call, 'coconut://'))", installed(tmp_path, wrong))

    assert [] == missing(text, "ConfigurationError", "once-coconut 1.2", *parts)


@pytest.mark.parametrize(
    "right",
    [
        "def holder(self, *about, **more): return None",
        "def holder(self, key, more=1): return None",
        "holder = type('Odd', (), {'__signature__': 'odd', '__call__': lambda self, key: None})()",
    ],
)
def test_a_verb_that_can_be_called_or_does_not_tell_its_parameters_is_taken(tmp_path: Path, right: str) -> None:
    assert "ran" == run(CALL + "print(call('coconut://'))", installed(tmp_path, right))


@pytest.mark.parametrize("answer", ["True", "7", "self.holder(key)"])
def test_an_answer_that_is_no_grant_is_told_with_the_line_to_change(tmp_path: Path, answer: str) -> None:
    wrong = f"def acquire(self, key, token, ttl): return {answer} or self"
    text = run(CALL + "print(error(call, 'coconut://'))", installed(tmp_path, wrong))

    assert [] == missing(
        text, "BackendUnavailable", f"acquire() of {COCONUT} answered", "-> Grant | None", "plugin.py:6"
    )


def test_a_coroutine_from_a_plain_verb_is_told_and_closed(tmp_path: Path) -> None:
    wrong = "acquire = lambda self, *call: self.later()\n        async def later(self): ..."
    text = run(CALL + "print(error(call, 'coconut://'))", installed(tmp_path, wrong))

    assert [] == missing(text, "BackendUnavailable", f"acquire() of {COCONUT} answered <coroutine", "plugin.py:6")


def test_a_foreign_exception_is_told_with_the_line_that_let_it_out(tmp_path: Path) -> None:
    wrong = "def acquire(self, key, token, ttl):\n            return len(7)"
    text = run(CALL + "print(error(call, 'coconut://'))", installed(tmp_path, wrong))

    assert [] == missing(text, "BackendUnavailable", "TypeError", COCONUT, "raise BackendUnavailable", "plugin.py:7")


def test_a_backend_without_a_distribution_is_told_with_its_module() -> None:
    class Wrong(MemoryBackend):
        def acquire(self, key: str, token: str, ttl: float) -> Grant:
            raise KeyError(key)

    with pytest.raises(BackendUnavailable, match=rf"Wrong failed with KeyError.*\.Wrong has to raise.* {HERE}:\d+$"):
        Once(Wrong()).lock("key").__enter__()


def test_an_error_that_no_line_of_the_backend_let_out_blames_none() -> None:
    once = Once(MemoryBackend())
    backend = once.open().store.open()
    vars(backend)["acquire"] = exec

    with pytest.raises(BackendUnavailable, match=r"MemoryBackend failed with TypeError: [^.]*$"):
        once.lock("key").__enter__()


def wrong(verb: str, answer: Any) -> MemoryBackend:
    backend = MemoryBackend()
    vars(backend)[verb] = lambda *call: answer
    return backend


@pytest.mark.parametrize("answer", ["me", True, ("host", 7)])
def test_a_holder_that_is_none_is_told(both: Both, answer: object) -> None:
    work = Once(wrong("holder", answer)).once(key="work")(both.function(lambda: "ran"))

    with pytest.raises(BackendUnavailable, match=rf"holder\(\) of MemoryBackend of once-memory .* {HERE}:\d+"):
        both.call(work.is_locked)


def test_an_answer_of_what_python_did_not_compile_is_told_without_a_line() -> None:
    backend = MemoryBackend()
    vars(backend)["holder"] = {"once:key": 7}.get

    with pytest.raises(BackendUnavailable, match=r"answered 7: let it return what `[^`]*` says$"):
        Once(backend).lock("key").is_locked()


@pytest.mark.parametrize("hold_at_least", [0.0, 60.0])
def test_a_giving_back_without_an_answer_is_told_and_costs_no_result(
    both: Both, hold_at_least: float, caplog: pytest.LogCaptureFixture
) -> None:
    verb = "renew" if hold_at_least else "release"
    once = Once(wrong(verb, None))

    work = once.once(key="work", hold_at_least=hold_at_least)(both.function(lambda: "ran"))

    assert "ran" == both.call(work)
    assert f"{verb}() of MemoryBackend of once-memory" in caplog.text
    assert "answered None: let it return what" in caplog.text


def test_coroutines_of_a_backend_without_an_answer_are_told(caplog: pytest.LogCaptureFixture) -> None:
    backend = MemoryBackend()

    class Aio:
        async def acquire(self, *call: Any) -> Any:
            return backend.acquire(*call)

        async def release(self, key: str, token: str) -> None:
            backend.release(key, token)

        async def holder(self, key: str) -> int:
            return 7

        renew = release

    vars(backend).update(aio=Aio(), never_blocks=False)

    @Once(backend).once(key="work")
    async def work() -> str:
        return "ran"

    assert "ran" == asyncio.run(work())
    assert re.search(rf"release\(\) of \S+\.Aio answered None.* {HERE}:\d+", caplog.text)
    with pytest.raises(BackendUnavailable, match=r"holder\(\) of \S+\.Aio answered 7"):
        asyncio.run(work.holder())


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("renew", None, r"renew\(\) of .* answered None"),
        ("renew", 1, r"renew\(\) of .* answered 1"),
        ("renew_many", [], r"renew_many\(\) of .* answered \[\] about 1 leases"),
        ("renew_many", ["yes"], r"renew_many\(\) of .* answered \['yes'\]"),
    ],
)
def test_a_renewal_without_an_answer_is_told_while_the_run_goes_on(
    verb: str, answer: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = wrong(verb, answer)
    if verb == "renew":
        vars(backend)["renew_many"] = None

    with Once(backend, ttl=2).lock("key") as lease:
        wait_for(lambda: re.search(said + rf".* {HERE}:\d+", caplog.text) is not None)
        assert not lease.lost
    assert logging.WARNING == caplog.records[0].levelno


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = monotonic() + 10
    while not condition():
        assert monotonic() < give_up
        sleep(0.01)


def test_a_scheme_that_is_taken_names_both_and_what_to_do(tmp_path: Path) -> None:
    distribution(tmp_path, "my-memory", backends("memory"), plugin=PLUGIN)
    text = run(CALL + "print(error(once_core.configure, 'memory://'))", tmp_path)

    assert [] == missing(text, "once-memory", "my-memory 1.2", "uninstall one", "another name in its pyproject.toml")


def test_a_misspelt_hook_is_told_what_was_meant(tmp_path: Path) -> None:
    plugin = PLUGIN + "\n    @hookimpl\n    def once_aquired(lease): ...\n"
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    text = run(CALL + "print(error(call, 'coconut://'))", tmp_path)

    assert [] == missing(text, "once-coconut 1.2", "Did you mean once_acquired, where once_aquired is written?")


def test_a_class_is_told_to_be_called() -> None:
    with pytest.raises(ConfigurationError, match="is a class: pass an object of it"):
        Once(MemoryBackend)  # type: ignore[arg-type]  # the mistake
