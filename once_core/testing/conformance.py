"""All rules in one class, and the guard that none of them was replaced in silence."""

from __future__ import annotations

import inspect

import pytest

from ..backend import Backend
from ..blame import name_of
from ..decorator import Once
from ..errors import OnceError
from .ability_rules import AbilityRules
from .clock_rules import ClockRules
from .fence_rules import FenceRules
from .key_rules import KeyRules
from .lease_rules import LeaseRules
from .process_rules import ProcessRules
from .race_rules import RaceRules


# pytest begins with the last base, and the plainest rules come first: `pytest -x` tells what to do next.
class BackendConformance(AbilityRules, ProcessRules, RaceRules, ClockRules, KeyRules, FenceRules, LeaseRules):
    """Proves that a backend keeps the nine rules of `once_core/backend.py`.

    Inherit it and supply a fixture `backend`. The class attributes of `Basis` - `min_ttl`, `expiry_slack`,
    `process_local`, `has_aio` and some more - tell the kit what the store is like; override `restart` and
    `unreachable` where it can be restarted or be away.
    """

    def test_the_aio_of_the_backend_is_tested(self, backend: Backend) -> None:
        if (getattr(backend, "aio", None) is not None) is not self.has_aio:
            has = "has no `aio`" if self.has_aio else "has `aio`, which is not tested"
            pytest.fail(f"the backend {has}: set has_aio = {not self.has_aio} on {type(self).__name__}")

    def test_the_installed_plugin_serves_its_url(self, backend: Backend, key: str) -> None:
        if not self.url:
            pytest.skip("the test class does not set url")
        try:
            once = Once(self.url)
            with once.lock(key):
                seen = once.lock(key).holder()
                opened = once.open().store.open()
            once.close()
        except OnceError as error:
            pytest.fail(f"who writes Once({self.url!r}) is told {type(error).__name__}: {error}")
        if type(opened) is not type(backend):
            pytest.fail(f"{self.url} opens a {name_of(opened)}, and the fixture `backend` yields a {name_of(backend)}")
        if seen is None:
            pytest.fail(f"a key that was taken at {self.url} is held by nobody there")

    def test_no_test_of_the_kit_is_overridden(self) -> None:
        replaced = {
            name
            for name in dir(BackendConformance)
            if name.startswith("test_") or name in ("ask", "ask_directly", "watch", "pytest_generate_tests")
            if inspect.getattr_static(type(self), name) is not inspect.getattr_static(BackendConformance, name)
        }

        for name in sorted(replaced):
            if not self.overridden.get(name, "").strip():
                pytest.fail(
                    f"{type(self).__name__} overrides {name}: the rule is no longer tested. Remove the override, or "
                    f'tell the reason in the class attribute: overridden = {{"{name}": "why"}}'
                )
        for name in sorted(set(self.overridden) - replaced):
            pytest.fail(f"{type(self).__name__}.overridden names {name}, which it does not override: remove the entry")
