"""Call one guarded function until it has run so often: `contend URL PREFIX KIND FOLDER RUNS`."""

from __future__ import annotations

import sys
from pathlib import Path
from random import uniform
from time import sleep

from once_core import SKIPPED, Once, current_lease

from ..kinds import KINDS
from .witness import alone, wait_for


def main(url: str, prefix: str, kind: str, folder: str, runs: str) -> None:
    def body() -> None:
        lease = current_lease()
        assert lease is not None
        with alone(Path(folder), lease.fence):
            sleep(uniform(0, 0.002))

    call = KINDS[kind](Once(url, prefix=prefix, ttl=300.0), "contended", body)
    print("ready", flush=True)
    wait_for(Path(folder) / "go")
    left = int(runs)
    while left:
        if call() is SKIPPED:
            sleep(uniform(0, 0.002))
        else:
            left -= 1


if __name__ == "__main__":
    main(*sys.argv[1:])
