"""For a backend's author, the conformance kit, which tells whether the backend keeps the nine rules.

    from once_core.testing import BackendConformance

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self):
            backend = MyBackend("my://localhost")
            yield backend
            backend.close()

The store may be fresh or shared: every test makes keys of its own. Read `basis.py` for what can be set, then
`lease_rules.py` for how a rule becomes a test.

For users' own tests, a fixture that lets once ask a store in memory, and steers it (`stand_in.py`):

    from once_core.testing import once_store
"""

from __future__ import annotations

try:
    from .conformance import BackendConformance
    from .stand_in import StandIn, in_memory, once_store
except ModuleNotFoundError as error:
    if error.name != "pytest":
        raise
    raise ImportError(
        'once_core.testing needs pytest, which is not installed: run pip install "once-core[testing]"'
    ) from error

__all__ = ["BackendConformance", "StandIn", "in_memory", "once_store"]
