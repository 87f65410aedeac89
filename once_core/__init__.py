"""once: only one run per key at a time, over threads, processes and machines; a later call exits early.

The rooms, in the order to read them:

    backend.py     what is asked of a store: four verbs, nine rules     errors.py     the sentences users read
    decorator.py   the door: Once, once(), lock(), configure()          options.py    what can be chosen, checked
    key.py         a template becomes a function, at decoration         wrapper.py    run or skip; locking.py: `with`
    lease.py       the lease, a state machine                           run.py        ask for it, give it back
    keeper.py      renews all leases, tells what was lost               store.py      an open one; asking.py: questions
    plugins.py     find, load, refuse clashes; hookspecs.py: hooks      process.py    clock, tokens, threads
    bridge.py      between threads and event loops                      typed.py      what type checkers see
    blame.py       which backend broke a rule, and the line to change
"""

from .backend import (
    AsyncBackend,
    Backend,
    BackendFactory,
    Grant,
    Holder,
    SupportsHolders,
    SupportsRenewMany,
)
from .decorator import Once, configure, lock, once
from .errors import (
    AlreadyLocked,
    BackendConflict,
    BackendUnavailable,
    ConfigurationError,
    LeaseLost,
    NotConfigured,
    OnceError,
    UnknownBackend,
)
from .hookspecs import hookimpl
from .lease import Lease, current_lease
from .typed import SKIPPED

__all__ = [
    "SKIPPED",
    "AlreadyLocked",
    "AsyncBackend",
    "Backend",
    "BackendConflict",
    "BackendFactory",
    "BackendUnavailable",
    "ConfigurationError",
    "Grant",
    "Holder",
    "Lease",
    "LeaseLost",
    "NotConfigured",
    "Once",
    "OnceError",
    "SupportsHolders",
    "SupportsRenewMany",
    "UnknownBackend",
    "configure",
    "current_lease",
    "hookimpl",
    "lock",
    "once",
]
