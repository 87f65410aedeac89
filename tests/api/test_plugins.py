"""Plugins are found by their entry points; each test installs some in a program of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .programs import TIME_LIMIT, distribution, run

PLUGIN = """
    from once_core import hookimpl
    from once_memory import MemoryBackend

    @hookimpl
    def once_offer_backends():
        return {"coconut": lambda url: MemoryBackend(), "palm": lambda url: MemoryBackend()}
"""
BROKEN = "import a_client_that_is_not_installed"

CALL = """
import once_core

def call(url):
    guard = once_core.Once(url)
    return guard.once(key="check")(lambda: "ran")()

def error(function, *args):
    try:
        return function(*args)
    except once_core.OnceError as error:
        return f"{type(error).__name__}: {error}"
"""


def backends(*names: str, module: str = "plugin") -> str:
    """Return entry points for the URL schemes *names*."""
    return "[once_core.backends]\n" + "".join(f"{name} = {module}\n" for name in names)


def observers(*names: str, module: str = "plugin") -> str:
    """Return entry points for the observers *names*."""
    return "[once_core.observers]\n" + "".join(f"{name} = {module}\n" for name in names)


def missing(text: str, *parts: str) -> list[str]:
    """Return those of *parts* that *text* lacks."""
    return [part for part in parts if part not in text]


def test_a_plugin_serves_its_scheme(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN)

    assert "ran ran" == run(CALL + "print(call('coconut://x'), call('coconut+fast://x'))", tmp_path)


def test_one_module_may_serve_several_schemes_and_observe(tmp_path: Path) -> None:
    plugin = PLUGIN + "\n    @hookimpl\n    def once_acquired(lease):\n        print('acquired', lease.key)\n"
    entries = backends("coconut", "palm") + observers("nut")
    distribution(tmp_path, "once-coconut", entries, plugin=plugin)

    assert "acquired check\nacquired check\nran ran" == run(
        CALL + "print(call('coconut://'), call('palm://'))", tmp_path
    )


def test_a_plugin_may_be_an_object_of_a_module(tmp_path: Path) -> None:
    plugin = """
        from once_core import hookimpl
        from once_memory import MemoryBackend

        class Plugin:
            @hookimpl
            def once_offer_backends(self):
                return {"coconut": lambda url: MemoryBackend()}

        plugin = Plugin()
    """
    distribution(tmp_path, "once-coconut", "[once_core.backends]\ncoconut = plugin:plugin\n", plugin=plugin)

    assert "ran" == run(CALL + "print(call('coconut://'))", tmp_path)


def test_an_unknown_scheme_names_what_is_installed_and_the_line_to_type(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN)
    text = run(CALL + "print(error(once_core.configure, 'nosuch://host'))", tmp_path)

    assert text.startswith("UnknownBackend: ")
    assert [] == missing(text, "nosuch://", "coconut://", "memory://", "sqlite://", "pip install", "once-sql")


def test_the_scheme_of_a_plugin_of_once_that_is_not_installed_names_its_distribution(tmp_path: Path) -> None:
    for name in ("once_core", "pluggy"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        (tmp_path / name).symlink_to(spec.submodule_search_locations[0])
    program = CALL + "print(error(once_core.configure, 'sqlite:///x')); print(error(call, None))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    unknown, not_configured = done.stdout.splitlines()

    assert [] == missing(unknown, "UnknownBackend", "sqlite://", "Installed: none", "pip install once-sql")
    assert [] == missing(not_configured, "NotConfigured", "Installed: none", "once_core.configure(")


def test_two_distributions_with_one_scheme_conflict_when_it_is_configured(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN)
    distribution(tmp_path, "once-palm", backends("coconut", module="other"), other=PLUGIN)
    text = run(CALL + "print(error(once_core.configure, 'coconut://')); print(call('memory://'))", tmp_path)
    conflict, other = text.splitlines()

    assert [] == missing(conflict, "BackendConflict", "coconut://", "once-coconut 1.2", "once-palm 1.2", "uninstall")
    assert "ran" == other


def test_a_plugin_that_takes_a_scheme_of_once_conflicts_too(tmp_path: Path) -> None:
    distribution(tmp_path, "my-memory", backends("memory"), plugin=PLUGIN)
    text = run(CALL + "print(error(once_core.configure, 'memory://'))", tmp_path)

    assert [] == missing(text, "BackendConflict", "my-memory", "once-memory")


def test_a_distribution_that_is_on_the_path_twice_is_no_conflict(tmp_path: Path) -> None:
    first = distribution(tmp_path / "first", "once-coconut", backends("coconut"), plugin=PLUGIN)
    second = distribution(tmp_path / "second", "once-coconut", backends("coconut"), plugin=PLUGIN)

    assert "ran" == run(CALL + "print(call('coconut://'))", first, second)


def test_a_plugin_that_cannot_be_imported_harms_only_those_who_ask_for_it(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=BROKEN)
    text = run(
        CALL
        + "print(call('memory://')); once_core.configure('coconut://'); print(error(call, 'coconut://'))\n"
        + "print(error(call, 'coconut://')); print(call('memory://')); print(error(call, 'nosuch://'))",
        tmp_path,
    )
    first, asked, again, last, unknown = text.splitlines()

    assert ("ran", "ran") == (first, last)
    assert [] == missing(asked, "UnknownBackend", "once-coconut 1.2", "ModuleNotFoundError", "a_client_that_is_not")
    assert asked == again
    assert [] == missing(unknown, "nosuch://", "coconut", "ModuleNotFoundError", "a_client_that_is_not", "pip install")


@pytest.mark.parametrize("source", ["1 / 0", "raise SystemError('no')", "from once_core import nothing", "def ("])
def test_whatever_a_plugin_raises_when_it_is_imported_is_told(tmp_path: Path, source: str) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=source)
    text = run(CALL + "print(error(call, 'coconut://'))", tmp_path)

    assert [] == missing(text, "UnknownBackend", "once-coconut 1.2", "could not be imported")


def test_an_entry_point_that_names_nothing_is_told(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", "[once_core.backends]\ncoconut = plugin:nothing\n", plugin=PLUGIN)

    assert [] == missing(run(CALL + "print(error(call, 'coconut://'))", tmp_path), "once-coconut 1.2", "nothing")


def test_a_plugin_is_imported_at_the_first_call_and_not_before(tmp_path: Path) -> None:
    plugin = "\n    print('imported')" + PLUGIN
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    program = CALL + "guard = once_core.Once('coconut://'); print('made'); guard.lock('x').is_locked(); print('asked')"

    assert "made\nimported\nasked" == run(program, tmp_path)


def test_a_misspelt_hook_is_named_with_its_plugin(tmp_path: Path) -> None:
    plugin = PLUGIN + "\n    @hookimpl\n    def once_aquired(lease): ...\n"
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    text = run(CALL + "for _ in 'ab': print(error(call, 'coconut://'))\nprint(call('memory://'))", tmp_path)
    first, second, other = text.splitlines()

    assert [] == missing(first, "ConfigurationError", "once_aquired", "once-coconut 1.2", "once_acquired")
    assert first == second
    assert "ran" == other


def test_an_argument_that_a_hook_has_not_is_named(tmp_path: Path) -> None:
    plugin = PLUGIN + "\n    @hookimpl\n    def once_acquired(leese): ...\n"
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)

    assert [] == missing(run(CALL + "print(error(call, 'coconut://'))", tmp_path), "ConfigurationError", "leese")


@pytest.mark.parametrize(
    "source", ["x = 1", PLUGIN.replace("@hookimpl", "# no mark"), PLUGIN.replace("coconut", "nut")]
)
def test_a_plugin_that_does_not_offer_its_scheme_is_told_what_to_return(tmp_path: Path, source: str) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=source)
    text = run(CALL + "print(error(call, 'coconut://'))", tmp_path)

    assert [] == missing(text, "ConfigurationError", "once-coconut 1.2", "coconut://", "once_offer_backends", "factory")


def test_a_hook_without_its_mark_is_told_what_to_write(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=PLUGIN.replace("@hookimpl", "# no mark"))
    text = run(CALL + "print(error(call, 'coconut://'))", tmp_path)

    assert [] == missing(text, "write `@hookimpl` above `def once_offer_backends():`")


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (PLUGIN.replace("return {", "return list({").replace("}", "})", 1), ["it answers ['coconut'"]),
        (PLUGIN.replace("return {", "return 1 / 0, {"), ["once_offer_backends", "ZeroDivisionError", "plugin.py:"]),
        (PLUGIN.replace("MemoryBackend()", "int(url)"), ["the factory for coconut://", "ValueError", "plugin.py:"]),
    ],
    ids=["list", "hook", "factory"],
)
def test_a_mistake_in_a_plugin_is_no_store_that_is_away(tmp_path: Path, source: str, parts: list[str]) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=source)
    program = "once = once_core.Once('coconut://', on_unavailable='run')\nprint(error(once.once(key='k')(lambda: 0)))"
    text = run(CALL + program, tmp_path)

    assert [] == missing(text, "ConfigurationError", "once-coconut 1.2", *parts)


def test_a_signal_amid_the_making_of_a_backend_is_the_caller_s(tmp_path: Path) -> None:
    once = "lambda url: made.append(url) or (len(made) < 2 and signal.raise_signal(signal.SIGUSR1)) or MemoryBackend()"
    plugin = PLUGIN.replace("lambda url: MemoryBackend()", once, 1)
    plugin = plugin.replace("from once_core", "import signal\n    made = []\n    from once_core", 1)
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    program = """
try:
    call('coconut://')
