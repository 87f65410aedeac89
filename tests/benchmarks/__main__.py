"""Run the benchmarks of the stores that are named, or all of them: `tox -e benchmark -- memory redis`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = "cost_in_"


def main(stores: list[str]) -> None:
    there = sorted(path.stem.removeprefix(HEAD) for path in Path(__file__).parent.glob(f"{HEAD}*.py"))
    if unknown := {*stores} - {*there}:
        sys.exit(f"no benchmark of {', '.join(sorted(unknown))}: there are {', '.join(there)}")
    for store in stores or there:  # in a process of its own each
        subprocess.run([sys.executable, "-P", "-m", f"{Path(__file__).parent.name}.{HEAD}{store}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
