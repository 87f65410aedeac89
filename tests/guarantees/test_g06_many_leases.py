"""G6: ten thousand runs at once keep their keys, and leave the processor to others."""

from __future__ import annotations

from .processes import DEADLINE, Programs
from .stores import Store


def test_ten_thousand_leases_are_kept_and_cost_little(store: Store, programs: Programs) -> None:
    process = programs.start("many", 10_000, 6.0, store.url, store.prefix)
    code, output, errors = programs.result(process, 2 * DEADLINE)  # it has 20,000 questions to ask, one by one
    assert (0, "") == (code, errors)

    lost, share = output.split()
    assert 0 == int(lost)
    assert float(share) < 0.3  # measured: 0.01 to 0.08; a thread or a question per lease takes more than there is
    print(f"{share} of a core")  # shown by pytest -rP
