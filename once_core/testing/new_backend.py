"""Lay out a plugin that runs, installs and fails the kit: `python -m once_core.testing.new_backend coconut`."""

from __future__ import annotations

import re
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from ..hookspecs import BACKENDS

TEMPLATE = Path(__file__).parent / "plugin_template"
_PLACEHOLDER = "coconut"

_NEXT = """\
{folder} is laid out: a plugin for {name}:// that runs, on a dict in place of your store. Now:

    pip install -e "./{folder}[testing]"
    pytest -x {folder}

The first rule that it breaks is what to do first. docs/writing_a_backend.md goes through them one by one."""


def lay_out(name: str, where: Path) -> Path:
    """Write the project once_*name* into the folder *where* and return its folder. Raises ValueError."""
    if not re.fullmatch("[a-z][a-z0-9]*", name):
        raise ValueError(
            f"{name!r} can't be the name, which is a URL's scheme and part of a module's name: write a-z, 0-9"
        )
    if taken := [entry.value for entry in entry_points(group=BACKENDS) if entry.name == name]:
        raise ValueError(f"{name}:// is served by {taken[0]}, which is installed: choose another name")
    if find_spec(f"once_{name}"):
        raise ValueError(f"once_{name} would hide a module of that name, which is installed: choose another name")
    folder = where / f"once_{name}"
    if folder.exists():
        raise ValueError(f"{folder} exists: move it away, or choose another name")
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        target = folder / _renamed(str(source.relative_to(TEMPLATE)), name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_renamed(source.read_text("utf-8"), name), "utf-8")
    return folder


def _renamed(text: str, name: str) -> str:
    return text.replace(_PLACEHOLDER, name).replace(_PLACEHOLDER.capitalize(), name.capitalize())


def main(arguments: list[str]) -> str:
    """Return what to print. Raises SystemExit, saying what is wrong."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise SystemExit(
            "usage: python -m once_core.testing.new_backend NAME\nNAME is the URL's scheme, such as coconut"
        )
    try:
        folder = lay_out(arguments[0], Path.cwd())
    except ValueError as error:
        raise SystemExit(str(error)) from None
    return _NEXT.format(folder=folder.name, name=arguments[0])


if __name__ == "__main__":
    print(main(sys.argv[1:]))
