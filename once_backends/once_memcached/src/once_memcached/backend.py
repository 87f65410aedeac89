"""The verbs. A lease is an item: the key is its name, the token its value, and the server lets it expire."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from math import ceil

from once_core import Grant, Holder
from once_core.errors import BackendUnavailable, ConfigurationError

from .connections import Connections
from .url import read
from .wire import END, LINE, Wire

_NOTHING = (b"", b"")
_STORED = b"STORED\r\n"
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
        return Grant() if self._connections.ask(_take, _name(key), _value(token), _expire(ttl)) else None

    def renew(self, key: str, token: str, ttl: float) -> bool:
        value = _value(token)
        return self._connections.ask(_replace, _name(key), value, value, _expire(ttl))

    def release(self, key: str, token: str) -> bool:
        # There is no "delete if it is mine". But an item that is replaced with an expiry in the past is gone at once.
        return self._connections.ask(_replace, _name(key), _value(token), b"", -1)

    def holder(self, key: str) -> Holder | None:
        return self._connections.ask(_look, _name(key))

    def renew_many(self, leases: Sequence[tuple[str, str, float]]) -> list[bool | None]:
        """Renew each (key, token, ttl), a hundred at a time; None for those that nothing is known of."""
        items = [(_name(key), _value(token), _expire(ttl)) for key, token, ttl in leases]
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


def _take(wire: Wire, name: bytes, value: bytes, expire: int) -> bool:
    """Add the item and, in the same go, look at it; return whether it has that *value* now.

    Of many that add an item at once, one is told that it did. The others see whose it is: if it is their own, then an
    earlier answer was lost, and they are granted it again.
    """
    answer = wire.ask(b"add %b 0 %d %d\r\n%b\r\ngets %b\r\n" % (name, expire, len(value), value, name), end=END)
    if answer.startswith(b"STORED"):
        return True
    return answer.endswith(b"\r\n%b\r\nEND\r\n" % value) and _replace(wire, name, value, value, expire)


def _replace(wire: Wire, name: bytes, old: bytes, new: bytes, expire: int) -> bool:
    """Put the value *new* in the place of *old*; return False, changing nothing, if that is not what is there.

    `gets` answers with a number that changes with each change of the item; `cas` changes the item if it still has that
    number. Both at once, as numbers are not to be remembered: they begin anew when the server does, and an old one
    would fit the next holder's item. `touch` and `delete` ask for neither value nor number.
    """
    for _ in range(_LOOKS):
        value, number = _see(wire, name).get(name, _NOTHING)
        if value != old:
            return False
        if wire.ask(_change(name, number, new, expire)) == _STORED:
            return True
        # It was changed in between: it has expired, or the same token asked twice at once. Then one of the two got on.
    raise BackendUnavailable(f"the item {name.decode()!r} is being changed all the time")


def _replace_many(wire: Wire, items: Sequence[tuple[bytes, bytes, int]]) -> list[bool | None]:
    """Let each (name, value, expire) that is still there live on, and wait for two answers only."""
    seen = _see(wire, *{name for name, _, _ in items})
    ours = [item for item in items if seen.get(item[0], _NOTHING)[0] == item[1]]
    changes = b"".join(_change(name, seen[name][1], value, expire) for name, value, expire in ours)
    lines = wire.ask(changes, times=len(ours)).splitlines(keepends=True) if ours else []
    answers = dict(zip(ours, lines, strict=True))
    # Neither stored nor gone: it was changed in between, perhaps by the same token.
    meaning = {_STORED: True, b"NOT_FOUND\r\n": False}
    return [meaning.get(answers[item]) if item in answers else False for item in items]


def _look(wire: Wire, name: bytes) -> Holder | None:
    value, number = _see(wire, name).get(name, _NOTHING)
    return Holder(_token(value), _remaining(wire, name, number)) if value else None


def _remaining(wire: Wire, name: bytes, number: bytes) -> float | None:
    """Return the whole seconds that the item will last, if it still has that *number*."""
    try:
        told = wire.ask(b"mg %b t c\r\n" % name).split()
    except BackendUnavailable:  # a server older than 1.6.10 does not know this question
        return None
    match told:
        case [b"HD", seconds, same] if same == b"c" + number and seconds[1:].isdigit():
            return float(seconds[1:])
    return None  # it has been changed since


def _see(wire: Wire, *names: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Return, by the names of those items that are there, the value and the number of the last change."""
    lines = wire.ask(b"gets %b\r\n" % b" ".join(names), end=END).split(LINE)[:-2]
    heads = [head.split() for head in lines[::2]]  # VALUE name flags size number
    return {head[1]: (value, head[4]) for head, value in zip(heads, lines[1::2], strict=True)}


def _change(name: bytes, number: bytes, value: bytes, expire: int) -> bytes:
    return b"cas %b 0 %d %d %b\r\n%b\r\n" % (name, expire, len(value), number, value)


def _name(key: str) -> bytes:
    """Return an item's name: the key itself, or a readable head of it and a digest, where Memcached can't take it."""
    if _NAME.fullmatch(key):
        return key.encode()
    return f"{_HEAD.sub('_', key[:100])}~{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}".encode()


def _expire(ttl: float) -> int:
    # The server counts whole seconds and lets an item go up to one of them early.
    seconds = ceil(ttl) + 1 if ttl < _LONGEST else _LONGEST + 1
    if seconds > _LONGEST:
        raise ConfigurationError(
            f"Memcached can't hold a key for {ttl / 86400:g} days, as it takes what is over 30 days for a date: choose "
            "a shorter ttl, such as 30 s. A lease is renewed as long as its run lives"
        )
    return seconds


def _value(token: str) -> bytes:
    """Return an item's value: one line of ASCII in quotes, so that no token looks like a part of an answer."""
    return json.dumps(token).encode()


def _token(value: bytes) -> str:
    token: str = json.loads(value)
    return token
