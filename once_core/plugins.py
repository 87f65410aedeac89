"""Find plugins by their entry points, load the one that is asked for, refuse clashes, tell observers.

pluggy validates what a plugin implements. Three things it lets pass are refused here: a second plugin of one name, a
misspelt hook, and one broken plugin spoiling all others.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, cast

import pluggy

from . import hookspecs
from .backend import Backend, BackendFactory
from .blame import check_verbs, line_of
from .errors import BackendConflict, ConfigurationError, OnceError, UnknownBackend
from .hookspecs import BACKENDS, OBSERVERS
from .process import is_a_signals

_PUBLISHED = {
    "memory": "once-memory",
    "sqlite": "once-sql",
    "postgresql": '"once-sql[postgresql]"',
    "mysql": '"once-sql[mysql]"',
    "mariadb": '"once-sql[mysql]"',
    "redis": "once-redis",
    "rediss": "once-redis",
    "memcached": "once-memcached",
}

_log = logging.getLogger("once_core")
_manager = pluggy.PluginManager("once_core")
_manager.add_hookspecs(hookspecs)
_failed: dict[str, str] = {}
_observers_loaded = False

observed = False
"""Whether any observer is there: runs that nobody watches pay one look at this and no more."""


def find(url: str) -> EntryPoint:
    """Return the entry point that serves *url*'s scheme; nothing is imported.

    Raises UnknownBackend where there is none, BackendConflict where there are two.
    """
    scheme = scheme_of(url)
    found = [entry for entry in entry_points(group=BACKENDS) if entry.name == scheme]
    if not found:
        raise _unknown(scheme)
    _refuse_two(found, f"the URL scheme {scheme}://")
    return found[0]


def scheme_of(url: str) -> str:
    """Return what stands before the first `+` or `:`; raise ConfigurationError if *url* is no URL."""
    head, separator, _ = url.partition("://")
    scheme = head.partition("+")[0]
    if not separator or not scheme:
        raise ConfigurationError(
            f"{hide_password(url)!r} is not a store's URL: write scheme://..., such as redis://localhost:6379 or "
            "sqlite:////path/to/once.db"
        )
    return scheme


def maker(url: str) -> Callable[[], Backend]:
    """Import the plugin that serves *url* and return what makes a backend for it.

    Raises ConfigurationError, naming the plugin and its distribution, for a plugin that can't be used; so does what is
    returned.
    """
    entry = find(url)
    plugin, origin = _import(entry), _origin(entry)
    _register(plugin, origin)
    offers = [impl for impl in _manager.hook.once_offer_backends.get_hookimpls() if impl.plugin is plugin]
    offered: Any = _made_by(origin, "once_offer_backends", cast("Any", offers[0].function)) if offers else {}
    if not isinstance(offered, Mapping) or entry.name not in offered:
        answered = f": it answers {offered!r}" if offers else ": write `@hookimpl` above `def once_offer_backends():`"
        raise ConfigurationError(
            f"{origin} has an entry point for {entry.name}:// but does not offer it{answered}, "
            f"and let it return {{{entry.name!r}: factory}}"
        )
    factory = cast("Mapping[str, BackendFactory]", offered)[entry.name]

    def make() -> Backend:
        backend: Backend = _made_by(origin, f"the factory for {entry.name}://", factory, url)
        check_verbs(backend, f"the backend that {origin} made for {hide_password(url)}")
        return backend

    return make


def _made_by(origin: str, what: str, call: Callable[..., Any], *args: str) -> Any:
    """Return what a plugin's function makes. What it raises is a mistake in it, and no store that is away."""
    try:
        return call(*args)
    except OnceError:
        raise
    except Exception as error:
        if is_a_signals(error):
            raise
        raise ConfigurationError(
            f"{what} of {origin} failed with {type(error).__name__}: {error}{line_of(error)}. Where the URL makes no "
            "sense, let it raise ConfigurationError"
        ) from error


def load_observers() -> None:
    """Import all observers, the first time it is called. One that can't be imported is logged and left out."""
    global _observers_loaded
    if _observers_loaded:
        return
    found = sorted(entry_points(group=OBSERVERS), key=lambda entry: entry.name)
    for name in {entry.name for entry in found}:
        _refuse_two([entry for entry in found if entry.name == name], f"the observer name {name!r}")
    for entry in found:
        try:
            plugin = _import(entry)
        except UnknownBackend as error:
            _log.warning("%s", error)
        else:
            observe(plugin, _origin(entry))
    _observers_loaded = True


