"""Run a guarded body until a file `go` is there: `hold URL PREFIX KIND KEY TTL FOLDER`.

The body appends its fence to the file `begun`. Prints `skipped`, or `lost` or `kept` when the body is over.
"""

from __future__ import annotations

import sys
from pathlib import Path

from once_core import SKIPPED, Once, current_lease

from ..kinds import FORMS
from .witness import note, wait_for


def main(url: str, prefix: str, kind: str, key: str, ttl: str, folder: str) -> None:
    def body() -> str:
        lease = current_lease()
        assert lease is not None
        note(Path(folder) / "begun", lease.fence)
        wait_for(Path(folder) / "go")
        return "lost" if lease.lost else "kept"

    result = FORMS[kind](Once(url, prefix=prefix, ttl=float(ttl)), key, body)()
    print("skipped" if result is SKIPPED else result)


if __name__ == "__main__":
    main(*sys.argv[1:])
