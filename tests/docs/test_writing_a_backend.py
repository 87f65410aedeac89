"""What docs/writing_a_backend.md says is so: steps are red where it says, excerpts are the real ones."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from once_core import hookspecs
from once_core.testing import BackendConformance
from once_core.testing.basis import Basis
from once_core.testing.rules import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/writing_a_backend.md").read_text()
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
STEPS = {name: source for name, source in BLOCKS if name.startswith(("step_", "try_", "forks"))}
EXCERPTS = [(name, source) for name, source in BLOCKS if name not in STEPS]
SOURCES = {
    "backend.py": ROOT / "examples/once_files/src/once_files/backend.py",
    "test_conformance.py": ROOT / "examples/once_files/tests/test_conformance.py",
    "once_metrics": ROOT / "examples/once_metrics/src/once_metrics/__init__.py",
}

# The kit traces the code that it races; measuring coverage does so, too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
ENVIRONMENT["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

SUITE = """
import pytest
from once_core.testing import BackendConformance
from {step} import FilesBackend


class TestFiles(BackendConformance):
    min_ttl, race_rounds = 0.15, 100

    @pytest.fixture
    def backend(self, tmp_path):
        self.root = tmp_path
        return FilesBackend(tmp_path)

    def unreachable(self):
        (self.root / "file").touch()
        return FilesBackend(self.root / "file" / "leases")
"""


FORKING = """
import forks, os

class NutBackend:
    state = "open"
    def close(self): self.state = "closed"

backend = NutBackend()
forks._backends.add(backend)
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
with forks._no_fork:
    print(f"{backend.state}, free in", "parent" if pid else "child", flush=True)
"""


def red(step: int) -> set[str]:
    """Return the tests that the page calls red in a step."""
    found: set[str] = set()
    for steps, tests in re.findall(r"\*Red in (step[^*]*):\*((?:[,\s]*`test_\w+`)+)", PAGE):
        if f"step {step}" in steps:
            found |= set(re.findall(r"test_\w+", tests))
    return found


def run(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in STEPS.items():
        (tmp_path / name).write_text(source)
    return tmp_path


def test_the_dozen_lines_run(folder: Path) -> None:
    assert "checked 42, skipped None\n" == run(folder, "try_1.py")
    assert {"step_1.py", "step_2.py", "try_1.py", "forks.py"} == set(STEPS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")
def test_what_stands_about_forks_closes_before_and_asks_afterwards(folder: Path) -> None:
    assert "closed, free in child\nclosed, free in parent\n" == run(folder, "-c", FORKING)


@pytest.mark.parametrize(("step", "other"), [(1, 2), (2, 1)])
def test_a_step_is_red_where_the_page_says_so(folder: Path, step: int, other: int) -> None:
    (folder / "test_it.py").write_text(SUITE.format(step=f"step_{step}"))
    expected = red(step)
    asked = [f"{name}[" for name in sorted(expected)]
    text = run(folder, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", "-k", " or ".join(asked))
    failed = set(re.findall(r"^FAILED \S+::(test_\w+)", text, re.MULTILINE))
    passed = set(re.findall(r"^PASSED \S+::(test_\w+)", text, re.MULTILINE))

    assert len(expected) >= 7
    assert expected == failed, text
    assert passed - failed == set()


@pytest.mark.parametrize(("name", "excerpt"), EXCERPTS, ids=[f"{name}-{text[:30]}" for name, text in EXCERPTS])
def test_an_excerpt_is_the_real_one(name: str, excerpt: str) -> None:
    def lines(source: str, indent: str = "") -> str:
        return "".join(f"{indent}{line.rstrip()}\n" for line in source.splitlines() if line.strip())

    source = lines(SOURCES[name].read_text())

    assert lines(excerpt) in source or lines(excerpt, "    ") in source


def test_every_rule_has_its_place_where_the_kit_sends_its_reader() -> None:
    assert set(RULES) == {int(number) for number in re.findall(r"^### Rule (\d)$", PAGE, re.MULTILINE)}


def test_every_test_that_is_named_is_one_of_the_kit() -> None:
    named = set(re.findall(r"`(test_[a-z_]+)`", PAGE))

    assert named
    assert set() == {name for name in named if not hasattr(BackendConformance, name)}


def test_the_table_of_the_kit_names_every_knob_with_its_default() -> None:
    knobs = {name: getattr(Basis, name) for name in inspect.get_annotations(Basis)}
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", PAGE, re.MULTILINE))

    assert {name: str(value) for name, value in knobs.items()} == {name: rows[name].strip('"') for name in knobs}


def test_every_hook_of_an_observer_is_named() -> None:
    hooks = {name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction)}

    assert set() == {hook for hook in hooks if f"`{hook}`" not in PAGE}


def test_the_finished_backend_is_as_short_as_the_page_says() -> None:
    source = SOURCES["backend.py"].read_text()
    code = re.sub(r'""".*?"""', "", source, flags=re.DOTALL)

    assert len([line for line in code.splitlines() if line.strip()]) < 100