def observe(plugin: object, origin: str = "") -> None:
    """Let *plugin*, a module or an object, observe runs from now on. Raises ConfigurationError for a misspelt hook."""
    global observed
    _register(plugin, origin or repr(plugin))
    observed = True


def tell(hook: str, **about: Any) -> None:
    """Call each implementation of *hook*; what one raises is logged and harms neither the run nor the others."""
    for impl in reversed(getattr(_manager.hook, hook).get_hookimpls()):
        try:
            impl.function(*[about[name] for name in impl.argnames])
        except (Exception, SystemExit) as error:  # an observer can't break a run
            if is_a_signals(error):
                raise
            _log.warning("observer %s failed in %s", impl.plugin_name, hook, exc_info=True)


def hide_password(url: str) -> str:
    """Return *url* with its passwords, if any, replaced by ***."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    hidden = f"{scheme}{separator}{user}{colon}***{at}{place}" if colon and at else url
    return re.sub(r"(\w*pass\w*=)[^&]*", r"\1***", hidden)  # options, too: password, passwd, sslpassword


def _import(entry: EntryPoint) -> object:
    try:
        plugin: object = entry.load()
    except Exception as error:
        _failed[entry.name] = f"{type(error).__name__}: {error}"
        raise UnknownBackend(
            f"{_origin(entry)} could not be imported: {_failed[entry.name]}. Install what it lacks, or uninstall it"
        ) from error
    _failed.pop(entry.name, None)
    return plugin


def _register(plugin: object, origin: str) -> None:
    if _manager.is_registered(plugin):  # one module may serve several schemes, and observe as well
        return
    name = plugin.__name__ if isinstance(plugin, ModuleType) else f"{type(plugin).__qualname__}-{id(plugin)}"
    try:
        _manager.register(plugin, name)
        _manager.check_pending()
        for hook in _manager.get_hookcallers(plugin) or ():
            if any(impl.plugin is plugin and (impl.wrapper or impl.hookwrapper) for impl in hook.get_hookimpls()):
                raise ValueError(f"{hook.name} is a wrapper, and there is nothing to wrap: write @hookimpl alone")
    except (pluggy.PluginValidationError, ValueError) as error:
        if _manager.is_registered(plugin):
            _manager.unregister(plugin)

        hooks = [hook for hook, _ in inspect.getmembers(hookspecs, inspect.isfunction)]
        strangers = [name for name in dir(plugin) if name.startswith("once_") and name not in hooks]
        meant = "".join(
            f" Did you mean {close[0]}, where {name} is written?"
            for name in strangers
            if (close := get_close_matches(name, hooks, 1))
        )
        raise ConfigurationError(
            f"{origin} does not fit the hooks of once: {error}.{meant} The hooks are {', '.join(hooks)}"
        ) from error


def _refuse_two(entries: list[EntryPoint], what: str) -> None:
    if len(entries) > 1:
        both = " and ".join(_origin(entry) for entry in entries)
        raise BackendConflict(
            f"{both} both claim {what}: uninstall one of them, or give yours another name in its pyproject.toml"
        )


def _origin(entry: EntryPoint) -> str:
    distribution = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"plugin {entry.value!r}{distribution}"


def _unknown(scheme: str) -> UnknownBackend:
    message = f"no installed plugin serves {scheme}://. Installed: {installed()}."
    if _failed:
        message += f" Could not be imported: {'; '.join(f'{name} ({why})' for name, why in _failed.items())}."
    return UnknownBackend(f"{message} {install_hint(scheme)}")


def installed() -> str:
    """Return the schemes that can be used, for a message."""
    return ", ".join(sorted({f"{entry.name}://" for entry in entry_points(group=BACKENDS)})) or "none"


def install_hint(scheme: str) -> str:
    """Return what to type to get *scheme*."""
    if scheme in _PUBLISHED:
        return f"Type: pip install {_PUBLISHED[scheme]}"
    if close := get_close_matches(scheme, _PUBLISHED, 1):  # postgres://, as some hosts write it
        return f"Write {close[0]}://, or pip install the plugin that serves {scheme}://"
    known = ", ".join(f"{name} ({distribution})" for name, distribution in _PUBLISHED.items())
    return f"Check the spelling, or pip install the plugin that serves it. Those of once are {known}"
