"""The four verbs, asked of Redis by threads and by coroutines."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain
from math import ceil
from typing import Any, NamedTuple, TypeVar

import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable

from .client import read_client
from .connections import Connections, Undo
from .failures import explain
from .scripts import ACQUIRE, HOLDER, RELEASE, RENEW, Script, packed
from .url import choose, read_url

_BATCH = 200  # leases renewed, and keys looked up, by one question: half a millisecond of the server's time
CLIENT_ERRORS = (RedisError, OSError, UnicodeError)
T = TypeVar("T")
_LONGEST = 10**15  # ms: some 30,000 years, which the server can add to its clock


class Question(NamedTuple):
    """What one script is given."""

    keys: Sequence[bytes]
    args: Sequence[bytes]


class RedisBackend:
    """Leases in the server, sentinels' service or cluster of a URL, or of a redis-py client of yours.

    Of a client the settings are taken; its own connections are neither used nor closed. *timeout* is what one answer is
    waited for, in seconds (5 where the client has none), *max_connections* what a process opens to one server (50).
    Nothing is connected before the first question.
    """

    def __init__(
        self,
        client_or_url: redis.Redis | redis.RedisCluster | str,
        *,
        timeout: float | None = None,
        max_connections: int | None = None,
    ) -> None:
        settings = read_url(client_or_url) if isinstance(client_or_url, str) else read_client(client_or_url)
        for option, value in {"timeout": timeout, "max_connections": max_connections}.items():
            if value is not None:
                choose(settings, option, f"{value}")
        self.name = settings.name
        self._settings = settings
        self._place = settings.place()
        self._client = None if isinstance(client_or_url, str) else client_or_url  # a Sentinel's must live on
        self._has_worked = False
        # Windows' usual event loop can't watch a socket: there the core asks the blocking verbs from its threads.
        self.aio = None if sys.platform == "win32" else AsyncRedis(self._aask)

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return _grant(self._ask(ACQUIRE, [_bytes(key)], _bytes(token), _ms(ttl)))

    def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(self._ask(RENEW, [_bytes(key)], _bytes(token), _ms(ttl)) == [1])

    def release(self, key: str, token: str) -> bool:
        return bool(self._ask(RELEASE, [_bytes(key)], _bytes(token)))

    def holder(self, key: str) -> Holder | None:
        return _holder(self._ask(HOLDER, [_bytes(key)]))

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool | None]:
        """Renew each (key, token, ttl), 200 at once; None for those that could not be asked about."""
        answers: list[bool | None] = [None] * len(leases)
        keys = [_bytes(key) for key, _, _ in leases]
        failure: BackendUnavailable | None = None
        for server, numbers in self._guard(self._place.by_server, keys).items():
            try:
                for batch in _batches(numbers, _BATCH):
                    questions = [
                        Question(
                            [keys[number] for number in group],
                            [word for number in group for word in (_bytes(leases[number][1]), _ms(leases[number][2]))],
                        )
                        for group in _batches(batch, self._place.together)
                    ]
                    renewed = chain.from_iterable(self._ask_many(server, RENEW, questions))
                    for number, answer in zip(batch, renewed, strict=True):
                        answers[number] = answer == 1
            except BackendUnavailable as error:
                failure = error
        if failure and all(answer is None for answer in answers):
            raise failure
        return answers

    def holders(self, prefix: str) -> Iterator[tuple[str, Holder]]:
        """Yield what SCAN finds: every key that is held all the while; of those that come and go, some."""
        # Behind a backslash, what would match more than itself does not.
        pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", _bytes(prefix)) + b"*"
        seen: set[bytes] = set()  # SCAN may tell a key twice
        for server in self._guard(self._place.everywhere):
            cursor = b"0"
            while True:
                scan = packed(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"1000", b"TYPE", b"string")
                cursor, found = self._guard(server.ask, scan)
                keys = sorted({*found} - seen)
                seen.update(keys)
                for batch in _batches(keys, _BATCH):
                    answers = self._ask_many(server, HOLDER, [Question([key], []) for key in batch])
                    for key, answer in zip(batch, answers, strict=True):
                        if holder := _holder(answer):
                            yield _text(key), holder
                if cursor == b"0":
                    break

    def close(self) -> None:
        """Close the connections that were made; the next question opens them anew."""
        for connections in list(self._settings.opened):
            connections.close()

    def _ask(self, script: Script, keys: Sequence[bytes], *args: bytes) -> Any:
        try:
            try:
                answer = self._place.ask(keys[0], script.by_digest(keys, *args))
            except NoScriptError:  # a server that has started anew knows no scripts
                answer = self._place.ask(keys[0], script.in_full(keys, *args))
        except CLIENT_ERRORS as error:
            raise self._failure(error) from error
        self._has_worked = True
        return answer

    async def _aask(self, script: Script, key: bytes, *args: bytes, undo: Undo | None = None) -> Any:
        try:
            try:
                answer = await self._place.aask(key, script.by_digest([key], *args), undo)
            except NoScriptError:
                answer = await self._place.aask(key, script.in_full([key], *args), undo)
        except CLIENT_ERRORS as error:
            raise self._failure(error) from error
        self._has_worked = True
        return answer

    def _ask_many(self, server: Connections, script: Script, questions: Sequence[Question]) -> list[Any]:
        """Return the answers to *questions*, which are sent together."""
        answers = self._guard(server.ask_many, [script.by_digest(keys, *args) for keys, args in questions])
        # Where the script is not known, or the key has moved to another node, the question is asked by itself.
        return [
            self._ask(script, keys, *args) if isinstance(answer, ResponseError) else answer
            for (keys, args), answer in zip(questions, answers, strict=True)
        ]

    def _guard(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return call(*args)
        except CLIENT_ERRORS as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> Exception:
        if not isinstance(error, ResponseError):  # which is an answer
            self._place.look_again()
        return explain(error, self.name, self._has_worked)


class AsyncRedis:
    """The verbs as coroutines, over the same connections. See `line.py`."""

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        self._ask = ask

    async def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        name, owner = _bytes(key), _bytes(token)
        return _grant(await self._ask(ACQUIRE, name, owner, _ms(ttl), undo=lambda: RELEASE.in_full([name], owner)))

    async def renew(self, key: str, token: str, ttl: float) -> bool:
        return bool(await self._ask(RENEW, _bytes(key), _bytes(token), _ms(ttl)) == [1])

    async def release(self, key: str, token: str) -> bool:
        return bool(await self._ask(RELEASE, _bytes(key), _bytes(token)))

    async def holder(self, key: str) -> Holder | None:
        return _holder(await self._ask(HOLDER, _bytes(key)))


def _grant(fence: int | None) -> Grant | None:
    return None if fence is None else Grant(fence)


def _holder(answer: list[Any] | None) -> Holder | None:
    if answer is None:
        return None
    token, remaining = answer
    return Holder(_text(token), remaining / 1000 if remaining >= 0 else None)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _ms(ttl: float) -> bytes:
    # The server reads its clock in whole milliseconds and forgets a key when that is *past* the end: never too early.
    return b"%d" % ceil(min(ttl * 1000, _LONGEST))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    try:
        return stored.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # another program put it there
        return stored.decode("utf-8", "backslashreplace")
