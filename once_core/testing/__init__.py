"""The conformance kit: what a backend's author inherits to learn whether the backend keeps the nine rules.

    from once_core.testing import BackendConformance

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self):
            backend = MyBackend("my://localhost")
            yield backend
            backend.close()

The store may be fresh or shared: every test makes keys of its own. Read `basis.py` for what can be set, then
`lease_rules.py` for how a rule becomes a test.
"""

from __future__ import annotations

try:
    from .conformance import BackendConformance
except ModuleNotFoundError as error:
    if error.name != "pytest":
        raise
    raise ImportError(
        'once_core.testing needs pytest, which is not installed: run pip install "once-core[testing]"'
    ) from error

__all__ = ["BackendConformance"]
