"""Asks Coconut the four questions. The nine rules: `python -m pydoc once_core.backend`."""

from __future__ import annotations

from once_core import Grant, Holder


class CoconutBackend:
    """Leases in the Coconut that *url* names; connected to at the first question."""

    def __init__(self, url: str) -> None:
        self._tokens: dict[str, str] = {}  # stands in for your store, so that all runs from the first minute

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return Grant() if self._tokens.setdefault(key, token) == token else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return self._tokens.get(key) == token

    def release(self, key: str, token: str) -> bool:
        return self._tokens.get(key) == token and self._tokens.pop(key) == token

    def holder(self, key: str) -> Holder | None:
        token = self._tokens.get(key)
        return Holder(token) if token else None
