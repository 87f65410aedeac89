"""Do what `hold` does, on a machine whose wall clock is wrong by some seconds: `wrong_clock SECONDS ...`."""

from __future__ import annotations

import sys
import time

if __name__ == "__main__":
    step, real, real_ns = int(sys.argv[1]), time.time, time.time_ns
    time.time = lambda: real() + step
    time.time_ns = lambda: real_ns() + step * 10**9

    from .hold import main  # from here on nobody sees the right time

    main(*sys.argv[2:])
