"""The example of docs/testing.md passes as its reader would run it, and its table names what there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from once_core.testing import StandIn

ENVIRONMENT = {**os.environ, "ONCE_URL": "redis://nowhere", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PAGE = Path(__file__).parents[2] / "docs/testing.md"


def test_the_example_passes(tmp_path: Path) -> None:
    files = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for name, source in files:
        (tmp_path / name).write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )

    assert ["conftest.py", "tasks.py", "test_tasks.py"] == [name for name, _ in files]
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_the_table_names_all_that_the_fixture_can_do() -> None:
    can = {name for name, _ in inspect.getmembers(StandIn, inspect.isfunction) if not name.startswith("_")}
    rows = set(re.findall(r"^\| `(?:with )?once_store\.(\w+)", PAGE.read_text(), re.MULTILINE))

    assert can == rows
