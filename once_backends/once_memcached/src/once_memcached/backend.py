"""The verbs. A lease is an item: the key is its name, the token its value, and the server lets it expire."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from math import ceil

from pymemcache import MemcacheUnknownCommandError  # type: ignore[import-untyped]  # it ships no types

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable, ConfigurationError

from .connections import Client, Connections
from .url import read

_LOOKS = 100
_BATCH = 100  # leases renewed by one question, of some ten kilobytes
_LONGEST = 30 * 24 * 3600  # seconds: what is longer, Memcached takes for a date
_NAME = re.compile(r"(?!.*~[0-9a-f]{64}$)[!-~]{1,250}")  # printable ASCII; what looks like a digest gets one of its own
_HEAD = re.compile(r"[^!-~]")


class MemcachedBackend:
    """Leases in the one server at *url*. *timeout* bounds each wait for its answer, in seconds.

    Nothing is connected before the first question.
    """

    def __init__(self, url: str, *, timeout: float = 3.0) -> None:
        self._connections = Connections(read(url, timeout))

    def acquire(self, key: str, token: str, ttl: float) -> Grant | None:
        return Grant() if self._connections.ask(_take, _name(key), _bytes(token), self._expire(ttl)) else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        value = _bytes(token)
        return self._connections.ask(_replace, _name(key), value, value, self._expire(ttl))

    def release(self, key: str, token: str) -> bool:
        # There is no "delete if it is mine". But an item that is replaced with an expiry in the past is gone at once.
        return self._connections.ask(_replace, _name(key), _bytes(token), b"", -1)

    def holder(self, key: str) -> Holder | None:
        return self._connections.ask(_look, _name(key))

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool | None]:
        """Renew each (key, token, ttl), a hundred at a time; None for those that nothing is known of."""
        items = [(_name(key), _bytes(token), self._expire(ttl)) for key, token, ttl in leases]
        answers: list[bool | None] = []
        try:
            while len(answers) < len(items):
                answers += self._connections.ask(_replace_many, items[len(answers) : len(answers) + _BATCH])
        except BackendUnavailable:
            if not answers:
                raise
            answers += [None] * (len(items) - len(answers))
        return answers

    def close(self) -> None:
        """Close the connections; the next question opens one anew."""
        self._connections.close()

    def _expire(self, ttl: float) -> int:
        if ttl > _LONGEST - 1:
            raise ConfigurationError(
                f"{self._connections.name}: Memcached can't hold a key for {ttl / 86400:g} days, as it takes what is "
                "over 30 days for a date: choose a shorter ttl or hold_at_least. The ttl may be 30 s, as a lease is "
                "renewed for as long as its run lives"
            )
        return ceil(ttl) + 1  # the server counts whole seconds and lets an item go up to one of them early


def _take(client: Client, name: str, value: bytes, expire: int) -> bool:
    """Add the item; return whether it has that *value* now.

    Of many that add an item at once, one is told that it did. The others look whether it is their own: then an earlier
    answer was lost, and it is asked for again.
    """
    return client.add(name, value, expire, noreply=False) or _replace(client, name, value, value, expire)


def _replace(client: Client, name: str, token: bytes, value: bytes, expire: int) -> bool:
    """Put *value* in the place of *token*; return False, changing nothing, if that is not what is there.

    `gets` answers with a number that changes with each change of the item; `cas` changes the item if it still has that
    number. Both in one go, as numbers are not to be remembered: they begin anew when the server does, and an old one
    would fit the next holder's item. `touch` and `delete` ask for neither token nor number.
    """
    for _ in range(_LOOKS):
        found, cas = client.gets(name)
        if found != token:
            return False
        if client.cas(name, value, cas, expire, noreply=False):
            return True
        # It was changed in between: it has expired, or the same token asked twice at once. Then one of the two got on.
    raise BackendUnavailable(f"the item {name!r} is being changed all the time")


def _replace_many(client: Client, batch: list[tuple[str, bytes, int]]) -> list[bool | None]:
    """Do the same to many items, by their own tokens, and wait for two answers only.

    The changes are sent without waiting for what becomes of them; a look at all items tells: a new number is a change.
    """
    names = list({name for name, _, _ in batch})
    before = client.gets_many(names)
    for name, token, expire in batch:
        found, cas = before.get(name, _ABSENT)
        if found == token:
            client.cas(name, token, cas, expire, noreply=True)
    after = client.gets_many(names)
    answers: list[bool | None] = []
    for name, token, _ in batch:
        found, cas = after.get(name, _ABSENT)
        answers.append(False if found != token else True if cas != before.get(name, _ABSENT)[1] else None)
    return answers


def _look(client: Client, name: str) -> Holder | None:
    found, cas = client.gets(name)
    return None if found is None else Holder(_text(found), _remaining(client, name, cas))


def _remaining(client: Client, name: str, cas: bytes) -> float | None:
    """Return the whole seconds that the item will last, if it still has that *cas*."""
    try:
        told = client.raw_command(f"mg {name} t c").split()
    except MemcacheUnknownCommandError:  # a server older than 1.6.10 does not know this question
        return None
    match told:
        case [b"HD", seconds, same] if same == b"c" + cas and seconds[1:].isdigit():
            return float(seconds[1:])
    return None  # it has been changed since


_ABSENT: tuple[None, bytes] = (None, b"")


def _name(key: str) -> str:
    """Return an item's name: the key itself, or a readable head of it and a digest, where Memcached can't take it."""
    if _NAME.fullmatch(key):
        return key
    return f"{_HEAD.sub('_', key[:100])}~{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
