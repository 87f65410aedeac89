"""Connections to one server: one for each question that is under way, kept for the next."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, TypeVarTuple

from once_core.errors import BackendUnavailable

from .url import Place
from .wire import Wire

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_KEPT = 32


class Connections:
    """Lends connections to whoever asks something."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pid = os.getpid()
        # Its methods are atomic: there is no lock that a signal handler or a fork could leave locked.
        self._idle: deque[Wire] = deque()

    def ask(self, question: Callable[[Wire, *Ts], T], *about: *Ts) -> T:
        """Return what *question* returns, lending it a connection. Raise BackendUnavailable if that breaks."""
        wire: Wire | None = None
        try:
            wire = self._kept() or Wire(self._place)
            answer = question(wire, *about)
        except BaseException as error:  # be it a signal's: the rest of an answer would be taken for the next one
            if wire is not None:
                wire.close()
            if isinstance(error, OSError):
                raise BackendUnavailable(f"{self._place.name}: {error.strerror or error}") from error
            raise
        if len(self._idle) < _KEPT:
            self._idle.append(wire)
        else:
            wire.close()
        return answer

    def close(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def __del__(self) -> None:
        with suppress(Exception):  # whatever is left of it when the interpreter ends
            self.close()

    def _kept(self) -> Wire | None:
        """Return an idle connection that the server has not closed, as it does when it restarts."""
        if self._pid != os.getpid():  # forked: this closes the child's copies, and the parent goes on with its own
            self.close()
            self._pid = os.getpid()
        try:
            while (wire := self._idle.pop()).is_broken():
                wire.close()
        except IndexError:
            return None
        return wire