except SoftTimeLimit:
    print("out of time")
"""

    assert "out of time" == run(CALL + TIME_LIMIT + program, tmp_path)


def test_what_a_plugin_offers_beyond_its_names_shadows_nobody(tmp_path: Path) -> None:
    plugin = PLUGIN.replace('"palm"', '"sqlite": None, "memory": None, "palm"')
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    text = run(CALL + "print(call('coconut://'), call('memory://'), error(once_core.configure, 'palm://'))", tmp_path)

    assert text.startswith("ran ran UnknownBackend: ")


@pytest.mark.parametrize(
    ("factory", "parts"),
    [
        ("lambda url: object()", ["ConfigurationError", "lacks acquire"]),
        ("lambda url: None", ["ConfigurationError", "lacks acquire"]),
        ("lambda url: MemoryBackend", ["ConfigurationError", "is a class"]),
    ],
)
def test_a_factory_that_makes_no_backend_is_told_what_is_missing(
    tmp_path: Path, factory: str, parts: list[str]
) -> None:
    plugin = PLUGIN.replace('"coconut": lambda url: MemoryBackend()', f'"coconut": {factory}')
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    text = run(CALL + "print(error(call, 'coconut://user:secret@host/x?next=http://y'))", tmp_path)

    assert [] == missing(text, *parts, "once-coconut 1.2", "coconut://user:***@host/x?next=http://y")
    assert "secret" not in text


def test_a_factory_gets_the_whole_url_and_its_configuration_error_passes(tmp_path: Path) -> None:
    plugin = """
        from once_core import ConfigurationError, hookimpl

        def factory(url):
            raise ConfigurationError(f"not {url}")

        @hookimpl
        def once_offer_backends():
            return {"coconut": factory}
    """
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=plugin)
    program = CALL + "print(error(call, 'coconut+x://user@host:1/path?a=b#c'))"

    assert "ConfigurationError: not coconut+x://user@host:1/path?a=b#c" == run(program, tmp_path)


def test_a_wrong_configuration_is_never_a_skip_nor_an_unguarded_run(tmp_path: Path) -> None:
    distribution(tmp_path, "once-coconut", backends("coconut"), plugin=BROKEN)
    program = """
for policy in ("skip", "run"):
    guard = once_core.Once("coconut://", on_unavailable=policy)
    print(error(guard.once(key="check")(lambda: "ran")).partition(":")[0])
"""

    assert "UnknownBackend\nUnknownBackend" == run(CALL + program, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:secret@host",
        "redis:/user:secret@host",
        "nosuch://user:secret@host/?proxy=http://other",
        "redis:/host?password=secret&db=1",
        "redis:/host/once?user=once&passwd=secret&timeout=1",
        "redis:/host/once?sslpassword=secret",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    text = run(CALL + f"print(error(once_core.configure, {url!r}))")

    assert "secret" not in text
