"""Contend for one key in several processes: `contend URL PREFIX KIND FOLDER PROCESSES RUNS SECONDS`.

Each process has run when it has run so often, and when so many seconds are over.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from random import uniform
from time import monotonic, sleep

from once_core import SKIPPED, Once, current_lease

from ..kinds import KINDS
from .witness import alone, wait_for


def main(url: str, prefix: str, kind: str, folder: str, processes: str, runs: str, seconds: str) -> None:
    once = Once(url, prefix=prefix, ttl=300.0)
    once.open().store.open()  # the plugin is imported once for all; nothing is connected yet
    children = [child for _ in range(int(processes)) if (child := fork(once, kind, Path(folder), int(runs), seconds))]
    print("ready", flush=True)
    for child in children:
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fork(once: Once, kind: str, folder: Path, runs: int, seconds: str) -> int:
    """Return the number of a process that contends."""
    child = os.fork()
    if not child:
        status = 1
        try:
            contend(once, kind, folder, runs, float(seconds))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def contend(once: Once, kind: str, folder: Path, runs: int, seconds: float) -> None:
    def body() -> None:
        lease = current_lease()
        assert lease is not None
        with alone(folder, lease.fence):
            sleep(uniform(0, 0.002))

    call = KINDS[kind](once, "contended", body)
    wait_for(folder / "go")
    until = monotonic() + seconds
    while runs > 0 or monotonic() < until:
        if call() is SKIPPED:
            sleep(uniform(0, 0.002))
        else:
            runs -= 1


if __name__ == "__main__":
    main(*sys.argv[1:])
