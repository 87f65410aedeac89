"""G6: ten thousand runs at once keep their keys, and leave the processor to others."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from .processes import Programs
from .stores import STORES, opened


def test_ten_thousand_leases_are_kept_and_cost_little(programs: Programs, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(opened(name, tmp_path)) for name in STORES]
        started = [programs.start("many", 10_000, 6.0, store.url, store.prefix) for store in stores]
        results = [programs.result(process) for process in started]

    assert [(0, "")] * len(stores) == [(code, errors) for code, _, errors in results]
    for _, output, _ in results:
        lost, share = output.split()
        assert 0 == int(lost)
        assert float(share) < 0.3
