"""A connection that all tasks of one event loop share while any of them waits for an answer.

Questions are sent as they come, and answers come in that order: so hundreds of tasks need one connection and few round
trips, and a cancelled task spoils nothing - its answer is read and dropped.

The connection is one that threads use, too. The loop only watches its socket, and only while answers are owed. So
nothing is bound to a loop: with `asyncio.run` per task the next loop goes on with the same connection, and a loop that
ends has nothing to close. redis-py's own asyncio client would need a connection per loop, closed by a coroutine.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError, TimeoutError

from .failures import is_demoted
from .wire import Wire, socket_of

if TYPE_CHECKING:
    from .connections import Connections


class Line:
    """Sends the questions of one loop, and hands each answer to who asked. Only its loop's thread may ask."""

    def __init__(self, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self._connections = connections
        self._loop = loop
        self._unsent: list[tuple[bytes, asyncio.Future[Any]]] = []
        self._owed: deque[asyncio.Future[Any]] = deque()
        self._connection: Wire | None = None
        self._socket = -1
        self._is_connecting = False
        self._arrived: list[Wire | Exception] = []
        self._patience_ends = 0.0
        self._watchdog: asyncio.TimerHandle | None = None

    def ask(self, question: bytes) -> asyncio.Future[Any]:
        """Return what will be the answer; cancel it if nobody waits any more."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._unsent.append((question, answer))
        if self._connection is None and not self._is_connecting:
            self._begin()
        if self._connection is not None:
            self._send(self._connection)
        return answer

    def undo(self, question: bytes) -> None:
        """Send *question* behind a cancelled one, if that was sent and not answered yet."""
        if self._connection is not None:
            self.ask(question).cancel()

    def abandon(self) -> None:
        """Close the connection, if there is one: the loop has ended while answers were owed, or before it came."""
        connection, self._connection = self._connection, None
        with suppress(IndexError):
            result = self._arrived.pop()
            connection = None if isinstance(result, Exception) else result
        if connection is not None:
            connection.disconnect()
            self._connections.give_back(connection)

    def _begin(self) -> None:
        connection = self._connections.take_idle()
        if connection is not None:
            self._use(connection)
        else:
            self._is_connecting = True
            _in_thread(self._connect)

    def _connect(self) -> None:
        # Not in the loop: names are looked up and hands are shaken here.
        try:
            self._arrived.append(self._connections.take())
        except Exception as error:  # noqa: BLE001  # raised again where it is awaited
            self._arrived.append(error)
        try:
            self._loop.call_soon_threadsafe(self._connected)
        except RuntimeError:  # the loop has ended meanwhile
            self.abandon()

    def _connected(self) -> None:
        self._is_connecting = False
        result = self._arrived.pop()
        if isinstance(result, Exception):
            self._fail(result)
        else:
            self._use(result)
            self._send(result)

    def _use(self, connection: Wire) -> None:
        socket = socket_of(connection)
        assert socket is not None
        self._connection, self._socket = connection, socket.fileno()
        self._loop.add_reader(self._socket, self._read)

    def _send(self, connection: Wire) -> None:
        # What was cancelled before it was sent must not be sent: whoever cancelled an acquire has released it by now.
        unsent = [(question, answer) for question, answer in self._unsent if not answer.done()]
        self._unsent.clear()
        if not self._owed:
            self._have_patience()
        self._owed.extend(answer for _, answer in unsent)
        try:
            connection.send_packed_command([question for question, _ in unsent], check_health=False)
        except (RedisError, OSError) as error:
            self._fail(error)
        if not self._owed:
            self._rest()

    def _read(self) -> bool:
        """Hand out the answers that have come; return whether there were any."""
        connection, owed = self._connection, len(self._owed)
        try:
            while connection is not None and self._owed and connection.can_read(0):
                answer = _answer(connection)
                _deliver(self._owed.popleft(), answer)
        except (RedisError, OSError) as error:
            self._fail(error)
            return True
        if not self._owed:
            self._loop.call_soon(self._rest)  # who was answered may be about to ask again
        elif len(self._owed) < owed:
            self._have_patience()
        return len(self._owed) < owed

    def _rest(self) -> None:
        """Let others use the connection, unless answers are owed again."""
        if self._connection is not None and not self._owed:
            self._give_back(self._connection)

    def _have_patience(self) -> None:
        """Wait for the next answer as long as the timeout says. One timer serves many questions."""
        self._patience_ends = self._loop.time() + self._connections.timeout
        if self._watchdog is None:
            self._watchdog = self._loop.call_at(self._patience_ends, self._watch)

    def _watch(self) -> None:
        self._watchdog = None
        if not self._owed:
            return
        if self._loop.time() < self._patience_ends:
            self._watchdog = self._loop.call_at(self._patience_ends, self._watch)
        elif not self._read():  # it may have been the loop that was blocked, not the server: so look once more
            self._fail(TimeoutError(f"no answer within {self._connections.timeout:g} s"))

    def _fail(self, error: Exception) -> None:
        """Close the connection and tell all who wait."""
        if self._connection is not None:
            self._give_back(self._connection, broken=True)
        if is_demoted(error):  # the others lead to that server, too
            self._connections.close()
        for answer in (*self._owed, *(answer for _, answer in self._unsent)):
            _deliver(answer, error)
        self._owed.clear()
        self._unsent.clear()

    def _give_back(self, connection: Wire, broken: bool = False) -> None:
        self._connection = None
        self._loop.remove_reader(self._socket)
        if broken:
            connection.disconnect()
        self._connections.give_back(connection)


def _in_thread(call: Callable[[], None]) -> None:
    """Make the call in a thread; here and now where none can be started any more, at the end of the program."""
    if not sys.is_finalizing():  # Python 3.11 would wait for the thread for ever
        with suppress(RuntimeError):
            Thread(target=call, name="once-redis connect", daemon=True).start()
            return
    call()


def _answer(connection: Wire) -> Any:
    try:
        return connection.read_response()  # some fifty bytes, which come whole: it does not keep the loop waiting
    except ResponseError as error:
        if is_demoted(error):
            raise
        return error


def _deliver(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
