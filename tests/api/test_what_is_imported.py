"""Nothing is imported before it is needed: an import of the core costs no client, no plugin and no event loop."""

from __future__ import annotations

import pytest

from .programs import run

LOOK = """
import sys
heavy = {"asyncio", "sqlalchemy", "sqlite3", "redis", "pymemcache", "once_memory", "once_sql", "once_core.testing"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("program", "imported"),
    [
        ("import once_core", "[]"),
        ("import once_core; once_core.once(key='{x}')(lambda x: x); once_core.lock('x')", "[]"),
        ("import once_core; once_core.configure('sqlite:///once.db')", "[]"),
        (
            "import once_core; once_core.configure('memory://'); assert once_core.once(key='x')(len)('a')",
            "['once_memory']",
        ),
        ("from once_core import *", "[]"),
    ],
)
def test_only_what_is_needed_is_imported(program: str, imported: str) -> None:
    assert imported == run(program + "\n" + LOOK)


def test_decorating_a_coroutine_function_imports_no_event_loop() -> None:
    program = "import once_core\n@once_core.once(key='x')\nasync def check(): ...\n"

    assert "[]" == run(program + LOOK)


def test_no_thread_is_started_by_an_import_or_a_configuration() -> None:
    program = """
        import threading, once_core
        once_core.configure("memory://")
        once_core.once(key="x")(len)
        print(threading.active_count())
    """

    assert "1" == run(program)
