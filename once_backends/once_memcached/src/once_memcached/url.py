"""What a URL says: where the one server is, and how long to wait for it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from once_core.errors import ConfigurationError

EXAMPLES = "write memcached://localhost:11211 or memcached+unix:///run/memcached.sock"


class Place(NamedTuple):
    """A server: *address* as pymemcache takes it, *timeout* of each wait in seconds, *name* for messages."""

    address: str | tuple[str, int]
    timeout: float
    name: str


def read(url: str, timeout: float) -> Place:
    """Return what *url* says, *timeout* being the default. Raise ConfigurationError if it makes no sense."""
    name = _without_password(url)
    place = url.partition("://")[2].partition("/")[0]
    if "@" in place:
        raise ConfigurationError(f"{name!r}: Memcached's own protocol knows no users and passwords: {EXAMPLES}")
    if "," in place:
        raise ConfigurationError(
            f"{name!r}: name one server: when one of several is away, clients don't agree on where its keys went, and "
            "a key has two holders"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{name!r}: {error}: {EXAMPLES}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for option in options.keys() - {"timeout"}:
        raise ConfigurationError(f"{name!r}: {option!r} is no option: there is timeout")
    seconds = _seconds(name, options.get("timeout", timeout))
    path = unquote(parts.path)
    match parts.scheme:
        case "memcached" if parts.hostname and path in ("", "/"):
            return Place((parts.hostname, port or 11211), seconds, name)
        case "memcached+unix" if not parts.netloc and len(path) > 1:
            return Place(path, seconds, name)
    raise ConfigurationError(f"{name!r} is no place of a Memcached: {EXAMPLES}")


def _seconds(name: str, value: str | float) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(value)) <= 60:
            return seconds
    raise ConfigurationError(f"{name!r}: timeout={value} is no time to wait: take seconds, above 0 and up to 60")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    hidden = f"{scheme}://{user}:***@{place}" if colon and at else url
    return re.sub(r"(\w*pass\w*=)[^&]*", r"\1***", hidden)
