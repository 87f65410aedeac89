"""What a URL says, checked as early as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import Connection, SSLConnection, UnixDomainSocketConnection

from once_core.errors import ConfigurationError

from .failures import Address
from .settings import Settings

_KINDS = ("", "unix", "sentinel", "cluster")
_SHAPES = (
    "write redis://host:6379/0, redis+unix:///path/to.sock, redis+sentinel://host:26379,host2/service/0 or "
    "redis+cluster://host:6379,host2 - with rediss in place of redis for TLS"
)


def read_url(url: str) -> Settings:
    """Read a URL. Raises ConfigurationError, naming it without its password."""
    scheme, _, rest = url.partition("://")
    security, _, kind = scheme.partition("+")
    rest, _, query = rest.partition("?")
    if "@" in query or "#" in url:
        raise ConfigurationError(
            f"a URL that begins with {scheme}:// can't be read: in user, password and options write ? @ # as "
            "%3F %40 %23"
        )
    credentials, _, place = rest.rpartition("@")
    user, colon, password = credentials.partition(":")
    name = f"{scheme}://{user}{':***' if colon else ''}{'@' if credentials else ''}{place}"
    if security not in ("redis", "rediss") or kind not in _KINDS or (security, kind) == ("rediss", "unix"):
        raise ConfigurationError(f"{name!r} is no URL of Redis: {_SHAPES}")
    hosts, _, path = place.partition("/")
    arguments: dict[str, Any] = {"username": unquote(user) or None, "password": unquote(password) or None}
    settings = Settings(name, kind, [], SSLConnection if security == "rediss" else Connection, arguments)
    if kind == "unix":
        settings.connection_class = UnixDomainSocketConnection
        arguments["path"] = unquote(f"/{path}")
        path = ""
        if hosts or arguments["path"] == "/":
            raise ConfigurationError(f"{name!r}: a socket's path needs three slashes: {_SHAPES}")
    else:
        settings.addresses = [*_addresses(name, hosts, 26379 if kind == "sentinel" else 6379)]
        if kind == "" and len(settings.addresses) > 1:
            raise ConfigurationError(f"{name!r}: several hosts are sentinels or a cluster: {_SHAPES}")
    if kind == "sentinel":
        service, _, path = path.partition("/")
        settings.service = unquote(service)
        settings.sentinel_arguments = {"db": 0, "username": None, "password": None}
        if not service:
            raise ConfigurationError(f"{name!r}: which service do the sentinels watch? {_SHAPES}")
    for option, text in (("db", path), *parse_qsl(query, keep_blank_values=True)):
        if text or option != "db":
            choose(settings, option, text)
    if security == "rediss":  # redis-py 5 does not check the name by itself, and none can be if nothing is required
        checked = arguments.get("ssl_check_hostname", True) and arguments.get("ssl_cert_reqs") != "none"
        arguments["ssl_check_hostname"] = checked
    return settings


def choose(settings: Settings, option: str, text: str) -> None:
    """Set an option. Raises ConfigurationError if there is none of that name, or *text* can't be its value."""
    options = _OPTIONS | (_TLS_OPTIONS if settings.connection_class is SSLConnection else {})
    if settings.kind == "sentinel":
        options |= _SENTINEL_OPTIONS
    if option not in options:
        raise ConfigurationError(f"{settings.name!r}: {option!r} is no option here. There are {', '.join(options)}")
    read, wanted = options[option]
    try:
        value = read(text)
    except ValueError:
        value = None
    if value is None or (settings.kind == "cluster" and option == "db" and value):
        raise ConfigurationError(f"{settings.name!r}: {option} can't be {text!r}: {wanted}")
    if option in ("timeout", "max_connections"):
        setattr(settings, option, value)
    elif option in _SENTINEL_OPTIONS:
        settings.sentinel_arguments[option.removeprefix("sentinel_")] = value
    else:
        settings.arguments[option] = value


def _addresses(name: str, hosts: str, default_port: int) -> Iterable[Address]:
    for host in hosts.split(","):
        try:
            parts = urlsplit(f"//{host}")
            yield parts.hostname or "localhost", parts.port or default_port
        except ValueError as error:
            raise ConfigurationError(f"{name!r}: {host!r} is no host with a port ({error}): {_SHAPES}") from None


def _seconds(text: str) -> float | None:
    return seconds if 0 < (seconds := float(text)) <= 60 else None


def _count(text: str) -> int | None:
    return count if (count := int(text)) > 0 else None


def _number(text: str) -> int | None:
    return number if (number := int(text)) >= 0 else None


def _switch(text: str) -> bool | None:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())


def _requirement(text: str) -> str | None:
    return text if text in ("required", "optional", "none") else None


def _file(text: str) -> str | None:
    return text if Path(text).is_file() else None


_Options = dict[str, tuple[Callable[[str], Any], str]]
_ANY = (str, "")
_FILE = (_file, "there is no such file")
_OPTIONS: _Options = {
    "timeout": (_seconds, "take seconds, above 0 and up to 60"),
    "max_connections": (_count, "take a number from 1"),
    "db": (_number, "take a number from 0; a cluster has 0 only"),
    "username": _ANY,
    "password": _ANY,
    "client_name": _ANY,
}
_SENTINEL_OPTIONS: _Options = {"sentinel_username": _ANY, "sentinel_password": _ANY}
_TLS_OPTIONS: _Options = {
    "ssl_ca_certs": _FILE,
    "ssl_certfile": _FILE,
    "ssl_keyfile": _FILE,
    "ssl_password": _ANY,
    "ssl_cert_reqs": (_requirement, "take required, optional or none"),
    "ssl_check_hostname": (_switch, "take true or false"),
}
