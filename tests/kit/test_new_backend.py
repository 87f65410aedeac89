"""A plugin that was just laid out runs, and the kit tells its author what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api.programs import distribution, run
from once_core.testing.new_backend import TEMPLATE, lay_out, main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Lay out once_nut, and its metadata beside its module as an installer would."""
    project = lay_out("nut", tmp_path)
    [(scheme, module)] = read(project)["project"]["entry-points"]["once_core.backends"].items()
    distribution(project / "src", "once-nut", f"[once_core.backends]\n{scheme} = {module}\n")
    return project


def read(project: Path) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    return tomllib.loads((project / "pyproject.toml").read_text())


def run_kit(project: Path, *options: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *options, project / "tests"],
        env={**os.environ, "PYTHONPATH": str(project / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=project,
        capture_output=True,
        text=True,
    ).stdout


def test_it_runs_by_its_url_as_its_readme_says(project: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)

    assert "" == run(example, project / "src")


def test_the_kit_begins_with_the_first_rule_that_is_broken(project: Path) -> None:
    text = run_kit(project, "-x")

    assert "FAILED tests/test_conformance.py::TestNut::test_a_lease_ends_after_its_ttl[sync]" in text, text
    assert "rule 2: " in text
    assert "1 failed" in text
    assert not re.search(r"\d+ errors?", text)


def test_the_kit_passes_what_it_does_right(project: Path) -> None:
    text = run_kit(project, "-k", "stranger or differ_a_little or serves_its_url")

    assert re.search(r"=+ \d+ passed, \d+ deselected", text), text


def test_nothing_of_the_placeholder_is_left(project: Path) -> None:
    for path in project.rglob("*"):
        assert "coconut" not in path.name.lower()
        if path.is_file() and path.suffix != ".pyc":
            assert "coconut" not in path.read_text().lower()


def test_it_has_the_shape_of_a_finished_plugin() -> None:
    def shape(project: Path) -> set[str]:
        return {
            re.sub(r"once_\w+", "once_x", str(path.relative_to(project)))
            for path in project.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and path.name != "test_files.py"
        }

    ours, finished = read(TEMPLATE), read(ROOT / "examples/once_files")
    assert shape(ROOT / "examples/once_files") == shape(TEMPLATE)
    assert finished["build-system"] == ours["build-system"]
    assert finished["project"]["dependencies"] == ours["project"]["dependencies"]
    assert set(finished["project"]) - {"license"} == set(ours["project"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nut", "write a-z, 0-9"),
        ("once-nut", "write a-z, 0-9"),
        ("7up", "write a-z, 0-9"),
        ("", "write a-z, 0-9"),
        ("memory", "memory:// is served by once_memory, which is installed: choose another name"),
        ("core", "once_core would hide a module of that name"),
        ("nut", "once_nut exists: move it away"),
    ],
)
def test_a_name_that_can_not_be_is_refused_and_nothing_written(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "once_nut").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit, match=re.escape(said)):
        main([name])
    assert ["once_nut"] == [path.name for path in tmp_path.rglob("*")]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["nut", "palm"]])
def test_other_arguments_are_told_the_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage: python -m once_core.testing.new_backend NAME"):
        main(arguments)


def test_what_to_type_next_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "once_core.testing.new_backend", "nut"], capture_output=True, text=True, check=True
    )

    assert 'pip install -e "./once_nut[testing]"\n    pytest -x once_nut\n' in done.stdout
    assert (tmp_path / "once_nut/pyproject.toml").is_file()
