"""Ask the store about a key outside any run: who holds it, and free it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import Holder
    from .decorator import Once
    from .store import Store


class Questions:
    """The questions of a decorated function or a lock, whose key *key_of* renders; each for `def` and `async def`."""

    def __init__(self, once: Once, key_of: Callable[..., str]) -> None:
        self.once = once
        self.key_of = key_of

    def holder(self, /, *args: Any, **kwargs: Any) -> Holder | None:
        """Return who holds the key; None if nobody does. Raises BackendUnavailable."""
        store, full_key = self._where(args, kwargs)
        return store.holder(full_key)

    def is_locked(self, /, *args: Any, **kwargs: Any) -> bool:
        """Return whether the key is held. Raises BackendUnavailable."""
        return self.holder(*args, **kwargs) is not None

    def release(self, /, *args: Any, **kwargs: Any) -> bool:
        """Free the key, whoever holds it; return whether anybody did. Raises BackendUnavailable."""
        store, full_key = self._where(args, kwargs)
        return store.free(full_key)

    async def aholder(self, /, *args: Any, **kwargs: Any) -> Holder | None:
        """Return who holds the key; None if nobody does. Raises BackendUnavailable."""
        store, full_key = self._where(args, kwargs)
        return await store.aholder(full_key)

    async def ais_locked(self, /, *args: Any, **kwargs: Any) -> bool:
        """Return whether the key is held. Raises BackendUnavailable."""
        return await self.aholder(*args, **kwargs) is not None

    async def arelease(self, /, *args: Any, **kwargs: Any) -> bool:
        """Free the key, whoever holds it; return whether anybody did. Raises BackendUnavailable."""
        store, full_key = self._where(args, kwargs)
        return await store.afree(full_key)

    def _where(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Store, str]:
        setting = self.once.open()
        return setting.store, setting.prefix + self.key_of(*args, **kwargs)
