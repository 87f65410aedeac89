"""Say which backend broke a rule, what distribution it is from, and which line to change."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

from .backend import Backend, Grant, Holder
from .errors import BackendUnavailable, ConfigurationError
from .hookspecs import BACKENDS

VERBS = ("acquire", "renew", "release", "holder")


def check_verbs(backend: object, what: str) -> None:
    """Raise ConfigurationError if *backend* has not the four verbs, or has an `aio` that has them not."""
    if isinstance(backend, type):
        raise ConfigurationError(f"{what} is a class: pass an object of it")
    _refuse_missing(backend, what, "def")
    for verb in VERBS:
        if inspect.iscoroutinefunction(getattr(backend, verb)):
            raise ConfigurationError(
                f"{what} has a coroutine function as {verb}: write `{declaration(verb)}`{_place(backend, verb)}; "
                "coroutine functions belong to an object that is its attribute `aio`"
            )
        if not _takes(getattr(backend, verb), len(inspect.signature(getattr(Backend, verb)).parameters) - 1):
            raise ConfigurationError(
                f"{what} has a {verb} with other parameters: write `{declaration(verb)}`{_place(backend, verb)}"
            )
    aio = getattr(backend, "aio", None)
    if aio is not None:
        _refuse_missing(aio, f"the aio of {what}", "async def")


def check_answer(backend: object, verb: str, answer: Any) -> None:
    """Raise BackendUnavailable if *answer* is none that *verb* may give: then nobody knows what became of the lease."""
    match verb:
        case "acquire":
            right = answer is None or isinstance(answer, Grant)
        case "holder":
            right = answer is None or isinstance(answer, Holder)
        case _:
            right = answer is True or answer is False
    if right:
        return
    if inspect.iscoroutine(answer):
        answer.close()
    raise BackendUnavailable(
        f"{verb}() of {name_of(backend)} answered {answer!r}: let it return what `{declaration(verb)}` says"
        f"{_place(backend, verb)}"
    )


def check_answers(backend: object, asked: int, answers: Sequence[bool | None]) -> None:
    """Raise BackendUnavailable unless *answers* are as many as leases were *asked* for, each True, False or None."""
    if len(answers) != asked or any(answer not in (True, False, None) for answer in answers):
        raise BackendUnavailable(
            f"renew_many() of {name_of(backend)} answered {answers!r} about {asked} leases: let it return True, False "
            f"or None for each, in order{_place(backend, 'renew_many')}"
        )


def failure(name: str, backend: object, error: Exception) -> BackendUnavailable:
    """Return the error to raise for one that *backend*, of the store *name*, should not have let out."""
    text = f"{name} failed with {type(error).__name__}: {error}"
    package = _package(type(backend).__module__)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    lines = [frame for frame in frames if _package(frame.f_globals.get("__name__", "")) == package]
    if lines:
        place = f"{lines[-1].f_code.co_filename}:{lines[-1].f_lineno}"
        text += f". If its store could not be asked, {name_of(backend)} has to raise BackendUnavailable at {place}"
    known = BackendUnavailable(text)
    known.__cause__ = error
    return known


def line_of(error: Exception) -> str:
    """Return where *error* was raised, for a message."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return f" at {frames[-1].f_code.co_filename}:{frames[-1].f_lineno}"


def declaration(verb: str, keyword: str = "def") -> str:
    """Return the line that declares *verb* in a backend."""
    signature = str(inspect.signature(getattr(Backend, verb))).replace("'", "")
    return f"{keyword} {verb}{signature}:"


def name_of(thing: object) -> str:
    """Return the class of *thing*, with the distribution that it is from where that can be known."""
    cls = type(thing)
    for entry in entry_points(group=BACKENDS):
        if entry.dist and _package(entry.module) == _package(cls.__module__):
            return f"{cls.__qualname__} of {entry.dist.name} {entry.dist.version}"
    return f"{cls.__module__}.{cls.__qualname__}"


def _refuse_missing(owner: object, what: str, keyword: str) -> None:
    missing = [verb for verb in VERBS if not callable(getattr(owner, verb, None))]
    if not missing:
        return
    lines = " and ".join(f"`{declaration(verb, keyword)}`" for verb in missing)
    advice = f"write {lines} in {name_of(owner)}"
    if missing == [*VERBS] and keyword == "def":
        advice = "an engine or a client of a store goes into its plugin's, as in SqlBackend(engine)"
    raise ConfigurationError(
        f"{what} lacks {' and '.join(missing)}: {advice}. A backend has {', '.join(VERBS)} (see once_core.Backend)"
    )


def _takes(function: Callable[..., Any], number: int) -> bool:
    """Whether *function* can be called with so many arguments, as far as can be known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function of C may not tell
        return True
    try:
        signature.bind(*range(number))
    except TypeError:
        return False
    return True


def _place(owner: object, verb: str) -> str:
    code = getattr(inspect.unwrap(getattr(owner, verb)), "__code__", None)
    return f" at {code.co_filename}:{code.co_firstlineno}" if code else ""


def _package(module: str) -> str:
    return module.partition(".")[0]
