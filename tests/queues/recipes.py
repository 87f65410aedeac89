"""The code of docs/task_queues.md, word for word but for its times, as a module for workers and for the tests."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


def write_recipes(framework: str, folder: Path, **faster: tuple[str, str]) -> Path:
    """Write *framework*'s blocks to a module in *folder*; each of *faster* is a text and its substitute."""
    page = (ROOT / "docs" / "task_queues.md").read_text()
    (shop,) = re.findall(r"^from shop import .*?(?=  #)", page, re.MULTILINE)
    code = "\n\n".join(re.findall(rf"^```python {framework}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    for name, (text, substitute) in faster.items():
        assert text in code, f"{name}: the recipes have no {text!r} any more"
        code = code.replace(text, substitute)
    module = folder / f"{framework}_recipes.py"
    module.write_text(f"{shop}\n{code}")
    return module


def imported(module: Path) -> ModuleType:
    """Import what `write_recipes` has written, as the workers do that have its folder, and PROGRAMS, on their path."""
    sys.path[:0] = [str(module.parent), str(PROGRAMS)]
    try:
        return importlib.import_module(module.stem)
    finally:
        del sys.path[:2]
