"""Every hook of once, each documented: what a plugin may implement.

A plugin is a module (or object) named by an entry point. In the group `once_core.backends` the entry point's *name* is
the URL scheme that it serves; in `once_core.observers` it is any name. One module may be in both. An implementation is
marked with `once_core.hookimpl` and takes those of the listed arguments that it wants.

The observing hooks are called after the fact: in the thread of the run, but `once_lost` in a thread of its own, and
`once_released` in whichever thread has told the store. None of them can break a run: what they raise is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .backend import BackendFactory
    from .lease import Lease

BACKENDS = "once_core.backends"
OBSERVERS = "once_core.observers"

hookspec = pluggy.HookspecMarker("once_core")
hookimpl = pluggy.HookimplMarker("once_core")


@hookspec
def once_offer_backends() -> Mapping[str, BackendFactory]:  # type: ignore[empty-body]  # a specification has no body
    """Return {URL scheme: factory}, the factory being called with the whole URL and returning a Backend."""


@hookspec
def once_acquired(lease: Lease) -> None:
    """Learn that a run holds *lease* and its body is about to start."""


@hookspec
def once_skipped(key: str, function: str, template: str) -> None:
    """Learn that a call of *function* exited early because *key* was held."""


@hookspec
def once_released(lease: Lease) -> None:
    """Learn that a run is over and gave *lease* back, or tried to: a store that is away frees it when its ttl ends.

    Every `once_acquired` is followed by either one `once_released` or one `once_lost`.
    """


@hookspec
def once_lost(lease: Lease) -> None:
    """Learn that *lease* ended while its run was still going: expired, evicted, taken or force-released."""
