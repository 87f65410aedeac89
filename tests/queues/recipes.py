"""The code of the pages on task queues, word for word but for its times, as a module for workers and for the tests."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from .workers import TESTS

PAGES = sorted((TESTS.parent / "docs").glob("*task_queues.md"))
PROGRAMS = Path(__file__).parent / "programs"


class Recipes(NamedTuple):
    """The tasks of one framework, as this process has them, and the PYTHONPATH by which workers find the same."""

    tasks: ModuleType
    path: str


def recipes(framework: str, folder: Path, more: str = "", **faster: float) -> Recipes:
    """Write *framework*'s blocks to `FRAMEWORK_tasks.py` in *folder*, and import it.

    *faster* gives other times to options that the page sets to numbers; *more* is code to add. Annotations become
    texts, which is harder.
    """
    page = "\n".join(page.read_text() for page in PAGES)
    shop = re.findall(r"^from shop import .*?(?=  #)", page, re.MULTILINE)[0]
    code = "\n\n".join(re.findall(rf"^```python {framework}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    for option, value in faster.items():
        code, count = re.subn(rf"\b{option}=(\d[\d_.]*|ctx\[.*?\])", f"{option}={value}", code)
        assert count, f"the page has no {option} for {framework}"
    (folder / f"{framework}_tasks.py").write_text(f"from __future__ import annotations\n\n{shop}\n\n{code}\n\n{more}")
    folders = [str(folder), str(PROGRAMS), str(TESTS)]
    sys.path[:0] = folders
    try:
        return Recipes(importlib.import_module(f"{framework}_tasks"), os.pathsep.join(folders))
    finally:
        del sys.path[: len(folders)]
