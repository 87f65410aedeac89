"""What the documents say is so: their code runs, their links lead somewhere, their names exist."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import re
import sys
import tomllib
import types
from pathlib import Path

import pytest

import once_core
from guarantees.stores import STORES, opened
from once_core import hookspecs, plugins

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for path in ROOT.glob("**/*.md") if not {".tox", ".venv"} & set(path.parts))
PLUGINS = sorted(path.parent for path in ROOT.glob("once_backends/*/pyproject.toml"))
ROOMS = sorted(path for path in (ROOT / "once_core").glob("*.py"))


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of *path* in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of *path*."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    broken: list[str] = []
    for link in links:
        target, _, anchor = link.partition("#")
        place = (path.parent / target) if target else path
        if "://" not in link and (not place.exists() or (anchor and anchor not in anchors(place))):
            broken.append(link)

    assert [] == broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_python_block_of_a_document_is_python(path: Path) -> None:
    for block in blocks(path, r"python(?: \w+)?"):
        ast.parse(block)


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_the_example_of_a_plugin_runs(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = blocks(folder / "README.md", "python")[0]
    name = folder.name.removeprefix("once_")
    if name in STORES and name != "memory":  # in place of the reader's server, one of our own
        with opened(name, tmp_path) as store:
            example = re.sub(rf'"{name}://[^"]*"', f'"{store.url}"', example)

    # As a module: decorated functions are looked up there.
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(example, str(folder / "README.md"), "exec"), module.__dict__)

    assert "once_core" in example


def test_the_readme_shows_every_option_of_once_and_no_other() -> None:
    shown = next(block for block in blocks(ROOT / "README.md", "python") if "hold_at_least" in block)
    call = ast.parse(shown).body[0].decorator_list[0]  # type: ignore[attr-defined]  # a decorated function
    options = set(inspect.signature(once_core.once).parameters)

    assert options == {keyword.arg for keyword in call.keywords} | {"return_on_locked"}


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_every_plugin_is_named_where_it_is_looked_for(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    schemes = project["entry-points"]["once_core.backends"]
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")

    assert f"once_backends/{folder.name}" in tox["testenv"]["commands_pre"]
    assert f"pip install {project['name']}" in (ROOT / "README.md").read_text()
    assert [] == [scheme for scheme in schemes if project["name"] not in plugins._PUBLISHED.get(scheme, "")]
    assert all(f"{scheme}://" in (folder / "README.md").read_text() for scheme in schemes)


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_every_plugin_has_the_shape_of_its_siblings(folder: Path) -> None:
    parts = ["README.md", "tests/test_conformance.py", f"src/{folder.name}/__init__.py", f"src/{folder.name}/py.typed"]

    assert [] == [part for part in parts if not (folder / part).is_file()]
    page = folder / "README.md"
    assert {"how", "when-not-to-use-it", "what-it-promises-and-what-not"} <= anchors(page)
    assert "\nTested with " in page.read_text()
    assert "| URL |" in page.read_text()


def test_every_hook_is_documented() -> None:
    hooks = dict(inspect.getmembers(hookspecs, inspect.isfunction))

    assert hooks
    assert [] == [name for name, hook in hooks.items() if not inspect.getdoc(hook)]


def test_every_public_name_is_documented() -> None:
    named = {name: getattr(once_core, name) for name in once_core.__all__}
    things = {name: thing for name, thing in named.items() if inspect.isclass(thing) or inspect.isroutine(thing)}

    assert [] == [name for name, thing in things.items() if not inspect.getdoc(thing)]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.stem)
def test_every_room_opens_with_what_it_is_for_and_stays_small(room: Path) -> None:
    text = room.read_text()

    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.stem)
def test_the_core_imports_nothing_but_pluggy(room: Path) -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(room.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }

    assert imported <= sys.stdlib_module_names | {"pluggy"}


def test_every_guarantee_has_a_row_and_a_test() -> None:
    rows = set(re.findall(r"^\| (G\d+) \|", (ROOT / "docs/guarantees.md").read_text(), re.MULTILINE))
    tested = {
        f"G{int(n)}"
        for path in (ROOT / "tests/guarantees").glob("test_*.py")
        for n in re.findall(r"g(\d\d)", path.name)
    }

    assert {f"G{number}" for number in range(1, 14)} == rows
    assert rows == tested


def test_the_names_of_the_reading_order_are_rooms() -> None:
    named = set(re.findall(r"(\w+)\.py", importlib.import_module("once_core").__doc__ or ""))

    assert {room.stem for room in ROOMS} - {"__init__"} == named
