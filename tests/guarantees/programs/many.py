"""Hold very many leases for longer than a ttl: `many NUMBER TTL URL PREFIX`. Prints how many were lost, and the share
of a core that it took. A lease that the store had forgotten meanwhile is told of on stderr when it is given back.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from time import monotonic, process_time, sleep

from once_core import Once


def main(number: str, ttl: str, url: str, prefix: str) -> None:
    once = Once(url, prefix=prefix, ttl=float(ttl))
    with ExitStack() as stack:
        leases = [stack.enter_context(once.lock(f"key-{i}")) for i in range(int(number))]
        start, used = monotonic(), process_time()
        while monotonic() < start + 1.2 * float(ttl):  # each has been renewed, or is over
            sleep(0.1)
        share = (process_time() - used) / (monotonic() - start)
        lost = sum(lease.lost for lease in leases)
    print(lost, round(share, 3))


if __name__ == "__main__":
    main(*sys.argv[1:])
