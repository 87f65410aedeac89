"""The code of docs/more_task_queues.md, word for word but for its times, as a module for workers and for the tests."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from .workers import TESTS

PAGE = TESTS.parent / "docs" / "more_task_queues.md"
PROGRAMS = Path(__file__).parent / "programs"
TTL = 3
"""Seconds that a killed worker costs in the tests of this page."""


class Recipes(NamedTuple):
    """The tasks of one framework, as this process has them, and the PYTHONPATH by which workers find the same."""

    tasks: ModuleType
    path: str


def recipes(framework: str, folder: Path, **faster: str) -> Recipes:
    """Write *framework*'s blocks to `FRAMEWORK_tasks.py` in *folder*, and import it.

    *faster* gives other times to options that the page sets to numbers. Annotations become texts, which is harder.
    """
    page = PAGE.read_text()
    (shop,) = re.findall(r"^from shop import .*?(?=  #)", page, re.MULTILINE)
    code = "\n\n".join(re.findall(rf"^```python {framework}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    for option, value in {"ttl": str(TTL), **faster}.items():
        code, count = re.subn(rf"\b{option}=\d+", f"{option}={value}", code)
        assert count, f"the page has no {option} for {framework}"
    (folder / f"{framework}_tasks.py").write_text(f"from __future__ import annotations\n\n{shop}\n\n{code}")
    folders = [str(folder), str(PROGRAMS), str(TESTS)]
    sys.path[:0] = folders
    try:
        return Recipes(importlib.import_module(f"{framework}_tasks"), os.pathsep.join(folders))
    finally:
        del sys.path[: len(folders)]
