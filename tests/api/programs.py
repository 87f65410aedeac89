"""Programs in a process of their own, with distributions that exist only on their path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

TIME_LIMIT = """
import signal
class SoftTimeLimit(Exception): ...
def out_of_time(number, frame): raise SoftTimeLimit
signal.signal(signal.SIGUSR1, out_of_time)
"""


def run(program: str, *path: Path, **environment: str) -> str:
    """Run *program* with the folders *path* to import from and warnings as errors; return what it prints."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), **environment}
    if "sys.modules" in program:  # measuring coverage imports a lot
        variables = {name: value for name, value in variables.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(program)],
        env=variables,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)

    return done.stdout.strip()


def distribution(folder: Path, name: str, entry_points: str, **modules: str) -> Path:
    """Write an installed distribution into *folder*: its metadata and its *modules*, by name."""
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(dedent(entry_points))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(dedent(source))
    return folder
