"""Connections to one server, for threads in turn and for the event loops of `line.py`.

They are redis-py's `Connection` objects, but not in one of its pools: those have locks that a forked child may inherit
locked, and cost a third of a call. Nothing is locked here. A list and a queue are changed by one call of C each.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias
from weakref import WeakSet

from redis.exceptions import ConnectionError, RedisError, ResponseError

from .failures import is_demoted
from .line import Line
from .wire import Wire, socket_of

Undo: TypeAlias = Callable[[], bytes]


class Connections:
    """Up to *most* connections made by *connect*; all waiting is for *timeout* seconds at most, each time."""

    def __init__(self, connect: Callable[[], Wire], most: int, timeout: float) -> None:
        self.timeout = timeout
        self._connect = connect
        self._most = most
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        """Begin without connections: after a fork they are the parent's. redis-py closes but does not shut them."""
        self._idle: list[Wire] = []
        self._is_closed = False
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._lines: dict[asyncio.AbstractEventLoop, Line] = {}
        for _ in range(self._most):
            self._permits.put(None)

    def ask(self, question: bytes) -> Any:
        """Return the answer to a packed command. Raises what redis-py raises."""
        connection = self.take()
        try:
            connection.send_packed_command([question], check_health=False)
            return connection.read_response()
        except ResponseError as error:  # an answer, too
            if is_demoted(error):  # ask by new connections, which may find the primary
                connection.disconnect()
                self.close()
            raise
        except BaseException:  # half of an answer may be on its way
            connection.disconnect()
            raise
        finally:
            self.give_back(connection)

    def ask_many(self, questions: Sequence[bytes]) -> list[Any]:
        """Send all questions at once; return their answers, where an answer may be a ResponseError."""
        connection = self.take()
        answers: list[Any] = []
        try:
            connection.send_packed_command(questions, check_health=False)
            for _ in questions:
                try:
                    answers.append(connection.read_response())
                except ResponseError as error:
                    answers.append(error)
            return answers
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self.give_back(connection)

    async def aask(self, question: bytes, undo: Undo | None = None) -> Any:
        """Return the answer to a coroutine. If that is cancelled, what *undo* makes is sent behind the question."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop) or self._lines.setdefault(loop, Line(self, loop))
        answer = line.ask(question)
        try:
            return await answer
        except asyncio.CancelledError:
            # Sent over another connection, it might overtake the question. It is sent at once, even if this is the
            # last that the loop does. Nobody waits for the answer.
            if undo:
                line.undo(undo())
            raise
        finally:
            answer.cancel()

    def take(self) -> Wire:
        """Return a connection that nobody else uses until it is given back."""
        self._is_closed = False
        self._abandon_dead_lines()
        try:
            self._permits.get(timeout=self.timeout)
        except Empty:
            raise ConnectionError(
                f"all {self._most} connections were busy for {self.timeout:g} s: raise max_connections, or find out "
                "why the server is slow"
            ) from None
        try:
            return self._take_idle() or self._new()
        except BaseException:
            self._permits.put(None)
            raise

    def take_idle(self) -> Wire | None:
        """Return a connection if one can be had without waiting."""
        self._is_closed = False
        self._abandon_dead_lines()
        try:
            self._permits.get_nowait()
        except Empty:
            return None
        connection = self._take_idle()
        if connection is None:
            self._permits.put(None)
        return connection

    def give_back(self, connection: Wire) -> None:
        """Let others use the connection, unless it was disconnected."""
        if socket_of(connection):
            self._idle.append(connection)
            if self._is_closed:  # meanwhile
                self.close()
        self._permits.put(None)

    def close(self) -> None:
        """Close the connections, and those in use when they come back; the next question opens one anew."""
        self._is_closed = True
        self._abandon_dead_lines()
        with suppress(IndexError):
            while True:
                self._idle.pop().disconnect()

    def _abandon_dead_lines(self) -> None:
        for loop in list(self._lines):
            if loop.is_closed() and (line := self._lines.pop(loop, None)):
                line.abandon()

    def _take_idle(self) -> Wire | None:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                # Nothing is to be read from a connection that is in order; from one that the server closed, its end.
                with suppress(RedisError, OSError):
                    if not connection.can_read(0):
                        return connection
                connection.disconnect()
        return None

    def _new(self) -> Wire:
        connection = self._connect()
        connection.connect()
        return connection


_all: WeakSet[Connections] = WeakSet()


def _after_fork_in_child() -> None:
    for connections in list(_all):
        connections.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
